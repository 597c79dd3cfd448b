// SPDX-License-Identifier: MIT
// Bodies of <weft/session.h>: which interpreter runs a session, and the checking of arguments.
#include "api/device.h"
#include "base/clock.h"
#include "cpu/run.h"
#include "graph/model.h"
#include "vk/run.h"
#include <string.h>

struct weft_session {
    weft_device *dev;
    weft_model *model;
    weft_arena arena;
    weft_graph bound;
    weft_port *inputs, *outputs, *states;
    const void **in; // packed data per port, for one run
    void **out;
    weft_cpu_run *cpu; // one of the two
    weft_vk_run *vk;
    int entry;
    bool keep_values, ran, fed; // fed: inputs have been given
    double create_ms;
};

static const weft_device_info reference_info = { .kind = WEFT_DEVICE_REFERENCE, .index = -2, .name = "reference", .driver = "plain C", .type = "cpu" };
static const weft_device_info cpu_info = { .kind = WEFT_DEVICE_CPU, .index = -1, .name = "cpu", .driver = "C with library kernels", .type = "cpu" };

weft_result weft_device_list(weft_context *ctx, void (*each)(void *, const weft_device_info *), void *user)
{
    if (!ctx || !each) return weft_fail(WEFT_ERR_ARGUMENT, "weft_device_list: an argument is NULL");
    each(user, &reference_info);
    each(user, &cpu_info);
    return weft_vk_list(ctx, each, user);
}

static bool is_gpu(const weft_device_info *i) { return i->type && strcmp(i->type, "software") != 0; }

weft_result weft_device_open(weft_context *ctx, const weft_device_params *params, weft_device **out)
{
    const weft_device_params p = params ? *params : (weft_device_params) { 0 };
    const char *name = p.name ? p.name : "auto";
    if (!ctx || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_device_open: an argument is NULL");
    weft_device *dev = weft_new(ctx, sizeof *dev);
    if (!dev) return WEFT_ERR_MEMORY;
    dev->ctx = ctx;
    weft_result r = WEFT_OK;
    if (!strcmp(name, "reference")) dev->info = reference_info;
    else if (!strcmp(name, "cpu")) dev->info = cpu_info;
    else {
        r = weft_vk_open(ctx, &p, &dev->vk); // "auto" asks for "vulkan": the fastest
        if (r == WEFT_OK) dev->info = *weft_vk_info(dev->vk);
        if (!strcmp(name, "auto") && (r == WEFT_ERR_NO_DEVICE || (r == WEFT_OK && !is_gpu(&dev->info)))) {
            weft_vk_close(dev->vk);
            dev->vk = NULL;
            dev->info = cpu_info;
            r = WEFT_OK;
        }
    }
    if (r == WEFT_OK && !dev->vk) r = weft_cpu_weights_create(ctx, &dev->weights);
    if (r != WEFT_OK) return weft_delete(ctx, dev), r;
    *out = dev;
    return WEFT_OK;
}

const weft_device_info *weft_device_get_info(const weft_device *dev) { return &dev->info; }

void weft_device_destroy(weft_device **dev)
{
    if (!dev || !*dev) return;
    weft_vk_close((*dev)->vk);
    weft_cpu_weights_destroy((*dev)->weights);
    weft_delete((*dev)->ctx, *dev);
    *dev = NULL;
}

static weft_port *bound_ports(weft_session *s, const weft_port_def *defs, int count)
{
    weft_port *ports = weft_arena_new(&s->arena, sizeof *ports * (size_t) (count + 1));
    for (int i = 0; ports && i < count; i++) {
        const weft_value_def *v = &s->bound.values[defs[i].value];
        ports[i] = (weft_port) { defs[i].name, (weft_dtype) v->dtype, v->shape };
    }
    return ports;
}

static weft_result bind(weft_session *s, const weft_session_params *p)
{
    const weft_model *m = s->model;
    int64_t *dims = weft_arena_new(&s->arena, sizeof *dims * (size_t) (m->dim_count + 1));
    if (!dims) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_model_bind_dims(m, p->entry, p->shapes, p->shape_count, dims));
    weft_graph_init(&s->bound, &s->arena);
    WEFT_TRY(weft_pass_bind(&m->entries[p->entry].graph, dims, &s->bound));
    s->inputs = bound_ports(s, s->bound.inputs, s->bound.input_count);
    s->outputs = bound_ports(s, s->bound.outputs, s->bound.output_count);
    s->states = weft_arena_new(&s->arena, sizeof *s->states * (size_t) (s->bound.state_count + 1));
    for (int i = 0; s->states && i < s->bound.state_count; i++) {
        const weft_value_def *v = &s->bound.values[s->bound.states[i].value];
        s->states[i] = (weft_port) { s->bound.states[i].name, (weft_dtype) v->dtype, v->shape };
    }
    s->in = weft_arena_new(&s->arena, sizeof *s->in * (size_t) (s->bound.input_count + 1));
    s->out = weft_arena_new(&s->arena, sizeof *s->out * (size_t) (s->bound.output_count + 1));
    return s->arena.failed ? WEFT_ERR_MEMORY : WEFT_OK;
}

weft_result weft_session_create(weft_device *dev, const weft_model *m, const weft_session_params *params, weft_session **out)
{
    const weft_session_params p = params ? *params : (weft_session_params) { 0 };
    if (!dev || !m || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_create: an argument is NULL");
    if (p.entry < 0 || p.entry >= m->entry_count)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_create: entry %d of %d", p.entry, m->entry_count);
    const double begin = weft_seconds();
    weft_session *s = weft_new(dev->ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    s->dev = dev;
    s->arena.ctx = dev->ctx;
    s->entry = p.entry;
    s->keep_values = p.keep_values;
    s->model = (weft_model *) (uintptr_t) m; // counted; never changed
    weft_model_keep(s->model);
    weft_result r = bind(s, &p);
    if (r == WEFT_OK && dev->vk) r = weft_vk_run_create(dev->vk, &s->bound, &p, &s->vk);
    else if (r == WEFT_OK) r = weft_cpu_run_create_shared(dev->ctx, dev->weights, &s->bound, &p, dev->info.kind == WEFT_DEVICE_CPU, &s->cpu);
    if (r != WEFT_OK) return weft_session_destroy(&s), r;
    s->create_ms = 1e3 * (weft_seconds() - begin);
    *out = s;
    return WEFT_OK;
}

void weft_session_destroy(weft_session **session)
{
    if (!session || !*session) return;
    weft_session *s = *session;
    weft_context *ctx = s->dev->ctx;
    weft_cpu_run_destroy(s->cpu);
    weft_vk_run_destroy(s->vk);
    weft_model_release(s->model);
    weft_arena_free(&s->arena);
    weft_delete(ctx, s);
    *session = NULL;
}

int weft_session_inputs(const weft_session *s, const weft_port **ports)
{
    if (ports) *ports = s->inputs;
    return s->bound.input_count;
}

int weft_session_outputs(const weft_session *s, const weft_port **ports)
{
    if (ports) *ports = s->outputs;
    return s->bound.output_count;
}

int weft_session_states(const weft_session *s, const weft_port **ports)
{
    if (ports) *ports = s->states;
    return s->bound.state_count;
}

// Sorts `io` into port order; no port twice, with `all` none missing, every size right.
static weft_result sort_ports(const char *what, bool all, const weft_port *ports, int port_count, const weft_io *io, int io_count, void **data)
{
    for (int i = 0; i < port_count; i++) data[i] = NULL;
    for (int i = 0; i < io_count; i++) {
        int k = io[i].port ? 0 : i;
        while (io[i].port && k < port_count && strcmp(ports[k].name, io[i].port)) k++;
        if (k >= port_count) return weft_fail(WEFT_ERR_ARGUMENT, "there is no %s '%s'", what, io[i].port ? io[i].port : "past the last");
        const size_t want = (size_t) weft_shape_count(ports[k].shape) * 4;
        if (data[k] || !io[i].data) return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s' is %s", what, ports[k].name, data[k] ? "given twice" : "NULL");
        if (io[i].bytes != want)
            return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s' has %zu bytes, wants %zu", what, ports[k].name, io[i].bytes, want);
        data[k] = io[i].data;
    }
    for (int i = 0; i < port_count && all; i++)
        if (!data[i]) return weft_fail(WEFT_ERR_ARGUMENT, "%s '%s' is not given", what, ports[i].name);
    return WEFT_OK;
}

weft_result weft_session_run(weft_session *s, const weft_io *in, int in_count, const weft_io *out, int out_count)
{
    if (!s || (!in && in_count) || (!out && out_count)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_run: an argument is NULL");
    WEFT_TRY(sort_ports("input", true, s->inputs, s->bound.input_count, in, in_count, (void **) s->in));
    WEFT_TRY(sort_ports("output", false, s->outputs, s->bound.output_count, out, out_count, s->out));
    const weft_result r = s->vk ? weft_vk_run_go(s->vk, s->in, s->out) : weft_cpu_run_go(s->cpu, s->in, s->out);
    s->fed |= r == WEFT_OK || r == WEFT_ERR_CANCELLED;
    s->ran |= r == WEFT_OK;
    return r;
}

weft_result weft_session_repeat(weft_session *s, int64_t count)
{
    if (!s || count < 0) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_repeat: %s", s ? "a count below 0" : "the session is NULL");
    if (!s->fed && s->bound.input_count)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_repeat: input '%s' was never given; weft_session_run comes first", s->inputs[0].name);
    if (!count) return WEFT_OK;
    WEFT_TRY(s->vk ? weft_vk_run_repeat(s->vk, count) : weft_cpu_run_repeat(s->cpu, count));
    s->ran = true;
    return WEFT_OK;
}

static weft_result find_state(const weft_session *s, const char *name, size_t bytes, int *out)
{
    for (int i = 0; i < s->bound.state_count; i++) {
        const size_t want = (size_t) weft_shape_count(s->states[i].shape) * 4;
        if (strcmp(s->states[i].name, name)) continue;
        if (bytes != want && bytes) return weft_fail(WEFT_ERR_ARGUMENT, "state '%s' has %zu bytes, wants %zu", name, bytes, want);
        return *out = i, WEFT_OK;
    }
    return weft_fail(WEFT_ERR_ARGUMENT, "there is no state '%s'", name);
}

weft_result weft_session_set_state(weft_session *s, const char *name, const void *data, size_t bytes)
{
    int k;
    if (!s || !data != !bytes || (!name && data)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_set_state: arguments that do not belong together");
    if (!name && s->vk) return s->bound.state_count ? weft_vk_run_reset_states(s->vk) : WEFT_OK;
    for (int i = 0; !name && i < s->bound.state_count; i++) weft_cpu_run_set_state(s->cpu, i, NULL);
    if (!name) return WEFT_OK;
    WEFT_TRY(find_state(s, name, bytes, &k));
    if (s->vk) return weft_vk_run_set_state(s->vk, k, data);
    weft_cpu_run_set_state(s->cpu, k, data);
    return WEFT_OK;
}

weft_result weft_session_get_state(weft_session *s, const char *name, void *data, size_t bytes)
{
    int k;
    if (!s || !name || !data || !bytes) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_get_state: an argument is NULL or 0");
    WEFT_TRY(find_state(s, name, bytes, &k));
    if (s->vk) return weft_vk_run_get_state(s->vk, k, data);
    weft_cpu_run_get_state(s->cpu, k, data);
    return WEFT_OK;
}

void weft_session_measure(const weft_session *s, weft_session_facts *out)
{
    if (s->vk) weft_vk_run_measure(s->vk, out);
    else weft_cpu_run_measure(s->cpu, out);
    out->create_ms = s->create_ms;
}

static weft_result cpu_value(weft_session *s, int index, weft_shape *shape, float *data, size_t count)
{
    const weft_node *node;
    weft_value_def def;
    const void *from = weft_cpu_run_value(s->cpu, index, &node, &def);
    if (!from) return weft_fail(WEFT_ERR_UNSUPPORTED, "value %d was fused into another or is not needed", index);
    *shape = def.shape;
    if (!data) return WEFT_OK;
    const size_t all = (size_t) weft_shape_count(def.shape);
    if (count < all) return weft_fail(WEFT_ERR_ARGUMENT, "value %d has %zu elements, there is room for %zu", index, all, count);
    for (size_t i = 0; i < all; i++) data[i] = def.dtype == WEFT_I32 ? (float) ((const int32_t *) from)[i] : (float) ((const weft_real *) from)[i];
    return WEFT_OK;
}

weft_result weft_session_value(weft_session *s, int index, weft_value_info *info, float *data, size_t count)
{
    if (!s || !info) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_value: an argument is NULL");
    const weft_graph *g = &s->model->entries[s->entry].graph;
    if (index < 0 || index >= g->value_count) return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_value: value %d of %d", index, g->value_count);
    if (!s->keep_values || !s->ran)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_session_value: the session %s", s->keep_values ? "has not run" : "was made without keep_values");
    if (g->values[index].node < 0) return weft_fail(WEFT_ERR_UNSUPPORTED, "value %d is an input, a state or a weight", index);
    const weft_node *n = &g->nodes[g->values[index].node];
    weft_value_info found = { .node = n->name, .op = n->op->name };
    if (s->vk) WEFT_TRY(weft_vk_run_value(s->vk, index, &found.shape, data, count));
    else WEFT_TRY(cpu_value(s, index, &found.shape, data, count));
    *info = found;
    return WEFT_OK;
}
