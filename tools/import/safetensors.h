// SPDX-License-Identifier: MIT
// Checkpoints in .safetensors files: a JSON header that says where each tensor lies, then the data. The file is mapped
// and not trusted: every name, type, shape and offset is checked when it is opened.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_MAX_RANK = 8, SAFETENSORS_ERROR = 512 };

typedef enum safetensors_type { ST_F64, ST_F32, ST_F16, ST_BF16, ST_I64, ST_I32, ST_I16, ST_I8, ST_U8, ST_BOOL, ST_TYPES } safetensors_type;

typedef struct safetensors_tensor {
    const char *name;
    safetensors_type type;
    int rank;
    int64_t dim[SAFETENSORS_MAX_RANK];
    int64_t count;    // elements
    const void *data; // at any alignment
    bool used;        // for the importer: what is left over at the end was not meant for this network
} safetensors_tensor;

typedef struct safetensors {
    safetensors_tensor *tensors; // by name, ascending
    int count;
    void *map;
    size_t map_bytes;
    void *json; // holds the names
} safetensors;

// 0, or -1 with a sentence in `error`.
int safetensors_open(const char *path, safetensors *out, char error[SAFETENSORS_ERROR]);
// The same from memory that outlives it.
int safetensors_read(const void *data, size_t bytes, safetensors *out, char error[SAFETENSORS_ERROR]);
void safetensors_close(safetensors *s); // fine for a zeroed one

safetensors_tensor *safetensors_find(const safetensors *s, const char *name); // NULL: not there
size_t safetensors_type_bytes(safetensors_type t);
const char *safetensors_type_name(safetensors_type t);
