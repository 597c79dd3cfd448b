// SPDX-License-Identifier: MIT
// Models: immutable graphs ("entries") and the weights they share. Load one, look at it, save it.
#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_model weft_model;

typedef struct weft_port { // a named input or output of an entry
    const char *name;      // lives as long as the model
    weft_dtype dtype;      // WEFT_F32 or WEFT_I32
    weft_shape shape;      // a dimension -k-1 is the named dimension k: weft_model_dim(m, k)
} weft_port;

typedef struct weft_dim { // a named dimension: bound to a number when a session is made
    const char *name;
    int64_t preset;   // what `weft info` and `weft check` use; at least 1
    int64_t multiple; // a size must be a multiple of this; at least 1
} weft_dim;

// Reads a .weft file. The file is mapped, not copied, and must stay unchanged until weft_model_destroy.
// Errors: WEFT_ERR_IO, WEFT_ERR_FORMAT (the text names file and field), WEFT_ERR_UNSUPPORTED (made
// by a newer weft), WEFT_ERR_MEMORY.
WEFT_API weft_result weft_model_load(weft_context *ctx, const char *path, weft_model **out);

// The same from memory. `data`, at a multiple of 4 bytes, is kept until weft_model_destroy; `name` stands for it in errors.
WEFT_API weft_result weft_model_load_memory(weft_context *ctx, const void *data, size_t bytes, const char *name,
                                            weft_model **out);

// Writes atomically: the file appears whole or not at all.
WEFT_API weft_result weft_model_save(const weft_model *m, const char *path);

// Sessions hold what they need: a model may be destroyed while sessions made from it live.
WEFT_API void weft_model_destroy(weft_model **model);

WEFT_API int weft_model_entry_count(const weft_model *m);
WEFT_API const char *weft_model_entry_name(const weft_model *m, int entry);    // NULL past the end
WEFT_API int weft_model_find_entry(const weft_model *m, const char *name);     // -1: none; NULL: entry 0
WEFT_API int weft_model_inputs(const weft_model *m, int entry, const weft_port **ports);  // gives the count
WEFT_API int weft_model_outputs(const weft_model *m, int entry, const weft_port **ports); // gives the count
// Tensors that a session of the entry keeps between its runs: see weft_build_state. Gives the count.
WEFT_API int weft_model_states(const weft_model *m, int entry, const weft_port **ports);
WEFT_API int weft_model_dim_count(const weft_model *m);
WEFT_API const weft_dim *weft_model_dim(const weft_model *m, int index); // NULL past the end

// Metadata: author, licence, source, value range, mask convention, ... as UTF-8 text.
WEFT_API const char *weft_model_meta(const weft_model *m, const char *key); // NULL: not there
WEFT_API int weft_model_meta_at(const weft_model *m, int index, const char **key, const char **value); // 0 past the end

// Facts about an entry at the given input shapes (NULL: preset dimensions).
typedef struct weft_model_facts {
    int64_t parameters;      // elements of all weights the entry uses
    size_t weight_bytes;     // as stored in the file
    int node_count;
    double flops;            // 2 x multiply-accumulates plus elementwise work
    size_t workspace_bytes;  // activations, planned, in f32
    size_t workspace_least_bytes; // the largest live set: no plan can need less
    size_t state_bytes;      // of the states that a session keeps
} weft_model_facts;
typedef struct weft_port_shape {
    const char *port;
    weft_shape shape;
} weft_port_shape;
WEFT_API weft_result weft_model_measure(const weft_model *m, int entry, const weft_port_shape *shapes, int shape_count,
                                        weft_model_facts *out);

// Calls `each` for every use of a weight in an entry, node after node: by which operator, and as which of its inputs.
typedef struct weft_weight_use {
    const char *name; // lives as long as the model
    weft_dtype dtype; // as stored
    weft_shape shape;
    const char *op;
    int input;
} weft_weight_use;
WEFT_API weft_result weft_model_weight_uses(const weft_model *m, int entry, void (*each)(void *user, const weft_weight_use *use), void *user);

// The gradient of an entry, as a model of its own with one entry, "main", for these input shapes. It has the entry's inputs, then an
// input "d.<output>" for each cotangent (d loss / d output; other outputs do not count); the entry's outputs, then an output
// "d.<name>" for each name in `wrt`, and the entry's states. It can be saved, and runs on any device; its weights are those of `m`, which may be destroyed.
// Errors: WEFT_ERR_ARGUMENT, WEFT_ERR_UNSUPPORTED (the text names the node that has no gradient), WEFT_ERR_MEMORY.
typedef struct weft_model_grad_params {
    int entry;
    const weft_port_shape *shapes; // of inputs; NULL, or for inputs not named: preset dimensions
    int shape_count;
    const char *loss;              // an output of one element, which is differentiated; or NULL and
    const char *const *cotangents; // outputs
    int cotangent_count;
    const char *const *wrt;        // inputs or states, or weights, that hold f32
    int wrt_count;
} weft_model_grad_params;
WEFT_API weft_result weft_model_grad(const weft_model *m, const weft_model_grad_params *params, weft_model **out);

// Calls `line` with one line of text per input, state, node and output, at the preset dimensions: what a node reads, the
// attributes that are not the default, the shape it makes and, after '#', its name. %5 is weft_session_value 5.
WEFT_API weft_result weft_model_print(const weft_model *m, int entry, void (*line)(void *user, const char *text), void *user);

#ifdef __cplusplus
}
#endif
#endif // WEFT_MODEL_H
