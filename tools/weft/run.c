// SPDX-License-Identifier: MIT
// weft run
#include "dims.h"
#include "npy.h"
#include "profile.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MOST = INPUTS_MOST };
struct run_options {
    device_options device;
    const char *entry;
    text_list in, out, cotangent, grad, set, get;
    int repeat, steps, memory, profile;
};
static const option run_options[] = {
    { "in", 'i', OPTION_LIST, "[PORT=]FILE.npy", offsetof(struct run_options, in), "an input; without a name: the next port in order. Every input must be given" },
    { "out", 'o', OPTION_LIST, "[PORT=]FILE.npy", offsetof(struct run_options, out), "an output to keep; without a name: the next port in order" },
    { "cotangent", 0, OPTION_LIST, "[PORT=]FILE.npy", offsetof(struct run_options, cotangent),
      "d loss / d an output, for --grad; without a name: the next output. Without any, the first output must be the loss" },
    { "grad", 0, OPTION_LIST, "[NAME=]FILE.npy", offsetof(struct run_options, grad),
      "the gradient by an input or weight to keep; without a name: by the next input" },
    { "steps", 's', OPTION_INT, "N", offsetof(struct run_options, steps),
      "run N times with the same inputs, states going on from run to run; the outputs are those of the last", 1, 2000000000 },
    { "set", 0, OPTION_LIST, "[STATE=]FILE.npy", offsetof(struct run_options, set), "what a state begins as; without a name: the next state in order" },
    { "get", 0, OPTION_LIST, "[STATE=]FILE.npy", offsetof(struct run_options, get), "a state to keep when all runs are over; without a name: the next in order" },
    { "entry", 'e', OPTION_TEXT, "NAME", offsetof(struct run_options, entry), "the entry to run; default: the first" },
    DEVICE_OPTIONS(struct run_options),
    PRECISION_OPTION(struct run_options),
    { "memory", 0, OPTION_INT, "MIB", offsetof(struct run_options, memory), "take no more than this: compute values again where that helps, else refuse", 1, 1 << 30 },
    { "repeat", 'r', OPTION_INT, "N", offsetof(struct run_options, repeat), "run N times and print the times", 1, 1000000 },
    { "profile", 0, OPTION_FLAG, NULL, offsetof(struct run_options, profile), "print the time of every kind of operator; on Vulkan by the device's clock, each kernel on its own" },
    { 0 }
};

struct job {
    weft_model *model;
    weft_device *device;
    weft_session *session;
    int entry;
    array in[PORTS_MOST];
    char wrt[PORTS_MOST][256]; // by what the k-th --grad differentiates
    weft_io out[PORTS_MOST];
    const char *out_path[PORTS_MOST];
    profile profile;
};

// Which port "name=file" means: by name, else (the whole is a file) the next one that is free. -1: none.
static int find_port(const weft_port *ports, int count, const char *text, int *next, const char **file)
{
    const char *equals = strchr(text, '=');
    for (int i = 0; equals && i < count; i++)
        if (strlen(ports[i].name) == (size_t) (equals - text) && !memcmp(ports[i].name, text, (size_t) (equals - text)))
            return *file = equals + 1, i;
    *file = text;
    return *next < count ? (*next)++ : -1;
}

static int read_inputs(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *ports;
    const int count = weft_model_inputs(j->model, j->entry, &ports);
    int next = 0;
    if (count > PORTS_MOST) return fail(c, CODE_UNSUPPORTED, "more than %d inputs", PORTS_MOST);
    for (int i = 0; i < o->in.count; i++) {
        const char *file;
        const int k = find_port(ports, count, o->in.at[i], &next, &file);
        if (k < 0) return usage(c, "--in %s: the entry has only %d inputs", o->in.at[i], count);
        if (j->in[k].data) return usage(c, "input '%s' is given twice", ports[k].name);
        const int code = npy_read(c, file, ports[k].dtype, &j->in[k]);
        if (code) return code;
    }
    for (int i = 0; i < count; i++)
        if (!j->in[i].data)
            return usage(c, "input '%s' (%s %s) is not given; use --in %s=FILE.npy", ports[i].name, dtype_text(ports[i].dtype),
                         shape_text(ports[i].shape, j->model), ports[i].name);
    return CODE_OK;
}

static int read_cotangents(call *c, struct job *j, const char *names[], int *given)
{
    const struct run_options *o = c->options;
    const weft_port *ins, *outs;
    array found[PORTS_MOST] = { { 0 } };
    const int in_count = weft_model_inputs(j->model, j->entry, &ins), count = weft_model_outputs(j->model, j->entry, &outs);
    int next = 0, code = CODE_OK;
    *given = 0;
    if (count > PORTS_MOST) return fail(c, CODE_UNSUPPORTED, "more than %d outputs", PORTS_MOST);
    for (int i = 0; i < o->cotangent.count && !code; i++) {
        const char *file;
        const int k = find_port(outs, count, o->cotangent.at[i], &next, &file);
        if (k < 0) code = usage(c, "--cotangent %s: the entry has only %d outputs", o->cotangent.at[i], count);
        else if (found[k].data) code = usage(c, "the cotangent of '%s' is given twice", outs[k].name);
        else code = npy_read(c, file, WEFT_F32, &found[k]);
    }
    for (int k = 0; k < count; k++) { // they follow the inputs, in the order of the outputs
        if (!found[k].data) continue;
        names[*given] = outs[k].name;
        if (code || in_count + *given >= PORTS_MOST) free(found[k].data), code = code ? code : fail(c, CODE_UNSUPPORTED, "more than %d inputs", PORTS_MOST);
        else j->in[in_count + (*given)++] = found[k];
    }
    return code;
}

// Which input or weight each --grad means.
static int read_wrt(call *c, struct job *j, const char *names[])
{
    const struct run_options *o = c->options;
    const weft_port *ports;
    const int count = weft_model_inputs(j->model, j->entry, &ports);
    int next = 0;
    if (o->grad.count > PORTS_MOST) return fail(c, CODE_UNSUPPORTED, "more than %d gradients", PORTS_MOST);
    for (int i = 0; i < o->grad.count; i++) {
        const char *text = o->grad.at[i], *equals = strchr(text, '=');
        if (!equals && next == count) return usage(c, "--grad %s: the entry has only %d inputs", text, count);
        if (equals) snprintf(j->wrt[i], sizeof j->wrt[i], "%.*s", (int) (equals - text), text);
        else snprintf(j->wrt[i], sizeof j->wrt[i], "%s", ports[next++].name);
        names[i] = j->wrt[i];
    }
    return CODE_OK;
}

// With --grad the model becomes its gradient: cotangents are inputs of it and gradients outputs.
static int differentiate(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const char *cotangents[PORTS_MOST], *wrt[PORTS_MOST];
    const weft_port *ins, *outs;
    weft_port_shape shapes[PORTS_MOST];
    weft_model *gradient;
    int given = 0, code = CODE_OK;
    if (!o->grad.count) return o->cotangent.count ? usage(c, "--cotangent without --grad has no meaning") : CODE_OK;
    const int count = weft_model_inputs(j->model, j->entry, &ins);
    for (int i = 0; i < count; i++) shapes[i] = (weft_port_shape) { ins[i].name, j->in[i].shape };
    if ((code = read_wrt(c, j, wrt)) || (code = read_cotangents(c, j, cotangents, &given))) return code;
    weft_model_outputs(j->model, j->entry, &outs);
    const weft_model_grad_params params = {
        .entry = j->entry, .shapes = shapes, .shape_count = count, .loss = given ? NULL : outs[0].name,
        .cotangents = cotangents, .cotangent_count = given, .wrt = wrt, .wrt_count = o->grad.count,
    };
    const weft_result r = weft_model_grad(j->model, &params, &gradient);
    if (r == WEFT_ERR_ARGUMENT) return fail(c, CODE_INPUT, "%s", weft_error_text());
    if (r != WEFT_OK) return fail_result(c, r);
    weft_model_destroy(&j->model);
    j->model = gradient, j->entry = 0;
    return CODE_OK;
}

static int open_session(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *ports;
    weft_port_shape shapes[PORTS_MOST];
    const int count = weft_model_inputs(j->model, j->entry, &ports);
    for (int i = 0; i < count; i++) shapes[i] = (weft_port_shape) { ports[i].name, j->in[i].shape };
    const weft_session_params params = {
        .entry = j->entry, .shapes = shapes, .shape_count = count, .precision = (weft_precision) o->device.precision,
        .max_bytes = (size_t) o->memory << 20, .progress = show_progress, .progress_user = c,
        .timing = o->profile ? profile_add : NULL, .timing_user = &j->profile,
    };
    const double start = seconds_since(0);
    const weft_result r = weft_session_create(j->device, j->model, &params, &j->session);
    if (r == WEFT_ERR_ARGUMENT) return fail(c, CODE_INPUT, "%s", weft_error_text()); // a shape that does not fit
    if (r != WEFT_OK) return fail_result(c, r);
    if (c->verbose) {
        weft_session_facts f;
        weft_session_measure(j->session, &f);
        note(c, "session: %.3f s, %s of weights, %s of workspace (least possible %s), %d dispatches", seconds_since(start),
             bytes_text((double) f.weight_bytes), bytes_text((double) f.workspace_bytes), bytes_text((double) f.workspace_least_bytes), f.dispatches);
        if (f.recomputed) note(c, "%d nodes are computed twice to stay within --memory", f.recomputed);
    }
    return CODE_OK;
}

static size_t bytes_of(weft_shape s)
{
    size_t bytes = 4;
    for (int d = 0; d < s.rank; d++) bytes *= (size_t) s.dim[d];
    return bytes;
}

static int prepare_outputs(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *ports;
    const int count = weft_session_outputs(j->session, &ports);
    int next = 0;
    if (count > PORTS_MOST) return fail(c, CODE_UNSUPPORTED, "more than %d outputs", PORTS_MOST);
    for (int i = 0; i < count; i++) {
        const size_t bytes = bytes_of(ports[i].shape);
        j->out[i] = (weft_io) { ports[i].name, malloc(bytes), bytes };
        if (!j->out[i].data) return fail(c, CODE_FAILED, "out of memory: output '%s' has %zu bytes", ports[i].name, bytes);
    }
    for (int i = 0; i < o->out.count; i++) {
        const char *file;
        const int k = find_port(ports, count, o->out.at[i], &next, &file);
        if (k < 0) return usage(c, "--out %s: the entry has only %d outputs", o->out.at[i], count);
        if (j->out_path[k]) return usage(c, "output '%s' is given twice", ports[k].name);
        j->out_path[k] = file;
    }
    for (int i = 0; i < o->grad.count; i++) { // the last outputs, in order
        const char *equals = strchr(o->grad.at[i], '=');
        j->out_path[count - o->grad.count + i] = equals ? equals + 1 : o->grad.at[i];
    }
    return CODE_OK;
}

// Which state the k-th of `list` means. -1: none, and that was said.
static int pick_state(const call *c, const struct job *j, const char *option, const char *text, int *next, const weft_port **port, const char **file)
{
    const weft_port *ports;
    const int count = weft_session_states(j->session, &ports), k = find_port(ports, count, text, next, file);
    if (k < 0) return usage(c, count == 1 ? "--%s %s: the entry has only %d state" : "--%s %s: the entry has only %d states", option, text, count), -1;
    *port = &ports[k];
    return k;
}

static int set_states(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *port;
    const char *file;
    int next = 0;
    for (int i = 0; i < o->set.count; i++) {
        array a = { 0 };
        if (pick_state(c, j, "set", o->set.at[i], &next, &port, &file) < 0) return CODE_USAGE;
        const int code = npy_read(c, file, port->dtype, &a);
        if (code) return code;
        bool same = a.shape.rank == port->shape.rank;
        for (int d = 0; same && d < a.shape.rank; d++) same = a.shape.dim[d] == port->shape.dim[d];
        const weft_result r = same ? weft_session_set_state(j->session, port->name, a.data, a.bytes) : WEFT_OK;
        free(a.data);
        if (!same) return fail(c, CODE_INPUT, "%s: the shape is %s, state '%s' wants %s", file, shape_text(a.shape, NULL), port->name, shape_text(port->shape, NULL));
        if (r != WEFT_OK) return fail_result(c, r);
    }
    return CODE_OK;
}

static int get_states(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *port;
    const char *file;
    int next = 0;
    for (int i = 0; i < o->get.count; i++) {
        if (pick_state(c, j, "get", o->get.at[i], &next, &port, &file) < 0) return CODE_USAGE;
        const size_t bytes = bytes_of(port->shape);
        void *data = malloc(bytes);
        if (!data) return fail(c, CODE_FAILED, "out of memory: state '%s' has %zu bytes", port->name, bytes);
        const weft_result r = weft_session_get_state(j->session, port->name, data, bytes);
        const int code = r == WEFT_OK ? npy_write(c, file, port->dtype, port->shape, data) : fail_result(c, r);
        free(data);
        if (code) return code;
    }
    return CODE_OK;
}

// All runs but the last, which is run as ever.
static weft_result take_steps(call *c, struct job *j, const weft_io *in, int in_count)
{
    const struct run_options *o = c->options;
    if (o->steps < 2) return WEFT_OK;
    weft_result r = weft_session_run(j->session, in, in_count, NULL, 0);
    if (r == WEFT_OK) r = weft_session_repeat(j->session, o->steps - 2);
    return r;
}

static int by_size(const void *a, const void *b)
{
    const double d = *(const double *) a - *(const double *) b;
    return d < 0 ? -1 : d > 0;
}

static int run_session(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *ins, *outs;
    const int in_count = weft_session_inputs(j->session, &ins), out_count = weft_session_outputs(j->session, &outs);
    const int times = o->repeat ? o->repeat : 1;
    weft_io in[PORTS_MOST];
    double *took = calloc((size_t) times, sizeof *took);
    if (!took) return fail(c, CODE_FAILED, "out of memory");
    for (int i = 0; i < in_count; i++) in[i] = (weft_io) { ins[i].name, j->in[i].data, j->in[i].bytes };
    const double begin = seconds_since(0);
    weft_result r = take_steps(c, j, in, in_count);
    for (int i = 0; i < times && r == WEFT_OK; i++) {
        const double start = seconds_since(0);
        r = weft_session_run(j->session, in, in_count, j->out, out_count);
        took[i] = seconds_since(start);
        if (i == 0 && times > 1) j->profile.count = 0; // a driver may still have been compiling
    }
    end_progress();
    if (r == WEFT_OK && o->profile) profile_print(&j->profile, times > 1 ? times - 1 : o->steps ? o->steps : 1);
    weft_session_facts facts;
    weft_session_measure(j->session, &facts);
    if (r == WEFT_ERR_CANCELLED && o->steps) note(c, "stopped after %lld steps", (long long) facts.runs);
    if (r == WEFT_OK && o->steps && c->verbose)
        note(c, "%d step%s in %.3f s, %.3f ms each", o->steps, o->steps > 1 ? "s" : "", seconds_since(begin), 1e3 * seconds_since(begin) / o->steps);
    qsort(took, (size_t) times, sizeof *took, by_size);
    if (r == WEFT_OK && !o->steps && (o->repeat || c->verbose))
        printf("%d run%s: fastest %.3f ms, median %.3f ms, slowest %.3f ms\n", times, times > 1 ? "s" : "", 1e3 * took[0], 1e3 * took[times / 2],
               1e3 * took[times - 1]);
    free(took);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

// What came out, for the eye; a broken output is always said.
static void describe(const call *c, const weft_port *port, const void *data, size_t count, bool kept)
{
    double low = INFINITY, high = -INFINITY, sum = 0;
    size_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        const double v = port->dtype == WEFT_I32 ? ((const int32_t *) data)[i] : (double) ((const float *) data)[i];
        if (!isfinite(v)) bad++;
        else low = v < low ? v : low, high = v > high ? v : high, sum += v;
    }
    if (bad) note(c, "warning: output '%s' holds NaN or infinity in %zu of %zu numbers", port->name, bad, count);
    if (c->verbose || !kept)
        printf("%s %s %s: %.9g to %.9g, mean %.9g\n", port->name, dtype_text(port->dtype), shape_text(port->shape, NULL), low, high,
               sum / (double) (count - bad ? count - bad : 1));
}

static int write_outputs(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    const weft_port *ports;
    const int count = weft_session_outputs(j->session, &ports);
    for (int i = 0; i < count; i++) {
        describe(c, &ports[i], j->out[i].data, j->out[i].bytes / 4, o->out.count + o->grad.count > 0);
        const int code = j->out_path[i] ? npy_write(c, j->out_path[i], ports[i].dtype, ports[i].shape, j->out[i].data) : CODE_OK;
        if (code) return code;
    }
    return CODE_OK;
}

static int run_job(call *c, struct job *j)
{
    const struct run_options *o = c->options;
    int code = load_model(c, c->args[0], &j->model);
    if (!code && (j->entry = pick_entry(c, j->model, o->entry)) < 0) code = CODE_USAGE;
    if (!code) code = read_inputs(c, j);
    if (!code) code = differentiate(c, j);
    if (!code) code = open_device(c, &o->device, &j->device);
    if (!code) code = open_session(c, j);
    if (!code) code = prepare_outputs(c, j);
    if (!code) code = set_states(c, j);
    if (!code) code = run_session(c, j);
    if (!code) code = write_outputs(c, j);
    return code ? code : get_states(c, j);
}

static int run_run(call *c)
{
    const struct run_options *o = c->options;
    struct job j = { 0 };
    const int code = o->steps && o->repeat ? usage(c, "--steps and --repeat do not go together; -v prints the time of a step") : run_job(c, &j);
    weft_session_destroy(&j.session);
    weft_device_destroy(&j.device);
    weft_model_destroy(&j.model);
    for (int i = 0; i < PORTS_MOST; i++) free(j.in[i].data), free(j.out[i].data);
    return code;
}

const command command_run = {
    .name = "run", .args = "MODEL [--in [PORT=]FILE.npy ...] [--out [PORT=]FILE.npy ...] [--grad [NAME=]FILE.npy ...] [--steps N] [--set [STATE=]FILE.npy ...] [--get [STATE=]FILE.npy ...]", .summary = "runs an entry of a model on NumPy files",
    .options = run_options, .option_bytes = sizeof(struct run_options), .least = 1, .most = 1, .run = run_run,
    .about = "Inputs are converted to what their ports want: any NumPy number, byte order and array order goes in. The shapes bind\n"
             "the model's named dimensions. Without --out the outputs are only described.\n"
             "States of an entry (`weft info`) live from run to run: --steps runs it again and again, --set and --get exchange them.",
    .examples = "  weft run net.weft --in image=x.npy --out y.npy\n  weft run net.weft -e encoder -i x.npy -i mask=m.npy -o y.npy --device vulkan --precision fast\n"
                "  weft run net.weft -i x.npy --cotangent dy.npy --grad dx.npy\n"
                "  weft run step.weft --steps 500 --set w=start.npy --get w=end.npy -o loss.npy -v",
};
