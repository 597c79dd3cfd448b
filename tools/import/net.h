// SPDX-License-Identifier: MIT
// Building a network from a checkpoint, layer by layer: what every architecture's file is written in. A layer takes its
// weights by the name they have in the checkpoint (without the prefix) and checks their shapes. After a failure - it is
// kept, the first one - every call does nothing, so an architecture's file never checks.
#pragma once
#include "import/import.h"
#include "import/safetensors.h"
#include <stdarg.h>
#include <stdbool.h>

enum { NET_PATH = 256, NET_PATHS = 128, NET_CONSTANTS = 8 };
struct net {
    weft_builder *b;
    const safetensors *file;
    const char *prefix;
    const char *scope; // goes before the names of weights in the model, where one file holds two networks; NULL: nothing
    int variant; // index into arch.variants
    const char *settings, *const *set; // arch.settings and what was said instead
    int set_count;
    bool half;
    bool failed;
    const char *constants[NET_CONSTANTS]; // names that `constant` has given
    int constant_count;
    char paths[NET_PATHS][NET_PATH]; // of `path`, in turn
    int path;
    void (*warn)(void *user, const char *line);
    void *user;
};

#if defined(__GNUC__)
#define NET_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define NET_PRINTF(f, a)
#endif
void net_fail(net *n, weft_result r, const char *format, ...) NET_PRINTF(3, 4);
const char *path(net *n, const char *format, ...) NET_PRINTF(2, 3); // good for the next 127 calls

double setting(const net *n, const char *name); // of arch.settings

// --- Ports. -----------------------------------------------------------------------------------------------------

void entry(net *n, const char *name); // what follows belongs to it; weights are shared
int64_t dim(net *n, const char *name, int64_t preset, int64_t multiple);
weft_value input(net *n, const char *name, int64_t batch, int64_t channels, int64_t height, int64_t width);
void output(net *n, const char *name, weft_value v);

// --- Weights. ---------------------------------------------------------------------------------------------------

bool has(const net *n, const char *name);
int rank_of(const net *n, const char *name); // -1: there is no such tensor
// What stands before this tensor's name, whatever the prefix is; false: there is none.
bool prefix_of(const net *n, const char *name, char prefix[NET_PATH]);
weft_value weight(net *n, const char *name, weft_shape shape); // as it is stored: f32, f16, or i32 for integers
// Several tensors of one shape, one behind the other, as one weight of the given shape.
weft_value joined(net *n, const char *name, const char *const *parts, int count, weft_shape part, weft_shape shape);
void ignore(net *n, const char *name);                         // known and not needed
void ignore_all(net *n, const char *start);                    // every tensor that begins so
void expect_ones(net *n, const char *name, weft_shape shape);  // a constant of the method that the checkpoint happens to hold
int64_t length(net *n, const char *name, int axis);            // of a tensor whose size is the user's choice; 1 on failure
weft_value constant(net *n, const char *name, weft_shape shape, const float *data); // numbers of the method; `name` outlives the net

// --- Operators without weights. -----------------------------------------------------------------------------------

weft_value op(net *n, const char *name, const weft_value *in, int in_count, const weft_attr_arg *attrs, int attr_count);
#define OP1(n, name, x) op(n, name, (weft_value[]){ x }, 1, NULL, 0)
#define OP2(n, name, x, y) op(n, name, (weft_value[]){ x, y }, 2, NULL, 0)
#define OPA(n, name, x, ...) \
    op(n, name, (weft_value[]){ x }, 1, (const weft_attr_arg[]){ __VA_ARGS__ }, (int) (sizeof((const weft_attr_arg[]){ __VA_ARGS__ }) / sizeof(weft_attr_arg)))
#define relu(n, x) OP1(n, "relu", x)
#define sigmoid(n, x) OP1(n, "sigmoid", x)
#define leaky_relu(n, x, slope) OPA(n, "leaky_relu", x, WEFT_NUM("a", slope))
// Not `tanh`: that is C's.
#define net_tanh(n, x) OP1(n, "tanh", x)
#define add(n, x, y) OP2(n, "add", x, y)
#define mul(n, x, y) OP2(n, "mul", x, y)
#define cat(n, ...) op(n, "concat", (weft_value[]){ __VA_ARGS__ }, (int) (sizeof((weft_value[]){ __VA_ARGS__ }) / sizeof(weft_value)), NULL, 0)
weft_value up2(net *n, weft_value x);                                                   // nearest neighbour, twice the size
weft_value channels(net *n, weft_value x, int64_t first, int64_t past);                 // [first, past) of them
weft_value part(net *n, weft_value x, int axis, int64_t first, int64_t past);           // [first, past) of an axis
weft_value scaled(net *n, weft_value x, double a);                                      // a x
weft_value blend(net *n, weft_value known, weft_value filled, weft_value hole);         // known (1 - hole) + filled hole

// --- Layers. ----------------------------------------------------------------------------------------------------

typedef struct conv_options {
    int stride, dilation, groups; // 0: 1
    int pads[4];                  // top, left, bottom, right
    bool valid;                   // no padding; otherwise, with no pads given, half the window on every side
    const char *pad_mode;         // NULL: zero
    bool no_bias;
} conv_options;
#define conv(n, name, x, in, out, kernel, ...) net_conv(n, name, x, in, out, kernel, (conv_options) { __VA_ARGS__ })
weft_value net_conv(net *n, const char *name, weft_value x, int in, int out, int kernel, conv_options o);

typedef struct convt_options { int stride, pad, output_pad; bool no_bias; } convt_options;
#define conv_transpose(n, name, x, in, out, kernel, ...) net_conv_transpose(n, name, x, in, out, kernel, (convt_options) { __VA_ARGS__ })
weft_value net_conv_transpose(net *n, const char *name, weft_value x, int in, int out, int kernel, convt_options o);

// NAME.weight, .bias, .running_mean, .running_var; batch_stats: mean and variance of x in place of the stored ones.
weft_value batch_norm(net *n, const char *name, weft_value x, int channels, bool batch_stats);
weft_value instance_norm(net *n, const char *name, weft_value x, int channels); // NAME.weight and .bias; name NULL: without
weft_value linear(net *n, const char *name, weft_value x, int in, int out);
// PyTorch's LSTM in both directions, batch first: x [n, t, in] -> [n, t, 2 hidden]. NAME.weight_ih_l0, ..._reverse, ...
weft_value lstm(net *n, const char *name, weft_value x, int in, int hidden, int layers);

// Self-attention of SAGAN, x + gamma * attention: NAME.query_conv, .key_conv, .value_conv (or as `keys` says) and .gamma.
weft_value self_attention(net *n, const char *name, weft_value x, int channels, int inner, const char *const keys[3]);
