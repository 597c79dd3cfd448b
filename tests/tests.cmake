# SPDX-License-Identifier: MIT
# Tests that need more than a file of their own.

# The fuzz target for libFuzzer: CC=clang cmake -DWEFT_FUZZ=ON, then `fuzz_read CORPUS`.
option(WEFT_FUZZ "Build the libFuzzer target (clang)" OFF)
if(WEFT_FUZZ)
    get_target_property(engine_files weft_objects SOURCES)
    add_executable(fuzz_read tests/fuzz/fuzz_read.c ${engine_files})
    target_include_directories(fuzz_read PRIVATE include engine shaders tests)
    target_compile_options(fuzz_read PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -g)
    target_link_options(fuzz_read PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(fuzz_read PRIVATE ${private_libraries})
    set_target_properties(fuzz_read PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
