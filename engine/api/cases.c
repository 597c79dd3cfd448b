// SPDX-License-Identifier: MIT
// The rows' own cases as models: see <weft/measure.h>.
#include "base/half.h"
#include "base/random.h"
#include "graph/model.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/measure.h>

static const weft_case *case_of(const weft_op *op, int index)
{
    if (!op || !op->cases || op->flags & WEFT_OP_CONVERT) return NULL;
    for (const weft_case *c = op->cases; c->in[0].rank || c->in_count; c++)
        if (index-- == 0) return c;
    return NULL;
}

int weft_op_case_count(const char *op)
{
    const weft_op *row = op ? weft_op_find(op) : NULL;
    int n = 0;
    while (case_of(row, n)) n++;
    return n;
}

static int input_count(const weft_case *c)
{
    int n = c->in_count;
    while (!c->in_count && n < WEFT_CASE_INPUTS && c->in[n].rank) n++;
    return n;
}

// The letter by which the row calls an input; 0: a longer name.
static char letter_of(const weft_op *op, int input)
{
    const char *name = op->in_names;
    for (int i = 0; i < input && *name; i++) name += strcspn(name, " "), name += *name == ' ';
    return strcspn(name, " ?.") == 1 ? *name : 0;
}

// Weights, and biases of rows that have weights: what networks have as constants, so that devices may lay them out beforehand.
static bool is_weight(const weft_op *op, const weft_case *c, int input)
{
    const char letter = letter_of(op, input);
    bool weighted = false;
    for (int i = 1; i < input_count(c); i++) weighted |= letter_of(op, i) == 'w';
    return weighted && input > 0 && (letter == 'w' || letter == 'b') && !(c->integers >> input & 1);
}

// Numbers that f16 can hold, so that storing them in f16 changes nothing.
static void fill(const weft_case *c, int input, uint32_t seed, void *data, int64_t count)
{
    weft_random rng = { 0x5eed + ((uint64_t) seed << 32) + (uint64_t) input };
    const bool whole = c->integers >> input & 1, mask = c->masks >> input & 1, none = c->low == 0 && c->high == 0;
    const double low = none ? (whole ? 0 : -1) : c->low, high = none ? 1 : c->high;
    for (int64_t i = 0; i < count; i++) {
        const double u = weft_random_uniform(&rng, low, high);
        if (mask) ((float *) data)[i] = weft_random_u32(&rng) >> 31 ? 1.0f : 0.0f;
        else if (whole) ((int32_t *) data)[i] = (int32_t) floor(u);
        else ((float *) data)[i] = weft_half_to_float(weft_float_to_half((float) u));
    }
}

static const weft_weight *case_weight(weft_arena *a, const weft_case *c, int input, const char *name)
{
    const int64_t count = weft_shape_count(c->in[input]);
    float *data = weft_arena_new(a, (size_t) count * sizeof *data + 1);
    weft_weight *w = weft_arena_new(a, sizeof *w);
    if (!data || !w) return NULL;
    fill(c, input, 0, data, count);
    *w = (weft_weight) { name, WEFT_F32, c->in[input], data, (size_t) count * 4 };
    return w;
}

static weft_result build(weft_model *m, const weft_op *op, const weft_case *c)
{
    static const char *const names[WEFT_CASE_INPUTS] = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8" };
    weft_arena *a = &m->arena;
    weft_value in[WEFT_CASE_INPUTS];
    const int count = input_count(c);
    weft_entry *e = weft_arena_new(a, sizeof *e);
    if (!e) return WEFT_ERR_MEMORY;
    e->name = "main";
    weft_graph_init(&e->graph, a);
    m->entries = e, m->entry_count = 1;
    for (int i = 0; i < count; i++) {
        in[i] = -1;
        if (c->absent >> i & 1) continue;
        const weft_weight *w = is_weight(op, c, i) ? case_weight(a, c, i, names[i]) : NULL;
        if (is_weight(op, c, i) && !w) return WEFT_ERR_MEMORY;
        in[i] = w ? weft_graph_constant(&e->graph, w) : weft_graph_input(&e->graph, names[i], c->integers >> i & 1 ? WEFT_I32 : WEFT_F32, c->in[i]);
    }
    e->graph.name_prefix = op->name;
    const weft_value y = weft_graph_op(&e->graph, op, in, count, c->attrs);
    WEFT_TRY(weft_graph_status(&e->graph));
    for (int k = 0; k < e->graph.nodes[e->graph.node_count - 1].out_count; k++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", k);
        const char *kept = weft_arena_text(a, name);
        if (!kept) return WEFT_ERR_MEMORY;
        weft_graph_output(&e->graph, kept, y + k);
    }
    WEFT_TRY(weft_graph_status(&e->graph));
    return weft_model_seal(m);
}

weft_result weft_op_case_model(weft_context *ctx, const char *op, int index, weft_model **out)
{
    if (!ctx || !op || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_op_case_model: an argument is NULL");
    const weft_op *row = weft_op_find(op);
    const weft_case *c = index >= 0 ? case_of(row, index) : NULL;
    if (!c) return weft_fail(WEFT_ERR_ARGUMENT, row ? "%s has no case %d" : "there is no operator '%s'", op, index);
    weft_model *m;
    WEFT_TRY(weft_model_new(ctx, &m));
    const weft_result r = build(m, row, c);
    if (r != WEFT_OK) return weft_model_release(m), r;
    *out = m;
    return WEFT_OK;
}

weft_result weft_op_case_fill(const char *op, int index, const char *port, uint32_t seed, void *data, size_t count)
{
    if (!op || !port || !data) return weft_fail(WEFT_ERR_ARGUMENT, "weft_op_case_fill: an argument is NULL");
    const weft_case *c = index >= 0 ? case_of(weft_op_find(op), index) : NULL;
    const int input = c && port[0] == 'x' && port[1] >= '0' && port[1] < '0' + WEFT_CASE_INPUTS && !port[2] ? port[1] - '0' : -1;
    if (input < 0 || input >= input_count(c)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_op_case_fill: %s, case %d has no input '%s'", op, index, port);
    fill(c, input, seed, data, (int64_t) count);
    return WEFT_OK;
}
