// SPDX-License-Identifier: MIT
#include "graph/program.h"
#include <string.h>

struct weft_emit {
    weft_arena *arena;
    const weft_graph *graph;
    const weft_caps *caps;
    weft_program *program;
    const weft_node *whole; // the graph's
    const weft_node *node;  // that is emitted: `whole` or a part of it
    weft_dtype storage; // of the node's f32 outputs
    bool half;          // of its first float input that is none of the row's half_inputs
    const char *variant;
    const weft_chooser *chooser;
    const weft_way *way; // NULL: the row has one alone
    char way_text[WEFT_WAY_TEXT];
    int first_scratch;  // buffers of this node begin here
    const weft_stretch *stretches; // of which values a part sees no more than that
    int stretch_count;
};

const weft_caps *weft_emit_caps(const weft_emit *e) { return e->caps; }
bool weft_emit_half(const weft_emit *e) { return e->half; }

bool weft_emit_packed(const weft_emit *e, int input)
{
    return weft_has(e->node, input) && !e->half && e->graph->values[e->node->in[input]].storage == WEFT_F16;
}

const weft_way *weft_emit_way(const weft_emit *e) { return e->way; }

static size_t element_bytes(int storage) { return storage == WEFT_F16 ? 2 : 4; }

static int add_buffer(weft_emit *e, weft_buffer b)
{
    weft_program *p = e->program;
    weft_buffer *buffers = weft_arena_grow(e->arena, p->buffers, p->buffer_count, sizeof *buffers);
    if (!buffers) return -1;
    p->buffers = buffers;
    p->buffers[p->buffer_count] = b;
    return p->buffer_count++;
}

int weft_emit_scratch(weft_emit *e, int64_t elements, weft_dtype dtype)
{
    const weft_dtype stored = dtype == WEFT_F32 ? e->storage : dtype;
    const int b = add_buffer(e, (weft_buffer) { .value = -1, .same_as = -1, .bytes = (size_t) elements * element_bytes(stored),
                                                .first = e->program->step_count, .last = e->program->step_count });
    return b < 0 ? -1 : b - e->first_scratch;
}

int weft_emit_kept(weft_emit *e, int64_t elements, weft_dtype dtype)
{
    const int b = weft_emit_scratch(e, elements, dtype);
    if (b >= 0) e->program->buffers[e->first_scratch + b].kept = true;
    return b;
}

// Inputs the kernel sees: all the row names, also where the last ones were not even mentioned.
static int bound_inputs(const weft_node *n)
{
    int names = *n->op->in_names != 0;
    for (const char *c = n->op->in_names; *c; c++) names += *c == ' ';
    return n->in_count && names > n->in_count ? names : n->in_count;
}

// The binds of a row that names none: outputs, then inputs. An input that is left out gets the first one's buffer.
static void default_binds(const weft_node *n, weft_dispatch *d)
{
    for (int k = 0; k < n->out_count; k++) d->bind[d->bind_count++] = (weft_bind) WEFT_BIND_OUT(k);
    for (int k = 0; k < bound_inputs(n); k++) d->bind[d->bind_count++] = (weft_bind) WEFT_BIND_IN(weft_has(n, k) ? k : 0);
}

static int buffer_of(const weft_emit *e, weft_bind b)
{
    if (b.kind == WEFT_BIND_OUT_) return e->node->out[b.index];
    if (b.kind == WEFT_BIND_IN_) return e->node->in[weft_has(e->node, b.index) ? b.index : 0];
    return e->first_scratch + b.index;
}

static void set_stretch(const weft_emit *e, weft_bind *b) // index: of a buffer
{
    if (b->index >= e->graph->value_count) return; // scratch, also where a part has it as an input
    const size_t each = element_bytes(e->graph->values[b->index].storage);
    for (int i = 0; i < e->stretch_count; i++) {
        if (e->stretches[i].value != b->index) continue;
        b->begin += (uint64_t) e->stretches[i].begin;
        if (!b->count) b->count = (uint64_t) e->stretches[i].count;
    }
    b->begin *= each, b->count *= each;
}

weft_result weft_emit_dispatch(weft_emit *e, const weft_dispatch *d)
{
    weft_program *p = e->program;
    weft_step s = { .node = e->whole, .dispatch = *d, .variant = e->variant };
    weft_step **list = d->once ? &p->once : &p->steps;
    int *count = d->once ? &p->once_count : &p->step_count;
    weft_step *steps = weft_arena_grow(e->arena, *list, *count, sizeof *steps);
    s.dispatch.params = weft_arena_copy(e->arena, d->params, d->params_bytes);
    if (!steps || !s.dispatch.params) return WEFT_ERR_MEMORY;
    memcpy(s.way, e->way_text, sizeof s.way);
    if (d->params_bytes > WEFT_MAX_PARAM_BYTES) return weft_node_fail(e->node, "kernel %s has %zu bytes of parameters", d->kernel, d->params_bytes);
    if (!d->bind_count && bound_inputs(e->node) + e->node->out_count > WEFT_MAX_BIND)
        return weft_node_fail(e->node, "%d inputs are more than kernel %s takes", bound_inputs(e->node), d->kernel);
    if (!d->bind_count) default_binds(e->node, &s.dispatch);
    for (int i = 0; i < s.dispatch.bind_count; i++) {
        weft_bind *b = &s.dispatch.bind[i];
        b->index = buffer_of(e, *b);
        set_stretch(e, b);
        if (d->once) continue;
        weft_buffer *buffer = &p->buffers[weft_program_root(p, b->index)];
        if (buffer->last < p->step_count) buffer->last = p->step_count;
        if (b->writes && buffer->first > p->step_count) buffer->first = p->step_count;
    }
    for (int k = 0; k < 3; k++) {
        if (!s.dispatch.grid[k]) s.dispatch.grid[k] = 1;
        if (!s.dispatch.group[k]) s.dispatch.group[k] = k == 0 && !d->group[1] ? 64 : 1;
    }
    s.flops = d->flops > 0 ? d->flops : (double) s.dispatch.grid[0] * s.dispatch.grid[1] * s.dispatch.grid[2];
    *list = steps;
    steps[(*count)++] = s;
    return WEFT_OK;
}

// Storage of the first of these values that is not an integer, bits of `without` left out; `otherwise` if there is none.
static weft_dtype float_storage(const weft_graph *g, const weft_value *values, int count, uint32_t without, weft_dtype otherwise)
{
    for (int i = 0; i < count; i++)
        if (!(i < 32 && without >> i & 1) && values[i] >= 0 && g->values[values[i]].storage != WEFT_I32) return (weft_dtype) g->values[values[i]].storage;
    return otherwise;
}

static void choose_variant(weft_emit *e, const weft_node *n)
{
    static const char *const names[2][2] = { { "f32", "f32_f16" }, { "f16_f32", "f16" } };
    const weft_dtype out = float_storage(e->graph, n->out, n->out_count, 0, WEFT_F32);
    const weft_dtype in = float_storage(e->graph, n->in, n->in_count, n->op->half_inputs, out);
    e->storage = float_storage(e->graph, n->out, n->out_count, 0, in);
    e->half = in == WEFT_F16;
    e->variant = names[in == WEFT_F16][e->storage == WEFT_F16];
}

weft_value weft_emit_scratch_value(const weft_emit *e, int scratch) { return e->first_scratch + scratch; } // as default_binds and buffer_of take it

weft_result weft_emit_stretches(weft_emit *e, const weft_node *part, const weft_way *way, const weft_stretch *list, int count)
{
    e->stretches = list, e->stretch_count = count;
    const weft_result r = weft_emit_part(e, part, way);
    e->stretch_count = 0;
    return r;
}

weft_result weft_emit_part(weft_emit *e, const weft_node *part, const weft_way *way)
{
    const weft_node *node = e->node;
    const weft_way *taken = e->way;
    e->node = part, e->way = way;
    const weft_result r = part->op->emit(part, e);
    e->node = node, e->way = taken;
    return r;
}

static int forced(const char *force, const weft_way *ways, int count)
{
    char text[WEFT_WAY_TEXT];
    for (int i = 0; i < count; i++)
        if (!strcmp(force, ways[i].kernel) || !strcmp(force, weft_way_text(&ways[i], text))) return i;
    return 0;
}

static weft_result choose_way(weft_emit *e, const weft_node *n, weft_way list[WEFT_MAX_WAYS])
{
    int chosen = 0;
    e->way = NULL;
    e->way_text[0] = 0;
    if (!n->op->ways) return WEFT_OK;
    const int count = n->op->ways(n, e, list);
    if (count < 1) return weft_node_fail(n, "has no way to run on this device");
    if (e->caps->force) chosen = forced(e->caps->force, list, count);
    else if (e->chooser && count > 1) {
        char key[WEFT_NODE_KEY];
        weft_node_key(e->graph, n, key);
        chosen = e->chooser->choose(e->chooser->user, n, key, list, count);
    }
    e->way = &list[chosen];
    weft_way_text(e->way, e->way_text);
    return WEFT_OK;
}

static weft_result emit_node(weft_emit *e, const weft_node *n)
{
    weft_way ways[WEFT_MAX_WAYS];
    e->node = e->whole = n;
    e->first_scratch = e->program->buffer_count;
    choose_variant(e, n);
    if (n->op->flags & WEFT_OP_ALIAS) {
        e->program->buffers[n->out[0]].same_as = n->in[0];
        if (n->op->alias_begin) e->program->buffers[n->out[0]].begin = (size_t) n->op->alias_begin(n) * element_bytes(e->graph->values[n->out[0]].storage);
        return WEFT_OK;
    }
    if (!n->op->emit) return weft_node_fail(n, "has no kernel"), WEFT_ERR_UNSUPPORTED;
    WEFT_TRY(choose_way(e, n, ways));
    const int before = e->program->step_count;
    WEFT_TRY(n->op->emit(n, e));
    for (int b = e->first_scratch; b < e->program->buffer_count; b++) { // scratch lives for the whole node
        e->program->buffers[b].first = before;
        e->program->buffers[b].last = e->program->step_count - 1;
    }
    return WEFT_OK;
}

weft_result weft_program_build(const weft_graph *g, const weft_caps *caps, const weft_chooser *chooser, weft_arena *arena,
                               weft_program *out)
{
    weft_emit e = { .arena = arena, .graph = g, .caps = caps, .chooser = chooser, .program = out };
    *out = (weft_program) { 0 };
    for (int v = 0; v < g->value_count; v++) {
        const weft_value_def *def = &g->values[v];
        if (add_buffer(&e, (weft_buffer) { .value = v, .same_as = -1, .constant = def->weight != NULL, .first = INT32_MAX, .last = -1,
                                           .bytes = (size_t) weft_shape_count(def->shape) * element_bytes(def->storage) }) < 0)
            return WEFT_ERR_MEMORY;
    }
    for (int i = 0; i < g->input_count; i++) out->buffers[g->inputs[i].value].port = true;
    for (int i = 0; i < g->output_count; i++) out->buffers[g->outputs[i].value].port = true;
    for (int i = 0; i < g->node_count; i++) WEFT_TRY(emit_node(&e, &g->nodes[i]));
    for (int i = 0; i < g->input_count; i++) out->buffers[g->inputs[i].value].first = -1; // written before the first step
    for (int i = 0; i < g->output_count; i++) out->buffers[weft_program_root(out, g->outputs[i].value)].last = out->step_count; // read after the last
    for (int b = g->value_count; b < out->buffer_count; b++)
        if (out->buffers[b].kept) out->buffers[b].first = -1, out->buffers[b].last = out->step_count;
    return arena->failed ? WEFT_ERR_MEMORY : WEFT_OK;
}
