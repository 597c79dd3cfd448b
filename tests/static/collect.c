// SPDX-License-Identifier: MIT
#include "static/figures.h"
#include "graph/grad.h"
#include "graph/lower.h"
#include "graph/model.h"
#include <stdlib.h>
#include <string.h>

extern const struct weft_kernel_spirv { const char *name; const uint32_t *words; size_t bytes; } weft_kernels_spirv[];

static bool same(const weft_dispatch *a, const weft_dispatch *b)
{
    return !strcmp(a->kernel, b->kernel) && a->spec_count == b->spec_count && !memcmp(a->group, b->group, sizeof a->group) &&
           !memcmp(a->spec, b->spec, sizeof *a->spec * (size_t) a->spec_count);
}

// As the device looks it up: a kernel with a single variant, f32, serves every storage.
static const char *variant_of(const char *kernel, const char *variant)
{
    const size_t n = strlen(kernel);
    int found = 0;
    bool wanted = false;
    for (int i = 0; weft_kernels_spirv[i].name; i++) {
        if (strncmp(weft_kernels_spirv[i].name, kernel, n) || weft_kernels_spirv[i].name[n] != '.') continue;
        found++;
        wanted |= !strcmp(weft_kernels_spirv[i].name + n + 1, variant);
    }
    return found == 1 && !wanted ? "f32" : variant;
}

static weft_result add(collection *c, const weft_step *s, const char *from)
{
    const weft_dispatch *d = &s->dispatch;
    const char *variant = variant_of(d->kernel, s->variant);
    for (int i = c->count - 1; i >= 0; i--)
        if (same(d, &c->list[i].dispatch) && !strcmp(variant, c->list[i].variant)) return WEFT_OK;
    if (!(c->count & (c->count - 1))) {
        wanted *more = realloc(c->list, sizeof *more * (size_t) (c->count ? 2 * c->count : 1));
        if (!more) return WEFT_ERR_MEMORY;
        c->list = more;
    }
    wanted *w = &c->list[c->count++];
    *w = (wanted) { .dispatch = *d };
    snprintf(w->variant, sizeof w->variant, "%s", variant);
    snprintf(w->way, sizeof w->way, "%s", s->way);
    snprintf(w->from, sizeof w->from, "%s", from);
    return WEFT_OK;
}

typedef struct turn { int way; bool more; } turn; // takes way `way` of every node that has so many
static int take(void *user, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    turn *t = user;
    (void) n, (void) key, (void) ways;
    t->more |= t->way + 1 < count;
    return t->way < count ? t->way : 0;
}

static weft_result collect_physical(collection *c, const weft_graph *lowered, weft_half half, weft_arena *arena, const char *from)
{
    weft_graph physical;
    weft_graph_init(&physical, arena);
    WEFT_TRY(weft_pass_physical(lowered, half, &physical));
    turn t = { 0, true };
    for (; t.more; t.way++) {
        weft_program p;
        t.more = false;
        WEFT_TRY(weft_program_build(&physical, c->caps, &(weft_chooser) { take, &t }, arena, &p));
        for (int i = 0; i < p.step_count; i++) WEFT_TRY(add(c, &p.steps[i], from));
        c->programs++;
    }
    return WEFT_OK;
}

static weft_result collect_graph(collection *c, const weft_graph *bound, bool fuse, const char *from)
{
    weft_arena arena = { .ctx = c->ctx };
    weft_graph lowered;
    weft_graph_init(&lowered, &arena);
    weft_result r = weft_lower_device(bound, c->ctx->pool, fuse, &lowered);
    if (r == WEFT_OK) r = collect_physical(c, &lowered, WEFT_HALF_NONE, &arena, from);
    if (r == WEFT_OK && c->caps->f16_storage) r = collect_physical(c, &lowered, WEFT_HALF_ALL, &arena, from);
    weft_arena_free(&arena);
    return r;
}

// The gradient by every f32 input and, with `weights`, by every weight; a graph that has none is counted and passed over.
static weft_result collect_gradient(collection *c, const weft_graph *bound, bool weights, const char *from)
{
    weft_arena arena = { .ctx = c->ctx };
    weft_graph gradient;
    char text[80];
    bool *cotangents = weft_arena_new(&arena, (size_t) bound->output_count + 1);
    weft_value *wrt = weft_arena_new(&arena, sizeof *wrt * (size_t) (bound->value_count + 1));
    weft_grad_request request = { cotangents, -1, wrt, 0 };
    if (!cotangents || !wrt) return weft_arena_free(&arena), WEFT_ERR_MEMORY;
    for (int i = 0; i < bound->output_count; i++) cotangents[i] = bound->values[bound->outputs[i].value].dtype == WEFT_F32;
    for (int i = 0; i < bound->input_count; i++)
        if (bound->values[bound->inputs[i].value].dtype == WEFT_F32) wrt[request.wrt_count++] = bound->inputs[i].value;
    for (int v = 0; v < bound->value_count && weights; v++)
        if (bound->values[v].weight && bound->values[v].dtype == WEFT_F32) wrt[request.wrt_count++] = v;
    weft_graph_init(&gradient, &arena);
    snprintf(text, sizeof text, "d %.70s", from);
    weft_result r = request.wrt_count ? weft_pass_grad(bound, &request, &gradient) : WEFT_ERR_UNSUPPORTED;
    if (r == WEFT_OK) r = collect_graph(c, &gradient, true, text);
    if (r == WEFT_ERR_UNSUPPORTED || r == WEFT_ERR_ARGUMENT) c->refused++, r = WEFT_OK;
    weft_arena_free(&arena);
    return r;
}

// --- Graphs of one node. ---

static weft_result constant(collection *c, weft_graph *g, const char *name, weft_dtype dtype, weft_shape shape, weft_value *out)
{
    const size_t bytes = (size_t) weft_shape_count(shape) * 4;
    if (bytes > c->zero_bytes) return weft_fail(WEFT_ERR_ARGUMENT, "a weight of %zu bytes is more than this check makes", bytes);
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    if (!w) return WEFT_ERR_MEMORY;
    *w = (weft_weight) { name, dtype, shape, c->zeros, bytes };
    *out = weft_graph_constant(g, w);
    return WEFT_OK;
}

// The same value out of a convolution with one weight per channel: it lies as convolutions leave it.
static weft_result as_image(collection *c, weft_graph *g, weft_value x, int64_t channels, weft_value *out)
{
    const weft_op *conv = weft_op_find("conv2d");
    const double groups = (double) channels;
    _Alignas(16) unsigned char attrs[WEFT_MAX_ATTR_BYTES] = { 0 };
    weft_value w = -1;
    weft_attr_defaults(conv, attrs);
    WEFT_TRY(weft_attr_set(conv, attrs, "groups", NULL, &groups, 1));
    WEFT_TRY(constant(c, g, "ones", WEFT_F32, (weft_shape) { 4, { channels, 1, 1, 1 } }, &w));
    *out = weft_graph_op(g, conv, (weft_value[]) { x, w }, 2, attrs);
    return WEFT_OK;
}

enum form { PORTS, WEIGHTS, IMAGES, FORMS };
typedef struct made_node {
    const weft_op *op;
    const void *attrs;
    weft_shape shape[WEFT_CASE_INPUTS];
    bool absent[WEFT_CASE_INPUTS], integers[WEFT_CASE_INPUTS], weight[WEFT_CASE_INPUTS];
    int count;
    bool images; // rank-4 inputs come out of convolutions
} made_node;

static weft_result make_graph(collection *c, const made_node *m, weft_graph *g)
{
    static const char *const names[WEFT_CASE_INPUTS] = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8" };
    weft_value in[WEFT_CASE_INPUTS];
    g->bound = true;
    for (int i = 0; i < m->count; i++) {
        const weft_dtype dtype = m->integers[i] ? WEFT_I32 : WEFT_F32;
        in[i] = -1;
        if (m->absent[i]) continue;
        if (m->weight[i]) WEFT_TRY(constant(c, g, names[i], dtype, m->shape[i], &in[i]));
        else in[i] = weft_graph_input(g, names[i], dtype, m->shape[i]);
        if (m->images && m->shape[i].rank == 4 && !m->integers[i]) WEFT_TRY(as_image(c, g, in[i], m->shape[i].dim[1], &in[i]));
    }
    const weft_value y = weft_graph_op(g, m->op, in, m->count, m->attrs);
    WEFT_TRY(weft_graph_status(g));
    for (int k = 0; k < g->nodes[g->node_count - 1].out_count; k++) weft_graph_output(g, weft_arena_print(g->arena, "y%d", k), y + k);
    return weft_graph_status(g);
}

static weft_result collect_node(collection *c, const made_node *m, const char *from)
{
    weft_arena arena = { .ctx = c->ctx };
    weft_graph g;
    weft_graph_init(&g, &arena);
    weft_result r = make_graph(c, m, &g);
    if (r == WEFT_OK) r = collect_graph(c, &g, !m->images, from); // or the convolution would do the row's work
    if (r == WEFT_OK) r = collect_gradient(c, &g, true, from);
    weft_arena_free(&arena);
    return r;
}

static weft_result collect_case(collection *c, const weft_op *op, const weft_case *k, int index)
{
    made_node m = { .op = op, .attrs = k->attrs, .count = k->in_count };
    char from[80];
    bool image = false;
    if (!op->emit && !op->expand) return WEFT_OK;
    while (!k->in_count && m.count < WEFT_CASE_INPUTS && k->in[m.count].rank) m.count++;
    for (int i = 0; i < m.count; i++) {
        m.shape[i] = k->in[i], m.absent[i] = k->absent >> i & 1, m.integers[i] = k->integers >> i & 1;
        image |= k->in[i].rank == 4 && !m.integers[i];
    }
    snprintf(from, sizeof from, "%s case %d", op->name, index);
    for (int form = 0; form < FORMS; form++) {
        if ((form == WEIGHTS && m.count < 2) || (form == IMAGES && !(image && op->flags & WEFT_OP_STRIDED))) continue;
        m.images = form == IMAGES;
        for (int i = 0; i < m.count; i++) m.weight[i] = form == WEIGHTS && i;
        WEFT_TRY(collect_node(c, &m, from));
    }
    return WEFT_OK;
}

enum { ZERO_BYTES = 128 << 20 };
static weft_result need_zeros(collection *c)
{
    if (!c->zeros && !(c->zeros = calloc(1, ZERO_BYTES))) return WEFT_ERR_MEMORY;
    c->zero_bytes = ZERO_BYTES;
    return WEFT_OK;
}

weft_result collect_rows(collection *c)
{
    const weft_op *op;
    WEFT_TRY(need_zeros(c));
    for (int i = 0; (op = weft_op_at(i)); i++) {
        int index = 0;
        for (const weft_case *k = op->cases; k && (k->in[0].rank || k->in_count); k++) WEFT_TRY(collect_case(c, op, k, index++));
    }
    return WEFT_OK;
}

// --- A file of layers. ---

static int input_index(const weft_op *op, const char *name, size_t bytes)
{
    int index = 0;
    for (const char *at = op->in_names; *at; index++) {
        const size_t n = strcspn(at, " ?.");
        if (n == bytes && !strncmp(at, name, n)) return index;
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return -1;
}

static int numbers(const char *text, double *out, int most)
{
    int count = 0;
    char *end;
    while (count < most && *text) {
        out[count] = strtod(text, &end);
        if (end == text) return -1;
        count++;
        text = *end == ',' ? end + 1 : end;
        if (*end && *end != ',') return -1;
    }
    return count;
}

static weft_result parse_word(made_node *m, unsigned char *attrs, const char *word)
{
    const size_t n = strcspn(word, "@:=");
    double list[WEFT_MAX_RANK];
    const int count = word[n] ? numbers(word + n + 1, list, WEFT_MAX_RANK) : -1, input = input_index(m->op, word, n);
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int) n, word);
    if (word[n] == '=') return weft_attr_set(m->op, attrs, name, count < 0 ? word + n + 1 : NULL, list, count < 0 ? 0 : count);
    if (count < 1 || input < 0 || input >= WEFT_CASE_INPUTS) return weft_fail(WEFT_ERR_ARGUMENT, "'%s' is no input of %s", word, m->op->name);
    for (; m->count <= input; m->count++) m->absent[m->count] = true;
    m->absent[input] = false;
    m->weight[input] = word[n] == ':';
    m->shape[input].rank = count;
    for (int i = 0; i < count; i++) m->shape[input].dim[i] = (int64_t) list[i];
    return WEFT_OK;
}

static weft_result collect_line(collection *c, char *line)
{
    _Alignas(16) unsigned char attrs[WEFT_MAX_ATTR_BYTES] = { 0 };
    made_node m = { 0 };
    char *rest, *name = strtok_r(line, " \n", &rest), *op = strtok_r(NULL, " \n", &rest), *word;
    if (!name || *name == '#') return WEFT_OK;
    m.op = op ? weft_op_find(op) : NULL;
    if (!m.op) return weft_fail(WEFT_ERR_ARGUMENT, "layer %s: there is no operator '%s'", name, op ? op : "");
    weft_attr_defaults(m.op, attrs);
    m.attrs = attrs;
    while ((word = strtok_r(NULL, " \n", &rest))) WEFT_TRY(parse_word(&m, attrs, word));
    return collect_node(c, &m, name);
}

weft_result collect_layers(collection *c, const char *path)
{
    char line[512];
    weft_result r = need_zeros(c);
    FILE *f = fopen(path, "r");
    if (!f) return weft_fail(WEFT_ERR_IO, "cannot read '%s'", path);
    while (r == WEFT_OK && fgets(line, sizeof line, f)) r = collect_line(c, line);
    fclose(f);
    return r;
}

// --- Models. ---

static weft_result collect_entry(collection *c, const weft_model *m, int entry, const char *from)
{
    weft_arena arena = { .ctx = c->ctx };
    weft_graph bound;
    int64_t *dims = weft_arena_new(&arena, sizeof *dims * (size_t) (m->dim_count + 1));
    weft_graph_init(&bound, &arena);
    weft_result r = dims ? weft_model_bind_dims(m, entry, NULL, 0, dims) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = weft_pass_bind(&m->entries[entry].graph, dims, &bound);
    if (r == WEFT_OK) r = collect_graph(c, &bound, true, from);
    if (r == WEFT_OK) r = collect_gradient(c, &bound, false, from);
    weft_arena_free(&arena);
    return r;
}

weft_result collect_model(collection *c, const char *path)
{
    weft_model *m;
    weft_result r = weft_model_load(c->ctx, path, &m);
    const char *name = strrchr(path, '/');
    if (r != WEFT_OK) return r;
    for (int i = 0; r == WEFT_OK && i < m->entry_count; i++) r = collect_entry(c, m, i, name ? name + 1 : path);
    weft_model_destroy(&m);
    return r;
}

int collect_unwanted(const collection *c, void (*each)(const char *kernel))
{
    int count = 0;
    for (int i = 0; weft_kernels_spirv[i].name; i++) {
        const char *dot = strrchr(weft_kernels_spirv[i].name, '.');
        const size_t n = (size_t) (dot - weft_kernels_spirv[i].name);
        bool found = false;
        for (int k = 0; k < c->count && !found; k++)
            found = !strncmp(c->list[k].dispatch.kernel, weft_kernels_spirv[i].name, n) && !c->list[k].dispatch.kernel[n] && !strcmp(c->list[k].variant, dot + 1);
        if (!found) each(weft_kernels_spirv[i].name), count++;
    }
    return count;
}

void collection_free(collection *c)
{
    free(c->list);
    free(c->zeros);
}
