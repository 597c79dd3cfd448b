#!/bin/bash
# SPDX-License-Identifier: MIT
# The SPIR-V kept in shaders/spirv is of the sources that are there; and a changed source would be noticed.
cd "$(dirname "$0")/../.." || exit 1
cmake -P tools/build/kept.cmake || exit 1
copy=$(mktemp -d) && trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/tools/build" && cp -r shaders "$copy/" && cp tools/build/kept.cmake "$copy/tools/build/" || exit 1
for changed in shaders/matmul_matrix.comp shaders/glsl/matmul.glsl shaders/params/base.h; do
    cp "$changed" "$copy/was" && echo "// changed" >>"$copy/$changed"
    if cmake -P "$copy/tools/build/kept.cmake" >/dev/null 2>&1; then echo "a change of $changed goes unnoticed"; exit 1; fi
    cp "$copy/was" "$copy/$changed"
done
cmake -P "$copy/tools/build/kept.cmake" || exit 1
rm "$copy"/shaders/spirv/matmul_matrix.f16.spv
if cmake -P "$copy/tools/build/kept.cmake" >/dev/null 2>&1; then echo "a missing file goes unnoticed"; exit 1; fi
exit 0
