// SPDX-License-Identifier: MIT
// Several versions of a function, one per instruction set, chosen when the program starts, which wants a loader that can: for loops that vectorise.
// The last is for every x86-64 processor.
#pragma once
#include <limits.h> // says whose library of C it is

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WEFT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WEFT_CLONES
#endif
