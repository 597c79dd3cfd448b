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

# The rows once more, in double precision, for gradients against central differences.
file(GLOB grad_sources CONFIGURE_DEPENDS engine/base/*.c engine/graph/*.c engine/ops/*.c)
add_executable(test_grad tests/grad/rows.c ${grad_sources})
target_include_directories(test_grad PRIVATE include engine shaders)
target_compile_definitions(test_grad PRIVATE WEFT_REAL=double)
target_link_libraries(test_grad PRIVATE Threads::Threads m)
set_target_properties(test_grad PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME test_grad COMMAND test_grad WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})

# Validation layers and software drivers leak what AddressSanitizer cannot attribute, because they are unloaded by then. weft's own
# memory is counted in the fault tests. ThreadSanitizer knows nothing of the locks in libraries that are not built with it.
file(GLOB on_drivers CONFIGURE_DEPENDS tests/vk/test_*.c)
list(TRANSFORM on_drivers REPLACE ".*/(test_[a-z0-9_]+)[.]c" "\\1")
foreach(name
        ${on_drivers}
        test_alloc_fault
        test_cli
        test_cli_bench
        test_drivers
        test_generate
        test_invert
        test_nets
        test_ops
        test_ops_values
        test_optimize
        test_recompute
        test_state
        test_static
        test_vk_fault
        test_vk_fault_beside
        test_vk_fault_states
        test_ways
)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0;TSAN_OPTIONS=ignore_noninstrumented_modules=1")
endforeach()
set_tests_properties(test_drivers PROPERTIES TIMEOUT 1800)

# Tests of the importers see tools/import.
file(GLOB import_sources CONFIGURE_DEPENDS tools/import/*.c tools/import/arch/*.c)
foreach(name test_nets test_import)
    if(TARGET ${name})
        target_sources(${name} PRIVATE ${import_sources})
    endif()
endforeach()

# So does the test of the command's array files.
target_sources(test_npz PRIVATE tools/weft/npz.c tools/weft/npy.c tools/weft/whole.c tools/weft/report.c tools/weft/progress.c)
target_link_libraries(test_npz PRIVATE PkgConfig::LIBZIP)

# For benchmarks: how long a model takes.
add_executable(time_model tests/bench/time_model.c)
target_include_directories(time_model PRIVATE engine)
target_link_libraries(time_model PRIVATE weft_static)
set_target_properties(time_model PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
foreach(name test_garment test_generator)
    if(TEST ${name})
        set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
    endif()
endforeach()
add_executable(time_stylegan2 tests/bench/time_stylegan2.c)
target_link_libraries(time_stylegan2 PRIVATE weft_static m)
set_target_properties(time_stylegan2 PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Texts to tokens is a part of the command.
if(TARGET test_tokens)
    target_sources(test_tokens PRIVATE tools/weft/bpe.c)
    target_link_libraries(test_tokens PRIVATE ZLIB::ZLIB)
endif()

# Small generators through the importers, on a Vulkan driver too.
target_sources(test_stylegan PRIVATE ${import_sources})
set_tests_properties(test_stylegan PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0;TSAN_OPTIONS=ignore_noninstrumented_modules=1")

# Every kernel on compilers for hardware that is not at hand.
file(GLOB static_sources CONFIGURE_DEPENDS tests/static/*.c)
add_executable(kernel_figures ${static_sources} $<TARGET_OBJECTS:weft_objects>)
target_include_directories(kernel_figures PRIVATE include engine shaders tests)
target_link_libraries(kernel_figures PRIVATE ${private_libraries})
set_target_properties(kernel_figures PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set_tests_properties(test_static PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)

# What the command says of samples is tested by calls.
target_sources(test_cli_compare PRIVATE tools/weft/compare_stat.c tools/weft/summary.c)
target_link_libraries(test_cli_compare PRIVATE m)

# What takes longest begins first, so that it is not left alone at the end.
set(longest test_drivers test_ops test_ways test_nets test_vk_fault_beside test_vk_fault test_vk_fault_states test_cli_bench test_cli_compare test_static
    test_grad test_stylegan test_state)
set(cost 20)
foreach(name IN LISTS longest)
    if(TEST ${name})
        set_tests_properties(${name} PROPERTIES COST ${cost})
    endif()
    math(EXPR cost "${cost} - 1")
endforeach()
