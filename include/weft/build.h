// SPDX-License-Identifier: MIT
// Building a model in code, operator by operator. Importers use the same calls.
#ifndef WEFT_BUILD_H
#define WEFT_BUILD_H

#include <weft/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_builder weft_builder;
typedef int32_t weft_value; // a value in the entry being built; -1: failed or absent
#define WEFT_NONE (-1)      // an optional input that is left out

typedef struct weft_attr_arg { // one attribute by name: numbers, or the name of a choice
    const char *name;
    const char *text;
    int count;
    double num[WEFT_MAX_RANK]; // one number stands for all of a pair or quadruple
} weft_attr_arg;
#define WEFT_NUM(name, ...) \
    { name, NULL, (int) (sizeof((double[]){ __VA_ARGS__ }) / sizeof(double)), { __VA_ARGS__ } }
#define WEFT_TEXT(name, word) { name, word, 0, { 0 } }

WEFT_API weft_result weft_builder_create(weft_context *ctx, weft_builder **out);
WEFT_API void weft_builder_destroy(weft_builder **b);

// After a failure every later call is a no-op that gives -1, so a builder is checked once, in
// weft_builder_finish, whose error text is that of the first failure.
WEFT_API void weft_build_meta(weft_builder *b, const char *key, const char *value);
// Declares or finds a named dimension; use the result in shapes. Never 0.
WEFT_API int64_t weft_build_dim(weft_builder *b, const char *name, int64_t preset, int64_t multiple);
WEFT_API void weft_build_entry(weft_builder *b, const char *name); // later calls build this entry; values belong to one
WEFT_API weft_value weft_build_input(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape);
// A weight: copied; shared by name between entries (data NULL: the one of that name already there).
WEFT_API weft_value weft_build_weight(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape, const void *data);
WEFT_API weft_value weft_build_scalar(weft_builder *b, double value); // an f32 constant of rank 0
// A state: a tensor that a session keeps between its runs, F32 or I32. In a run its value is what it was before; weft_build_next says
// what it is after. `init`, copied, is what it begins as; NULL: zeros, and then the shape may have named dimensions. States have names
// of their own, which no input of the entry has. A state whose next value is never said stays as it was set.
WEFT_API weft_value weft_build_state(weft_builder *b, const char *name, weft_dtype dtype, weft_shape shape, const void *init);
// `next` may be any value of the state's dtype and shape: of a node, an input, a weight, another state (as it was before the run).
WEFT_API void weft_build_next(weft_builder *b, weft_value state, weft_value next);
// The first output of a new node; the others follow it (value + 1, ...).
WEFT_API weft_value weft_build_op(weft_builder *b, const char *op, const weft_value *in, int in_count,
                                  const weft_attr_arg *attrs, int attr_count);
WEFT_API void weft_build_name(weft_builder *b, const char *name); // prefix for the names of later nodes
WEFT_API void weft_build_output(weft_builder *b, const char *name, weft_value v);

// Calls an entry of a finished model: its nodes are copied into the entry being built, its weights are shared with it and not
// copied - the new model keeps the other alive - so that weft_model_save still writes a file that is whole. Every input of the
// callee must be given; its named dimensions become what the arguments have at the preset dimensions. Its states become states of
// the entry being built, of which each call has its own. Gives how many outputs the entry has and fills
// `out` with them in order, as many as there is room for; -1 where the builder has failed.
typedef struct weft_port_arg {
    const char *port; // NULL: the next one in order
    weft_value value;
} weft_port_arg;
typedef struct weft_call {
    const weft_model *model;
    int entry;
    const weft_port_arg *in;
    int in_count;
    // Weights of the entry, by name, whose place these f32 values of the same shape take: to tune them, or to make them
    // depend on something. They must be named.
    const weft_port_arg *replace;
    int replace_count;
    // Names of nodes, weights and states get "prefix/" in front; NULL: none. A weight that is here already, from this
    // call or an earlier one, keeps the name it has; two that differ must not have one name.
    const char *prefix;
} weft_call;
WEFT_API int weft_build_call(weft_builder *b, const weft_call *call, weft_value *out, int out_count);

// Marks the builder failed with this text: for importers that find a tensor missing.
WEFT_API void weft_build_fail(weft_builder *b, weft_result r, const char *text);

// Checks every entry at the preset dimensions; consumes *b, also on failure.
WEFT_API weft_result weft_builder_finish(weft_builder **b, weft_model **out);

// weft_build(b, "conv2d", WEFT_IN(x, w), WEFT_NUM("stride", 2), WEFT_TEXT("pad_mode", "reflect"))
#define WEFT_IN(...) ((weft_value[]){ __VA_ARGS__ }), (int) (sizeof((weft_value[]){ __VA_ARGS__ }) / sizeof(weft_value))
#define weft_build(b, op, in, ...) weft_build_(b, op, in, __VA_ARGS__)
#define weft_build_(b, op, in, in_count, ...)                                                        \
    weft_build_op(b, op, in, in_count, (const weft_attr_arg[]){ __VA_ARGS__ },                       \
                  (int) (sizeof((const weft_attr_arg[]){ __VA_ARGS__ }) / sizeof(weft_attr_arg)))

// What operators there are and what they mean, for tools and documentation.
WEFT_API const char *weft_op_name(int index); // NULL past the end
// Markdown - formula, inputs, outputs, attributes - as much of it as `bytes` hold, ended by a NUL. Gives the length of
// all of it without the NUL, whatever fitted (text NULL and bytes 0: to ask); 0 past the end.
WEFT_API size_t weft_op_doc(int index, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif // WEFT_BUILD_H
