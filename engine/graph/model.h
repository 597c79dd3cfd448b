// SPDX-License-Identifier: MIT
// What a weft_model is made of. Immutable once made; counted, so that sessions can hold on to it.
#pragma once
#include "base/file.h"
#include "graph/graph.h"
#include <weft/model.h>
#include <stdatomic.h>

typedef struct weft_entry {
    const char *name;
    weft_graph graph; // unbound
    weft_port *inputs, *outputs, *states; // as the public API shows them
} weft_entry;

typedef struct weft_meta { const char *key, *value; } weft_meta;

struct weft_model {
    weft_context *ctx;
    _Atomic int references;
    weft_arena arena;      // everything below
    weft_mapping mapping;  // data {NULL, 0} when built or loaded from memory
    weft_model **bases; int base_count; // whose weights and metadata this one uses, kept as long
    weft_entry *entries; int entry_count;
    weft_weight **weights; int weight_count;
    weft_dim *dims; int dim_count;
    weft_meta *metas; int meta_count;
};

weft_result weft_model_new(weft_context *ctx, weft_model **out); // empty, one reference
void weft_model_keep(weft_model *m);
void weft_model_release(weft_model *m); // frees at the last one
weft_result weft_model_use(weft_model *m, const weft_model *base); // keeps `base` as long as m

// names.c: every name fit for a file, and there once where it must be.
weft_result weft_model_check_names(const weft_model *m);

// Checks the names, fills the public ports of every entry, binds every entry at the preset dimensions: a model that passes is sound.
weft_result weft_model_seal(weft_model *m);

// read.c / write.c: FORMAT.md. `name` is for error texts. read keeps pointers into data.
weft_result weft_model_read(weft_context *ctx, const void *data, size_t bytes, const char *name, weft_model **out);
weft_result weft_model_write(const weft_model *m, const char *path);

// bind_dims: dims[k] from the shapes given for inputs (and the presets of the others).
weft_result weft_model_bind_dims(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, int64_t *dims);

// measure.c / print.c: bodies of weft_model_measure and weft_model_print; the arguments have been checked.
weft_result weft_entry_measure(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count, weft_model_facts *out);
weft_result weft_entry_print(const weft_model *m, int entry, void (*line)(void *user, const char *text), void *user);
