#!/bin/bash
# SPDX-License-Identifier: MIT
# An installed weft is found by pkg-config and by CMake, in C and in C++, shared and static.   test_install.sh BUILD
set -euo pipefail
build=${1:?usage: test_install.sh BUILD}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cmake --install "$build" --prefix "$dir/usr" >/dev/null
pc=$(dirname "$(find "$dir/usr" -name weft.pc)")
cat >"$dir/use.c" <<'C'
#include <weft/weft.h>
#include <weft/model.h>
#include <weft/build.h>
#include <weft/session.h>
#include <weft/image.h>
#include <weft/edit.h>
int main(void)
{
    weft_context *ctx;
    if (weft_context_create(0, &ctx) != WEFT_OK) return 1;
    weft_context_destroy(&ctx);
    return 0;
}
C
cp "$dir/use.c" "$dir/use.cpp"
flags=$(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$dir/usr" --cflags --libs weft)
lib=$(dirname "$(find "$dir/usr" -name 'libweft.so')")
for compiler in "cc -std=c11 $dir/use.c" "cc -std=c99 $dir/use.c" "c++ -std=c++11 $dir/use.cpp"; do
    $compiler -Wall -Wextra -Werror -pedantic $flags -o "$dir/use"
    LD_LIBRARY_PATH=$lib "$dir/use"
done
static=$(PKG_CONFIG_PATH=$pc pkg-config --define-variable=prefix="$dir/usr" --cflags --static --libs weft)
rm "$lib"/libweft.so*
cc "$dir/use.c" ${static} -o "$dir/use"
"$dir/use"
cmake --install "$build" --prefix "$dir/usr" >/dev/null
mkdir "$dir/project"
cat >"$dir/project/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.20)
project(use C)
find_package(weft 0.1 REQUIRED)
add_executable(shared ../use.c)
target_link_libraries(shared weft::weft)
add_executable(static ../use.c)
target_link_libraries(static weft::weft_static)
C
cmake -S "$dir/project" -B "$dir/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$dir/usr" >"$dir/log" && cmake --build "$dir/project/build" >>"$dir/log" || { cat "$dir/log"; exit 1; }
LD_LIBRARY_PATH=$lib "$dir/project/build/shared"
"$dir/project/build/static"
