// SPDX-License-Identifier: MIT
// What a driver's compiler makes of every kernel: which pipelines programs want, what they cost, and the table that is kept of it.
#pragma once
#include "graph/program.h"
#include "vk/inside.h"
#include <stdio.h>

typedef struct wanted { // a pipeline
    weft_dispatch dispatch; // kernel, spec, group and bind_count count
    char variant[16];
    char way[WEFT_WAY_TEXT];
    char from[80];          // the first program that wants it
} wanted;

typedef struct collection {
    weft_context *ctx;
    const weft_caps *caps;
    wanted *list;
    int count;
    int programs, refused; // refused: gradients that do not exist, shapes that a row does not take
    float *zeros;          // what weights point at
    size_t zero_bytes;
} collection;

// Every case of every row - inputs as ports, as weights and as images - and its gradient, in f32 and in f16, with every way.
weft_result collect_rows(collection *c);
// The layers in a file: "NAME OPERATOR port@1,3,8,8 weight:4,3,3,3 attribute=value ...".
weft_result collect_layers(collection *c, const char *path);
// Every entry of a model at its preset sizes, and its gradient by its inputs.
weft_result collect_model(collection *c, const char *path);
// Kernels that are built and that nothing above wants, such as "conv_subgroup.f16".
int collect_unwanted(const collection *c, void (*each)(const char *kernel));
void collection_free(collection *c);

// -1: the driver does not say.
typedef struct figures {
    int subgroup;   // invocations
    int registers;  // of an invocation (AMD: VGPRs; Intel: of 32 or 64 bytes, of a subgroup)
    int scalars;    // AMD: SGPRs
    int spills;     // registers that did not fit
    int scratch;    // bytes of memory of an invocation (Intel: of a subgroup)
    int shared;     // bytes of a workgroup
    int code;       // bytes
    int instructions;
    int waves;      // subgroups in flight: AMD per SIMD, NVIDIA per multiprocessor
    int latency;    // cycles of a run through the code as the compiler guesses them
} figures;

enum { FIGURES = 10 };
extern const char *const figure_names[FIGURES]; // in the order of the struct

// raw: prints what the driver says, as it says it. made: the pipeline.
weft_result inspect(weft_vk_device *dev, const wanted *w, bool raw, figures *out, VkPipeline *made);

// What the loop is made of in which a kernel spends its time. Of an invocation, in one turn of the loop.
typedef struct mix {
    int all, vector, fma; // instructions; those that are not the scalar unit's, where there is one; multiplications with an addition
    int shared, global;   // bytes loaded from shared and from global memory
} mix;

// What a pipeline was compiled to, as text; NULL: the driver does not say. The device's `texts` must be set before it is made.
weft_result mix_text(weft_vk_device *dev, VkPipeline pipeline, char **out);
// turns: of the innermost loop, unless it was unrolled, in one turn of that around it. All zeros: nothing is known.
weft_result mix_measure(weft_vk_device *dev, VkPipeline pipeline, int turns, mix *out);

// --- The table: one line for a kernel, its storage and the way it is cut, with the worst figures of its pipelines. ---

enum { LABEL = 96 };
typedef struct row {
    char label[LABEL]; // "conv_tile.f16 8 8 1"
    int pipelines;
    figures worst;
} row;
typedef struct table {
    char driver[128]; // "radv Mesa 22.3.6"
    row *rows;
    int count;
} table;

weft_result table_add(table *t, const char *label, const figures *f); // to the row of that name
void table_sort(table *t);
weft_result table_write(const table *t, const char *path);
void table_print(const table *t);
weft_result table_read(table *t, const char *path); // WEFT_ERR_IO: there is none
// Prints what changed from `kept` to `now`; gives how many rows got worse by more than a margin.
int table_compare(const table *kept, const table *now);
void table_free(table *t);
