// SPDX-License-Identifier: MIT
// A graph: values, and nodes in an order in which every value is made before it is used.
// Passes do not edit: they copy one graph into another and change what they pass over.
#pragma once
#include "base/arena.h"
#include "graph/op.h"

typedef struct weft_weight { // stored once per model, shared by its entries and sessions
    const char *name;
    weft_dtype dtype; // as stored: F32, F16 or I32 (U8 is read as I32)
    weft_shape shape;
    const void *data;
    size_t bytes;
    bool from_half; // F32, computed from others in F16: its numbers may be such that F16 holds them
} weft_weight;

typedef struct weft_value_def {
    weft_shape shape; // dimensions below 0 are named ones until the graph is bound: -k-1 is dims[k]
    int8_t dtype;     // WEFT_F32 or WEFT_I32
    int8_t layout;    // weft_layout; ROW until the physical pass
    int8_t storage;   // on a device: WEFT_F32, WEFT_F16 or WEFT_I32
    int32_t node, slot; // who makes it; node -1: an input, a state or a constant
    int32_t origin;     // the value of the entry it came from, -1: made by a pass
    const weft_weight *weight; // a constant; NULL otherwise
} weft_value_def;

typedef struct weft_port_def {
    const char *name;
    weft_value value;
} weft_port_def;

// A tensor that lives between runs. During a run its value is what it was before; after the run it is `next`.
typedef struct weft_state_def {
    const char *name;
    weft_value value;       // like an input's: no node makes it
    weft_value next;        // of the same dtype and shape; -1: the state stays as it is
    const weft_weight *init; // what it begins as; NULL: zeros
} weft_state_def;

struct weft_graph {
    weft_arena *arena;
    weft_value_def *values;
    int value_count;
    weft_node *nodes;
    int node_count;
    weft_port_def *inputs, *outputs;
    int input_count, output_count;
    weft_state_def *states;
    int state_count;
    const char *name_prefix; // for nodes made from now on
    bool bound;              // shapes are numbers: nodes are inferred as they are added
    weft_result failed;      // the first failure; later calls do nothing. The error text is kept here:
    const char *failure;
};

void weft_graph_init(weft_graph *g, weft_arena *arena);
weft_value weft_graph_input(weft_graph *g, const char *name, weft_dtype dtype, weft_shape shape);
// F32 or I32; `init` is kept.
weft_value weft_graph_state(weft_graph *g, const char *name, weft_dtype dtype, weft_shape shape, const weft_weight *init);
void weft_graph_next(weft_graph *g, weft_value state, weft_value next); // once per state
weft_value weft_graph_constant(weft_graph *g, const weft_weight *weight);
// A constant made by a pass: data is copied into the arena (NULL: room is made and left zero).
weft_value weft_graph_numbers(weft_graph *g, weft_shape shape, const float *data);
weft_value weft_graph_scalar(weft_graph *g, double value);
// The first output of a new node; the others follow. attrs is copied; NULL: the defaults.
weft_value weft_graph_op(weft_graph *g, const weft_op *op, const weft_value *in, int in_count, const void *attrs);
void weft_graph_output(weft_graph *g, const char *name, weft_value v);
weft_result weft_graph_fail(weft_graph *g, weft_result r); // keeps the first failure and its text
weft_result weft_graph_status(const weft_graph *g);        // gives it back, arena failures included

// Short forms for expansions, by operator name: WEFT_V(x, w) is a list of values.
weft_value weft_graph_call(weft_graph *g, const char *op, const weft_value *in, int in_count, const void *attrs);
#define WEFT_V(...) (const weft_value[]){ __VA_ARGS__ }, (int) (sizeof((weft_value[]){ __VA_ARGS__ }) / sizeof(weft_value))

int weft_op_outputs(const weft_op *op, const void *attrs); // how many
size_t weft_op_describe(const weft_op *op, char *text, size_t bytes); // print.c: weft_op_doc

// Fills a zeroed attribute struct with the operator's defaults.
void weft_attr_defaults(const weft_op *op, void *attrs);
// Sets one attribute from numbers or a word; the sentence names operator and attribute.
weft_result weft_attr_set(const weft_op *op, void *attrs, const char *name, const char *text, const double *num, int count);

bool weft_attr_is_default(const weft_op *op, const weft_attr *a, const void *attrs);

// --- Passes: `from` -> `to`, which is emptied first. Each in a file of its name. ----------------------------

// bind.c: named dimensions become numbers (dims[k] for -k-1), every shape is inferred.
weft_result weft_pass_bind(const weft_graph *from, const int64_t *dims, weft_graph *to);
// prune.c: nodes that no output and no state's next value needs are dropped.
weft_result weft_pass_prune(const weft_graph *from, weft_graph *to);
// expand.c: rows with `expand` are replaced by their expansion, unless keep(op) says the device runs them itself.
weft_result weft_pass_expand(const weft_graph *from, bool (*keep)(const weft_op *op), weft_graph *to);
// expand.c: rows with `unfuse` are taken apart, so that each part's gradient can be taken.
weft_result weft_pass_unfuse(const weft_graph *from, weft_graph *to);
// fold.c: nodes whose inputs are all constants are computed now, on the CPU.
weft_result weft_pass_fold(const weft_graph *from, weft_pool *pool, weft_graph *to);
// fuse.c: applies the table of rules until none fits.
typedef struct weft_fuse_rule weft_fuse_rule;
weft_result weft_pass_fuse(const weft_graph *from, const weft_fuse_rule *rules, weft_graph *to);
// recompute.c: of what the forward half makes and nodes after the turn - where most memory is alive - read again, part is made again there.
// `segments` 2 or more: what crosses the borders of so many segments of the forward half is kept; 0: what is costly to make.
weft_result weft_pass_recompute(const weft_graph *from, int segments, weft_graph *to);
// beside.c: where a rule says that a node can do the work of another one that reads the same values, it does.
typedef struct weft_beside_rule weft_beside_rule;
weft_result weft_pass_beside(const weft_graph *from, const weft_beside_rule *rules, weft_graph *to);
// simplify.c: nodes become what a rule says they are as well.
typedef struct weft_simple_rule weft_simple_rule;
weft_result weft_pass_simplify(const weft_graph *from, const weft_simple_rule *rules, weft_graph *to);
// physical.c: chooses layout and storage of every value and puts `convert` nodes where they differ.
typedef enum weft_half {
    WEFT_HALF_NONE,
    WEFT_HALF_ALL,   // every value that may be
    WEFT_HALF_LARGE, // what belongs to images with at least a 64th of the pixels of the largest one: the top four sizes of a generator
} weft_half;
void weft_graph_set_form(weft_graph *g, weft_value v, weft_layout layout, weft_dtype storage); // before nodes that read it are added
weft_result weft_pass_physical(const weft_graph *from, weft_half half, weft_graph *to);

// A rule looks at `producer` -> `consumer` (the only use of the producer's only used output, which is input
// `slot` of the consumer). It gives true and fills `fused` (op, attrs, inputs) when one node can do both.
typedef struct weft_fused {
    const weft_op *op;
    unsigned char attrs[WEFT_MAX_ATTR_BYTES];
    weft_value in[WEFT_MAX_BIND];
    int in_count;
} weft_fused;
struct weft_fuse_rule {
    const char *name, *producer, *consumer; // operator names; producer or consumer "*": the rule decides
    // Values are those of `g`, the graph being built; new constant nodes may be added to it.
    bool (*fuse)(weft_graph *g, const weft_node *producer, const weft_node *consumer, int slot, weft_fused *out);
    bool shared; // also where others use the producer's output: it costs nothing to do its work again
};

// A rule looks at a node of a graph and fills `out` (op, attrs, inputs) with one that makes the same.
struct weft_simple_rule {
    const char *name, *op;
    bool (*simplify)(const weft_graph *g, const weft_node *n, weft_fused *out);
};

// A rule looks at `host` and `guest`, which reads nothing that host does not read. It gives -1, or fills `fused` (op, attrs, inputs) with a host
// that makes what both make, and gives the place among its outputs of the guest's only one: the host's from there on have moved up by one.
struct weft_beside_rule {
    const char *name, *host, *guest;
    int (*join)(const weft_node *host, const weft_node *guest, weft_fused *fused);
};

// --- Helpers for passes. -------------------------------------------------------------------------------------

// Copies the inputs / one node / the outputs of `from`, where map[old value] is the new value. States come with the inputs,
// and what they become with the outputs.
weft_result weft_graph_copy_inputs(const weft_graph *from, weft_graph *to, weft_value *map);
weft_value weft_graph_map(const weft_graph *from, weft_graph *to, weft_value *map, weft_value v); // constants come along
weft_result weft_graph_copy_node(const weft_graph *from, const weft_node *n, weft_graph *to, weft_value *map);
weft_result weft_graph_copy_outputs(const weft_graph *from, weft_graph *to, weft_value *map);
// Makes the node by `make`, after those that make what it reads and is not in the map yet, nearest first. at: who makes a node's outputs in its
// place (NULL: itself). stack: room for one int per node, because chains may be long.
weft_result weft_graph_make(const weft_graph *from, int index, const weft_value *map, const int *at, int *stack,
                            weft_result (*make)(void *user, int index), void *user);
weft_value *weft_graph_new_map(const weft_graph *from, weft_graph *to); // empties `to`; the map is filled with -1

double weft_node_flops(const weft_node *n);
