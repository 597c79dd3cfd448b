// SPDX-License-Identifier: MIT
// Published networks from their checkpoints: the list of architectures, and the one call that imports.
#pragma once
#include "import/safetensors.h"
#include <weft/build.h>

typedef struct net net;
typedef struct arch { // one architecture; its file is tools/import/arch/<symbol>.c
    const char *name, *doc;   // doc: what it is, in one line
    const char *variants;     // "tf|pt", the first is the default; NULL: there is one
    const char *probe;        // a tensor that every checkpoint has; what stands before it there is the prefix. "a|b": by variant; "a b": in
                              // one naming or the other, the first that is found
    const char *settings;     // "name=0.5 other=1": numbers that no tensor tells, with their defaults; NULL: none
    const char *const *meta;  // key, value, ..., NULL: metadata of the model
    void (*build)(net *n);
} arch;

const arch *import_arch_at(int index); // NULL past the end
const arch *import_arch_find(const char *name);

enum { IMPORT_ERROR = 1024 };
typedef struct import_params {
    const char *path;                 // of the checkpoint, .safetensors
    const char *arch, *variant;       // variant NULL: the first
    const char *prefix;               // of the tensors' names; NULL: found by the probe
    const char *const *set;           // "name=2", ..., of arch.settings
    int set_count;
    int half;                         // store weights of rank 2 and more as f16
    void (*warn)(void *user, const char *line); // tensors that were not used, ...
    void *user;
} import_params;

// Errors: WEFT_ERR_FORMAT (a tensor is missing or of another shape: the text names it), WEFT_ERR_ARGUMENT (no such
// architecture or variant), WEFT_ERR_IO, WEFT_ERR_MEMORY; the text is in `error`.
weft_result import_model(weft_context *ctx, const import_params *p, weft_model **out, char error[IMPORT_ERROR]);
// The same from tensors that are in memory already; p->path is not looked at.
weft_result import_tensors(weft_context *ctx, const import_params *p, const safetensors *file, weft_model **out, char error[IMPORT_ERROR]);
