// SPDX-License-Identifier: MIT
// NumPy's .npy files, versions 1 to 3.
#pragma once
#include "command.h"
#include <stdio.h>

typedef struct array { // row-major, in the machine's byte order
    weft_dtype dtype;  // WEFT_F32 or WEFT_I32
    weft_shape shape;
    void *data;        // free() it
    size_t bytes;
} array;

// Reads any of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1, little or big endian, C or Fortran order, as `want`. Numbers that
// `want` cannot hold are an error. CODE_OK or an exit code, with the failure printed.
int npy_read(const call *c, const char *path, weft_dtype want, array *out);

// Writes version 1, little endian, C order; the file appears whole or not at all.
int npy_write(const call *c, const char *path, weft_dtype dtype, weft_shape shape, const void *data);

// The same from and to bytes: `path` stands for them in errors; reading changes `file`.
int npy_decode(const call *c, const char *path, unsigned char *file, size_t bytes, weft_dtype want, array *out);
bool npy_encode(FILE *f, weft_dtype dtype, weft_shape shape, const void *data);
