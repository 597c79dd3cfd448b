// SPDX-License-Identifier: MIT
// One operator, declared once. Everything the engine knows about an operator hangs from its weft_op
// row; the rows are listed in ops/ops.def and live in ops/*.c, one file per operator or family.
// Nothing here or in ops/ knows Vulkan: emit() describes dispatches as plain data.
#pragma once
#include "graph/shape.h"
#include <stddef.h>

// The type the CPU truth computes in. The gradient tests compile ops/ again with double.
#ifndef WEFT_REAL
#define WEFT_REAL float
#endif
typedef WEFT_REAL weft_real;

typedef int32_t weft_value; // index of a value in its graph; -1: absent
typedef struct weft_graph weft_graph;
typedef struct weft_op weft_op;

// --- Attributes: a table, so that file, importer, builder, CLI and documentation agree. ----------------------

typedef enum weft_attr_type {
    WEFT_ATTR_INT,   // int32_t[count]
    WEFT_ATTR_FLOAT, // float[count]
    WEFT_ATTR_ENUM,  // int32_t: index into `choices`
    WEFT_ATTR_LIST,  // weft_list: up to WEFT_MAX_RANK integers
} weft_attr_type;
typedef struct weft_list {
    int32_t count;
    int64_t at[WEFT_MAX_RANK];
} weft_list;
typedef struct weft_attr {
    const char *name, *doc;
    size_t offset; // into the operator's attribute struct
    weft_attr_type type;
    int count;             // 0 or 1: one number; 2: y, x; 4: top, left, bottom, right
    double def, min, max;  // of INT, FLOAT and each number of LIST (min = max = 0: no limit). A LIST is empty by default.
    const char *choices;   // ENUM: "zero|reflect|replicate"; the first is the default
} weft_attr;
#define WEFT_ATTR(struct_, field, type_, ...) \
    { .name = #field, .offset = offsetof(struct_, field), .type = WEFT_ATTR_##type_, __VA_ARGS__ }
static inline int weft_attr_count(const weft_attr *a) { return a->count ? a->count : 1; }
enum { WEFT_MAX_ATTR_BYTES = 512 };

// --- A node: one use of an operator. ------------------------------------------------------------------------

// How a tensor lies in device memory: the order of its dimensions from slowest to fastest. On the CPU always ROW.
// Images lie channels innermost and packed: channels are not filled up to a multiple of 4, so that every strided kernel
// may read them. Kernels that gain from reading four channels at once ask whether the count is a multiple, and have a
// way for the others. Why this order: `git log --grep 'channels innermost'` has the figures.
typedef enum weft_layout {
    WEFT_ROW,   // as the shape says
    WEFT_IMAGE, // rank 4 [n, c, h, w] stored n, h, w, c
    WEFT_KERNEL, // rank 4 [o, i, y, x] stored y, x, i, o: a convolution's weights
    WEFT_KERNEL_T, // rank 4 [i, o, y, x] stored y, x, i, o: a transposed convolution's weights
} weft_layout;

typedef struct weft_node {
    const weft_op *op;
    const char *name;
    const void *attrs; // the operator's own struct, filled from its table
    int in_count, out_count;
    weft_value *in, *out; // in[i] is -1 where an optional input is left out
    // What the row's functions look at; filled before infer (inputs) and by infer (outputs).
    weft_shape *in_shape, *out_shape; // an absent input has rank 0 and dtype -1, also one past in_count that the row names
    int8_t *in_dtype, *out_dtype;     // WEFT_F32 or WEFT_I32
    // Only for emit: where things lie.
    int8_t *in_layout, *out_layout;
    const bool *in_constant; // this input is a weight
} weft_node;
static inline bool weft_has(const weft_node *n, int input) { return input < n->in_count && n->in[input] >= 0; }

// Fails with "conv2d 'enc.3': ...".
weft_result weft_node_fail(const weft_node *n, const char *format, ...) WEFT_PRINTF(2, 3);

// Strides in elements of an input or output as it lies in device memory.
void weft_layout_strides(weft_shape s, weft_layout layout, int64_t stride[WEFT_MAX_RANK]);

// --- CPU truth: plain packed arrays in row order, weft_real for F32 and int32_t for I32. ---------------------

typedef struct weft_cpu_args {
    void *const *out;
    const void *const *in; // NULL where absent
    int64_t begin, end;    // compute these of the row's items(n) independent pieces
} weft_cpu_args;

// --- Vulkan: what to dispatch, as data. vk/record.c turns it into commands, and nothing else does. -----------

enum { WEFT_MAX_OUT = 16 }; // outputs of a node
enum { WEFT_MAX_SPEC = 22, WEFT_MAX_BIND = 12, WEFT_MAX_PARAM_BYTES = 128 };

// What a dispatch reads and writes: an input or output of the node, or scratch memory.
typedef struct weft_bind {
    uint8_t kind;   // weft_bind_kind
    uint8_t writes; // the kernel writes it (outputs: always set)
    int32_t index;
    // Of an input or output, only this stretch, which begins where a tensor may: dispatches that write different ones do not wait for
    // each other. Elements here, bytes in a weft_step. count 0: all of it.
    uint64_t begin, count;
} weft_bind;
enum weft_bind_kind { WEFT_BIND_IN_, WEFT_BIND_OUT_, WEFT_BIND_SCRATCH_ };
#define WEFT_BIND_IN(i) { WEFT_BIND_IN_, 0, i, 0, 0 }
#define WEFT_BIND_OUT(i) { WEFT_BIND_OUT_, 1, i, 0, 0 }
#define WEFT_BIND_SCRATCH(i, writes_) { WEFT_BIND_SCRATCH_, writes_, i, 0, 0 }

typedef struct weft_dispatch {
    const char *kernel;           // shaders/<kernel>.comp
    uint32_t spec[WEFT_MAX_SPEC]; // constant_id 3 and up
    int spec_count;
    const void *params;           // shaders/params/<kernel>.h
    size_t params_bytes;
    uint32_t grid[3];  // invocations, not workgroups; 0 is 1. One-dimensional grids may be larger than 2^22: see LINEAR_ID.
    uint32_t group[3]; // workgroup size; {0}: 64 x 1 x 1
    uint32_t subgroup; // every subgroup must have exactly this size; 0: as the device likes
    weft_bind bind[WEFT_MAX_BIND]; // in the order of the kernel's bindings
    bool once;                     // not in every run but when the session is made: reads constants, writes kept scratch
    int bind_count;                // 0: the node's outputs, then its inputs (an absent one is bound to something unused)
    double flops;                  // for splitting long work; 0: the elements written
} weft_dispatch;

// Matrices f16 x f16 -> f32 as large as a workgroup's tile, which all of the workgroup shares.
enum { WEFT_MATRIX_FORMS = 4 };
typedef struct weft_matrix_form {
    uint32_t threads; // of the workgroup; 0: there is no such form
    uint32_t scope;   // of the matrices, as shaders name it: gl_ScopeWorkgroup, or gl_ScopeSubgroup where the workgroup is one subgroup
    uint32_t m, n, k; // their sizes are multiples of these
} weft_matrix_form;

// What the device can do. A zero struct is the smallest device: f32 only.
typedef struct weft_caps {
    bool f16_storage;
    bool int64;                  // 64-bit integers, to load two or four numbers at once
    uint32_t subgroup_size;      // 0: unknown
    bool subgroup_add;           // subgroups can add up, find maxima and shuffle
    uint32_t subgroup_sizes[2];  // the least and the largest that weft_dispatch.subgroup may be, with subgroups that can broadcast; 0: none
    uint32_t max_group;          // invocations per workgroup; at least 128
    uint32_t shared_bytes;       // at least 16384
    uint32_t range;              // bytes of a tensor that a kernel can reach; 0: unknown
    bool is_software;            // the driver runs on the processor
    bool few_registers;          // 64 sums of an invocation are too many to stay in registers; 32 are not
    uint32_t matrix[3];          // cooperative matrix m, n, k for f16 x f16 -> f32; 0: none
    uint32_t matrix_subgroup;    // the subgroup size to ask for in kernels of matrices
    weft_matrix_form matrix_form[WEFT_MATRIX_FORMS];
    uint32_t matrix_most;        // rows or columns of such a matrix
    uint32_t matrix_reserved;    // shared bytes that kernels with such matrices leave to the driver
    bool matrix_reduces;         // their rows can be reduced, and sums become factors
    const char *force;           // for tests: the way to take wherever there is one of that kernel or text (way.h); NULL: the best
} weft_caps;

// One of several ways to run a node: a kernel, and how it cuts the work. What the numbers mean is between a row's `ways` and its `emit`.
enum { WEFT_MAX_WAYS = 48, WEFT_WAY_CUTS = 5 };
typedef struct weft_way {
    const char *kernel; // lives for ever
    uint8_t cut[WEFT_WAY_CUTS];
} weft_way;

typedef struct weft_emit weft_emit;
weft_result weft_emit_dispatch(weft_emit *e, const weft_dispatch *d); // d and *d->params are copied
int weft_emit_scratch(weft_emit *e, int64_t elements, weft_dtype dtype); // device memory for this node alone; F32 follows
                                                                          // the node's storage, I32 and U8... do not
int weft_emit_kept(weft_emit *e, int64_t elements, weft_dtype dtype); // scratch that keeps what is in it from run to run
const weft_caps *weft_emit_caps(const weft_emit *e);
bool weft_emit_half(const weft_emit *e);           // the node's first float input is stored in f16
bool weft_emit_packed(const weft_emit *e, int input); // this input, of the row's half_inputs, is stored in f16 and all else in f32
const weft_way *weft_emit_way(const weft_emit *e); // the one to take, of those that the row lists; NULL: it lists none
// For rows that do the work of two: has another row emit `part`, by that way of its list. The part's inputs and outputs are the node's, or
// scratch memory of the node, for which weft_emit_scratch_value stands; its constants that lie in f16 have the node's numbers.
weft_result weft_emit_part(weft_emit *e, const weft_node *part, const weft_way *way);
// Likewise for a part that reads or makes but a stretch of the node's values, which begins where a tensor may: `count` elements from `begin` on.
typedef struct weft_stretch {
    weft_value value;
    int64_t begin, count;
} weft_stretch;
weft_result weft_emit_stretches(weft_emit *e, const weft_node *part, const weft_way *way, const weft_stretch *list, int count);
weft_value weft_emit_scratch_value(const weft_emit *e, int scratch);

// --- The row. ----------------------------------------------------------------------------------------------

enum weft_op_flags {
    WEFT_OP_ALIAS = 1,   // output 0 is input 0, or a stretch of it, in other clothes (reshape): no kernel, no copy
    WEFT_OP_STRIDED = 2, // the kernel follows strides: inputs and outputs may lie in any layout
    WEFT_OP_IMAGE = 4,   // every rank-4 input that is not a kernel, and every rank-4 output, lies in WEFT_IMAGE
    WEFT_OP_F32 = 8,     // in and out are stored in f32 even when the session is fast
    WEFT_OP_INTERNAL = 16, // made by passes, never found in files
    WEFT_OP_INTEGERS = 128, // inputs may be I32, and the row says which; without it every input must be F32
    WEFT_OP_STEP = 64,     // piecewise constant (floor, comparisons, argmax): its derivative is zero
    // An output may lie where an input of its shape lies: element i of the outputs depends on element i of such inputs and no other,
    // and what belongs to i is read before any of it is written, by one thread. On devices that is one dispatch, whose kernel
    // declares neither `restrict`: it defines IN_PLACE before glsl/tensor.glsl.
    WEFT_OP_INPLACE = 256,
    WEFT_OP_CONVERT = 32,  // the one row that moves a tensor to another layout and storage: its output is its input
};

struct weft_case;
struct weft_op {
    const char *name, *doc; // doc: Markdown, the formula first, then the source
    // "y", "x w b?": the GLSL names too. ? marks optional; a last "x..." stands for one or more.
    const char *out_names, *in_names;
    size_t attr_bytes;
    const weft_attr *attrs; // ends with {0}
    uint32_t flags;
    uint32_t kernel_inputs, kernel_t_inputs; // bit i: input i lies in WEFT_KERNEL / WEFT_KERNEL_T (rank 4)
    uint32_t half_inputs; // bit i: where input i is a weight stored in f16, the kernels of f32 take it as it is: weft_emit_packed
    uint32_t row_outputs; // bit k: output k lies in WEFT_ROW whatever the flags say
    int64_t (*alias_begin)(const weft_node *n);              // WEFT_OP_ALIAS: the element of input 0 that output 0 begins at; NULL: 0
    int (*outputs)(const void *attrs);                       // NULL: as many as out_names has
    weft_result (*infer)(weft_node *n);                      // in_shape, attrs -> out_shape, out_dtype (preset F32)
    int64_t (*items)(const weft_node *n);                    // independent pieces for threads; NULL: 1
    void (*cpu)(const weft_node *n, const weft_cpu_args *a); // the truth: plain loops, double accumulators
    // What emit can do with this node on this device, the best guess first; a tuner may know better. At least one, each of which serves,
    // and always the same list for the same node and device. NULL: there is one way. Gives how many.
    int (*ways)(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS]);
    weft_result (*emit)(const weft_node *n, weft_emit *e);   // or:
    // Says the operator in terms of others, in place: writes its outputs' values to `out`. Devices run the expansion,
    // the reference runs `cpu`; the tests hold the two together.
    weft_result (*expand)(const weft_node *n, weft_graph *g, weft_value *out);
    // For gradients: says a node with an epilogue in rows without; out[0] stays -1 where there is nothing to take apart.
    weft_result (*unfuse)(const weft_node *n, weft_graph *g, weft_value *out);
    // Reverse mode: adds to `g`, which holds the node, what its inputs receive. dy[k] is d loss / d output k, -1: none flows.
    // dx[i] is -1 at first and stays so where want[i] is false or nothing flows; otherwise it gets the input's shape.
    weft_result (*grad)(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);
    double (*flops)(const weft_node *n); // NULL: one per output element
    const struct weft_case *cases;       // shapes that test and benchmark this row; end with {0}
    double tolerance;                    // CPU against Vulkan at f32, |a - b| / |b| as norms; 0: 1e-5
    int index;                           // within a family
    const weft_op *slope_of;             // of inputs x, y, dy: the row whose derivative at x, where its value is y, this one multiplies dy with; NULL: none
};

enum { WEFT_CASE_INPUTS = 9 };
typedef struct weft_case {
    weft_shape in[WEFT_CASE_INPUTS]; // rank 0 ends the list, unless `in_count` says otherwise
    const void *attrs;               // NULL: the defaults
    int in_count;                    // 0: up to the first rank-0 shape
    uint32_t absent;                 // bit i: input i is left out
    uint32_t integers;               // bit i: input i is I32, drawn from [low, high)
    uint32_t masks;                  // bit i: input i is 0 or 1
    double low, high;                // of uniform inputs; 0, 0: [-1, 1)
    uint32_t rough;                  // bit i: the gradient by input i is not the limit of differences (rounding)
} weft_case;

const weft_op *weft_op_find(const char *name); // NULL: none
const weft_op *weft_op_at(int index);          // NULL: past the end
