// SPDX-License-Identifier: MIT
// Arrays with names: NumPy's .npz files, and .npy files as the case of one array without a name.
#pragma once
#include "npy.h"

typedef struct array_file array_file;

// Opens either kind, told apart by content. CODE_OK or an exit code, with the failure printed.
int arrays_open(const call *c, const char *path, array_file **out);
void arrays_close(array_file *f);
int arrays_count(const array_file *f);
const char *arrays_name(const array_file *f, int index); // "" for that of a .npy file
int arrays_find(const array_file *f, const char *name);  // -1: none
int arrays_read(const call *c, array_file *f, int index, weft_dtype want, array *out);

// Writes arrays to a .npz file, or the only one to a .npy file, as `path` ends; the file appears whole or not at all. The same arrays
// make the same bytes.
typedef struct named_array { const char *name; weft_dtype dtype; weft_shape shape; const void *data; } named_array;
int arrays_write(const call *c, const char *path, const named_array *a, int count);
bool is_npy_name(const char *path);
bool is_npz_name(const char *path);
