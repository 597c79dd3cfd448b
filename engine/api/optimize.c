// SPDX-License-Identifier: MIT
// weft_model_step: one step of an optimisation as a model, put together from the gradient of an entry and a builder.
#include "api/builder.h"
#include "graph/insert.h"
#include <math.h>
#include <string.h>
#include <weft/optimize.h>

typedef struct maker {
    const weft_model *from;
    const weft_step_params *p;
    weft_model *gradient; // forward and backward
    weft_builder *b;
    weft_arena scratch;
    const weft_port *in, *out; // of the gradient's entry
    int in_count, out_count;
    weft_value *states;        // of the variables
    weft_value *values;        // of the gradient's outputs
    weft_value done, row, log; // steps done, as a state; that as an index; the log, as a state
    weft_value scale, good, taken; // with loss scaling, as states: of the loss, steps since it was changed, steps that were taken
} maker;

enum { PATIENCE = 200 }; // good steps until the loss is scaled by more
static const double LEAST_SCALE = 0x1p-24, LARGEST_SCALE = 0x1p24;

static const char *loss_name(const weft_step_params *p) { return p->loss ? p->loss : "loss"; }

static int find_port(const weft_port *ports, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(ports[i].name, name)) return i;
    return -1;
}

static const weft_weight *find_weight(const weft_graph *g, const char *name)
{
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight && !strcmp(g->values[v].weight->name, name)) return g->values[v].weight;
    return NULL;
}

// --- What is asked for. --------------------------------------------------------------------------------------

static weft_result check_params(const weft_model *m, const weft_step_params *p)
{
    if (p->entry < 0 || p->entry >= m->entry_count) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: entry %d of %d", p->entry, m->entry_count);
    if (p->variable_count < 1) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: name a variable");
    if (p->steps < 1 || p->steps > 1 << 24) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: %lld steps, not 1 to 2^24", (long long) p->steps);
    if (p->optimizer != WEFT_ADAM && p->optimizer != WEFT_SGD) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: there is no optimizer %d", (int) p->optimizer);
    if (p->log_count < 0 || p->log_count > 63) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: %d outputs to log, at most 63 are allowed", p->log_count);
    if (!(p->clip_norm >= 0) || !isfinite(p->clip_norm)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: clip_norm is below 0 or no number");
    if (!(p->loss_scale >= 0) || p->loss_scale > LARGEST_SCALE)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: loss_scale is %g, not 0 to 2^24", p->loss_scale);
    for (int i = 0; i < p->variable_count; i++) {
        if (!p->variables[i].name) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: variable %d has no name", i);
        if (!(p->variables[i].rate_scale >= 0)) return weft_fail(WEFT_ERR_ARGUMENT, "variable '%s': rate_scale is below 0 or no number", p->variables[i].name);
    }
    return WEFT_OK;
}

static weft_result differentiate(maker *k)
{
    const weft_step_params *p = k->p;
    const char **wrt = weft_arena_new(&k->scratch, sizeof *wrt * (size_t) p->variable_count);
    if (!wrt) return WEFT_ERR_MEMORY;
    for (int i = 0; i < p->variable_count; i++) wrt[i] = p->variables[i].name;
    const char *const loss = loss_name(p);
    weft_model_grad_params how = { .entry = p->entry, .shapes = p->shapes, .shape_count = p->shape_count, .wrt = wrt, .wrt_count = p->variable_count };
    if (p->loss_scale > 0) how.cotangents = &loss, how.cotangent_count = 1;
    else how.loss = loss;
    WEFT_TRY(weft_model_grad(k->from, &how, &k->gradient));
    k->in_count = weft_model_inputs(k->gradient, 0, &k->in);
    k->out_count = weft_model_outputs(k->gradient, 0, &k->out);
    return WEFT_OK;
}

static weft_result check_names(const maker *k)
{
    const weft_step_params *p = k->p;
    for (int i = 0; i < p->table_count; i++) {
        const char *name = p->tables[i].input;
        if (!name || !p->tables[i].data || p->tables[i].rows < 0) return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: table %d has no input, data or rows", i);
        if (find_port(k->in, k->in_count, name) < 0) return weft_fail(WEFT_ERR_ARGUMENT, "table '%s': the entry has no such input", name);
        for (int v = 0; v < p->variable_count; v++)
            if (!strcmp(p->variables[v].name, name)) return weft_fail(WEFT_ERR_ARGUMENT, "'%s' is a variable and has a table", name);
        for (int t = 0; t < i; t++)
            if (!strcmp(p->tables[t].input, name)) return weft_fail(WEFT_ERR_ARGUMENT, "table '%s' is there twice", name);
    }
    for (int i = 0; i < p->log_count; i++) {
        const int o = p->log[i] ? find_port(k->out, k->out_count, p->log[i]) : -1;
        if (o < 0) return weft_fail(WEFT_ERR_ARGUMENT, "log of '%s': the entry has no such output", p->log[i] ? p->log[i] : "");
        if (weft_shape_count(k->out[o].shape) != 1 || k->out[o].dtype != WEFT_F32) return weft_fail(WEFT_ERR_ARGUMENT, "log of '%s': the output is not one f32 number", p->log[i]);
    }
    for (int i = 0; i < p->output_count; i++)
        if (!p->outputs[i] || find_port(k->out, k->out_count, p->outputs[i]) < 0)
            return weft_fail(WEFT_ERR_ARGUMENT, "output '%s': the entry has no such output", p->outputs[i] ? p->outputs[i] : "");
    return WEFT_OK;
}

// --- The step. -----------------------------------------------------------------------------------------------

static weft_value one(maker *k, const char *op, weft_value x) { return weft_build_op(k->b, op, &x, 1, NULL, 0); }
static weft_value two(maker *k, const char *op, weft_value x, weft_value y) { return weft_build_op(k->b, op, (weft_value[]) { x, y }, 2, NULL, 0); }
static weft_value number(maker *k, double x) { return weft_build_scalar(k->b, x); }

static weft_value shaped(maker *k, weft_value x, int rank)
{
    weft_attr_arg shape = { "shape", NULL, rank, { 0 } };
    for (int d = 0; d < rank; d++) shape.num[d] = 1;
    return weft_build_op(k->b, "reshape", &x, 1, &shape, 1);
}

// The row of a table for this step; gather stays at the last one.
static weft_value from_table(maker *k, const char *name, weft_dtype dtype, weft_shape row, int64_t rows, const void *data)
{
    weft_shape all = { row.rank + 1, { rows } };
    if (!name) return broken(k->b, WEFT_ERR_MEMORY), -1;
    if (row.rank == WEFT_MAX_RANK) return broken(k->b, weft_fail(WEFT_ERR_ARGUMENT, "%s: the input has rank %d already", name, row.rank)), -1;
    for (int d = 0; d < row.rank; d++) all.dim[d + 1] = row.dim[d];
    return two(k, "gather", weft_build_weight(k->b, name, dtype, all, data), k->row);
}

static weft_value add_state(maker *k, const char *variable, const char *suffix, weft_shape shape, const void *init)
{
    const char *name = weft_arena_print(&k->scratch, "%s%s", variable, suffix);
    return name ? weft_build_state(k->b, name, WEFT_F32, shape, init) : (broken(k->b, WEFT_ERR_MEMORY), -1);
}

// A weight whose own value is what it begins with is shared, not copied.
static weft_value state_of_weight(maker *k, const weft_weight *w, const char *name)
{
    const weft_weight *init = NULL;
    if (broken(k->b, weft_model_share(k->b->model, w, NULL, &init))) return -1;
    weft_graph *g = current(k->b);
    return g ? weft_graph_state(g, name, WEFT_F32, w->shape, init) : -1;
}

static weft_value make_variable(maker *k, const weft_step_variable *v, weft_shape *shape)
{
    const int port = find_port(k->in, k->in_count, v->name);
    const weft_weight *w = port < 0 ? find_weight(&k->from->entries[k->p->entry].graph, v->name) : NULL;
    if (port < 0 && !w) return broken(k->b, weft_fail(WEFT_ERR_ARGUMENT, "variable '%s': the entry has no such input or weight", v->name)), -1;
    *shape = w ? w->shape : k->in[port].shape;
    return w && !v->init ? state_of_weight(k, w, v->name) : weft_build_state(k->b, v->name, WEFT_F32, *shape, v->init);
}

static weft_value feed(maker *k, const weft_port *port)
{
    const weft_step_params *p = k->p;
    if (p->loss_scale > 0 && port == &k->in[k->in_count - 1]) return shaped(k, k->scale, port->shape.rank); // the cotangent is the last input
    for (int i = 0; i < p->variable_count; i++)
        if (!strcmp(p->variables[i].name, port->name)) return k->states[i];
    for (int i = 0; i < p->table_count; i++)
        if (!strcmp(p->tables[i].input, port->name))
            return from_table(k, weft_arena_print(&k->scratch, "step.table.%s", port->name), port->dtype, port->shape,
                              p->tables[i].rows ? p->tables[i].rows : p->steps, p->tables[i].data);
    return weft_build_input(k->b, port->name, port->dtype, port->shape);
}

// Forward and backward, with the variables' states where they belong.
static void call(maker *k)
{
    const weft_step_params *p = k->p;
    weft_port_arg *in = weft_arena_new(&k->scratch, sizeof *in * (size_t) (k->in_count + 1));
    weft_port_arg *replace = weft_arena_new(&k->scratch, sizeof *replace * (size_t) p->variable_count);
    weft_call c = { .model = k->gradient, .in = in, .in_count = k->in_count, .replace = replace };
    if (!in || !replace) {
        broken(k->b, WEFT_ERR_MEMORY);
        return;
    }
    for (int i = 0; i < k->in_count; i++) in[i] = (weft_port_arg) { k->in[i].name, feed(k, &k->in[i]) };
    for (int i = 0; i < p->variable_count; i++)
        if (find_port(k->in, k->in_count, p->variables[i].name) < 0) replace[c.replace_count++] = (weft_port_arg) { p->variables[i].name, k->states[i] };
    weft_build_call(k->b, &c, k->values, k->out_count);
}

static weft_value *gradients(maker *k) { return k->values + k->out_count - k->p->variable_count; } // the last outputs, in the order of `wrt`

static weft_value three(maker *k, const char *op, weft_value x, weft_value y, weft_value z) { return weft_build_op(k->b, op, (weft_value[]) { x, y, z }, 3, NULL, 0); }

// The scale after this step, and what counts towards it.
static void adjust_scale(maker *k, weft_value fine)
{
    const weft_value good = two(k, "mul", fine, two(k, "add", k->good, number(k, 1))), long_enough = two(k, "greater_equal", good, number(k, PATIENCE));
    const weft_value more = two(k, "min", two(k, "mul", k->scale, number(k, 2)), number(k, LARGEST_SCALE));
    const weft_value less = two(k, "max", two(k, "mul", k->scale, number(k, 0.5)), number(k, LEAST_SCALE));
    weft_build_next(k->b, k->scale, three(k, "where", fine, three(k, "where", long_enough, more, k->scale), less));
    weft_build_next(k->b, k->good, three(k, "where", long_enough, number(k, 0), good));
    weft_build_next(k->b, k->taken, two(k, "add", k->taken, fine));
}

// What every gradient is multiplied with, 0 where one is infinite or NaN; -1: nothing.
static weft_value gradient_scale(maker *k)
{
    const double most = k->p->clip_norm;
    weft_value sum = -1, by = -1;
    if (most == 0 && k->scale < 0) return -1;
    weft_build_name(k->b, "clip");
    for (int i = 0; i < k->p->variable_count; i++) {
        const weft_value square = one(k, "sum_square", gradients(k)[i]);
        sum = sum < 0 ? square : two(k, "add", sum, square);
    }
    if (most > 0) {
        weft_value norm = one(k, "sqrt", sum);
        if (k->scale >= 0) norm = two(k, "div", norm, k->scale);
        by = two(k, "min", two(k, "div", number(k, most), two(k, "add", norm, number(k, 1e-6))), number(k, 1)); // so that 0 divides
    }
    if (k->scale < 0) return by;
    const weft_value fine = two(k, "less", shaped(k, sum, 1), number(k, 3e38)); // NaN is not
    adjust_scale(k, fine);
    return three(k, "where", fine, two(k, "div", by < 0 ? number(k, 1) : by, k->scale), number(k, 0));
}

static double or_default(double given, double def) { return given == 0 ? def : given < 0 ? 0 : given; }

static weft_value normalized(maker *k, weft_value x)
{
    const weft_value moved = two(k, "sub", x, one(k, "mean", x));
    const weft_value square = one(k, "mean", two(k, "mul", moved, moved));
    return two(k, "mul", moved, one(k, "rsqrt", two(k, "add", square, number(k, 1e-12)))); // zeros stay zeros
}

static void update(maker *k, int i, weft_shape shape, weft_value rate, weft_value scale, weft_value count)
{
    const weft_step_params *p = k->p;
    const weft_step_variable *v = &p->variables[i];
    const weft_value m = add_state(k, v->name, ".m", shape, NULL);
    const weft_value g = gradients(k)[i];
    weft_value out;
    weft_build_name(k->b, weft_arena_print(&k->scratch, "update.%s", v->name));
    if (v->rate_scale != 0 && v->rate_scale != 1) rate = two(k, "mul", rate, number(k, v->rate_scale));
    if (p->optimizer == WEFT_ADAM) {
        const weft_value second = add_state(k, v->name, ".v", shape, NULL);
        out = weft_build(k->b, "adam", WEFT_IN(k->states[i], g, m, second, rate, count, scale), WEFT_NUM("beta1", or_default(p->beta1, 0.9)),
                         WEFT_NUM("beta2", or_default(p->beta2, 0.999)), WEFT_NUM("eps", or_default(p->eps, 1e-8)),
                         WEFT_NUM("weight_decay", p->weight_decay), WEFT_NUM("decoupled", p->decoupled != 0));
        weft_build_next(k->b, second, out < 0 ? -1 : out + 2);
    } else {
        out = weft_build(k->b, "sgd", WEFT_IN(k->states[i], g, m, rate, scale), WEFT_NUM("momentum", p->momentum), WEFT_NUM("weight_decay", p->weight_decay),
                         WEFT_NUM("nesterov", p->nesterov != 0));
    }
    weft_build_next(k->b, m, out < 0 ? -1 : out + 1);
    weft_build_next(k->b, k->states[i], v->normalize ? normalized(k, out) : out);
}

static weft_value output(const maker *k, const char *name) { return k->values[find_port(k->out, k->out_count, name)]; }

// As the caller has it: gradients are those of the loss as it is.
static weft_value asked_output(maker *k, const char *name)
{
    const int port = find_port(k->out, k->out_count, name);
    const bool scaled = k->scale >= 0 && port >= k->out_count - k->p->variable_count;
    return scaled ? two(k, "div", k->values[port], k->scale) : k->values[port];
}

// The log with one more row: the others stay as they are, and past its end all do.
static void write_log(maker *k)
{
    const weft_step_params *p = k->p;
    weft_value *column = weft_arena_new(&k->scratch, sizeof *column * (size_t) (p->log_count + 1));
    float *index = weft_arena_new(&k->scratch, sizeof *index * (size_t) p->steps);
    if (!column || !index) {
        broken(k->b, WEFT_ERR_MEMORY);
        return;
    }
    weft_build_name(k->b, "log");
    for (int i = 0; i <= p->log_count; i++) column[i] = shaped(k, output(k, i ? p->log[i - 1] : loss_name(p)), 2);
    for (int64_t i = 0; i < p->steps; i++) index[i] = (float) i;
    const weft_attr_arg axis = { "axis", NULL, 1, { 1 } };
    const weft_value line = p->log_count ? weft_build_op(k->b, "concat", column, p->log_count + 1, &axis, 1) : column[0];
    const weft_value here = two(k, "equal", weft_build_weight(k->b, "step.index", WEFT_F32, (weft_shape) { 2, { p->steps, 1 } }, index), k->done);
    weft_build_next(k->b, k->log, weft_build_op(k->b, "where", (weft_value[]) { here, line, k->log }, 3, NULL, 0));
}

static void build(maker *k)
{
    const weft_step_params *p = k->p;
    const float *rates = p->rates;
    const float constant = (float) p->rate;
    weft_shape *shapes = weft_arena_new(&k->scratch, sizeof *shapes * (size_t) p->variable_count);
    k->states = weft_arena_new(&k->scratch, sizeof *k->states * (size_t) p->variable_count);
    k->values = weft_arena_new(&k->scratch, sizeof *k->values * (size_t) (k->out_count + 1));
    if (!shapes || !k->states || !k->values) {
        broken(k->b, WEFT_ERR_MEMORY);
        return;
    }
    for (int i = 0; i < k->from->meta_count; i++) weft_build_meta(k->b, k->from->metas[i].key, k->from->metas[i].value);
    for (int i = 0; i < p->variable_count; i++) k->states[i] = make_variable(k, &p->variables[i], &shapes[i]);
    k->done = weft_build_state(k->b, "step", WEFT_F32, (weft_shape) { 1, { 1 } }, NULL);
    k->scale = k->good = k->taken = -1;
    if (p->loss_scale > 0) {
        const float first = (float) p->loss_scale;
        k->scale = weft_build_state(k->b, "loss_scale", WEFT_F32, (weft_shape) { 1, { 1 } }, &first);
        k->good = weft_build_state(k->b, "loss_scale.good", WEFT_F32, (weft_shape) { 1, { 1 } }, NULL);
        k->taken = weft_build_state(k->b, "step.taken", WEFT_F32, (weft_shape) { 1, { 1 } }, NULL);
    }
    k->log = weft_build_state(k->b, "log", WEFT_F32, (weft_shape) { 2, { p->steps, p->log_count + 1 } }, NULL);
    weft_build_name(k->b, "step");
    k->row = shaped(k, weft_build(k->b, "cast", WEFT_IN(k->done), WEFT_TEXT("to", "i32")), 0);
    const weft_value count = two(k, "add", k->done, number(k, 1));
    const weft_value rate = from_table(k, "step.rates", WEFT_F32, (weft_shape) { 0 }, rates ? p->steps : 1, rates ? rates : &constant);
    call(k);
    const weft_value scale = gradient_scale(k), taken = k->taken < 0 ? count : two(k, "add", k->taken, number(k, 1));
    for (int i = 0; i < p->variable_count; i++) update(k, i, shapes[i], rate, scale, taken);
    weft_build_next(k->b, k->done, count);
    write_log(k);
    weft_build_output(k->b, loss_name(p), output(k, loss_name(p)));
    for (int i = 0; i < p->output_count; i++)
        if (strcmp(p->outputs[i], loss_name(p))) weft_build_output(k->b, p->outputs[i], asked_output(k, p->outputs[i]));
}

// --- The model. ----------------------------------------------------------------------------------------------

static bool is_used(const weft_graph *g, const weft_weight *w)
{
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight == w) return true;
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].init == w) return true;
    return false;
}

// Outputs of the entry that nobody asked for, and the weights that only they use.
static weft_result drop_unused(weft_builder *b)
{
    weft_model *m = b->model;
    if (b->failed) return WEFT_OK;
    weft_graph pruned, *whole = &m->entries[0].graph;
    int kept = 0;
    weft_graph_init(&pruned, &m->arena);
    WEFT_TRY(weft_pass_prune(whole, &pruned));
    *whole = pruned;
    for (int i = 0; i < m->weight_count; i++)
        if (is_used(whole, m->weights[i])) m->weights[kept++] = m->weights[i];
    m->weight_count = kept;
    return WEFT_OK;
}

static weft_result make(maker *k, weft_model **out)
{
    WEFT_TRY(differentiate(k));
    WEFT_TRY(check_names(k));
    WEFT_TRY(weft_builder_create(k->from->ctx, &k->b));
    build(k);
    broken(k->b, drop_unused(k->b));
    return weft_builder_finish(&k->b, out);
}

weft_result weft_model_step(const weft_model *m, const weft_step_params *p, weft_model **out)
{
    if (!m || !p || !out || (!p->variables && p->variable_count) || (!p->tables && p->table_count) || (!p->log && p->log_count) ||
        (!p->outputs && p->output_count))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_model_step: an argument is NULL");
    WEFT_TRY(check_params(m, p));
    maker k = { .from = m, .p = p, .scratch = { .ctx = m->ctx } };
    const weft_result r = make(&k, out);
    weft_arena_free(&k.scratch);
    weft_model_release(k.gradient);
    return r;
}
