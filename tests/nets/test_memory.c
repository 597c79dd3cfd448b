// SPDX-License-Identifier: MIT
// Activations of the bundled models, of their gradients and of steps that optimise what goes into them take little more memory than
// what is alive at once. The imported architectures are held to the same in test_nets.
#include "nets/memory.h"
#include <string.h>
#include <weft/build.h>
#include <weft/optimize.h>

enum { PORTS = 32, WEIGHTS = 64 };

static int check(weft_result r)
{
    if (r != WEFT_OK) printf("BAD %s\n", weft_error_text());
    return r != WEFT_OK;
}

static int gradient(const weft_model *m, int entry, const char *name)
{
    const weft_port *in, *out;
    const char *cotangents[PORTS];
    weft_model *g = NULL;
    char text[240];
    const int in_count = weft_model_inputs(m, entry, &in), out_count = weft_model_outputs(m, entry, &out);
    if (!in_count || in[0].dtype != WEFT_F32 || out_count > PORTS) return 0;
    for (int i = 0; i < out_count; i++) cotangents[i] = out[i].name;
    const weft_model_grad_params p = { .entry = entry, .cotangents = cotangents, .cotangent_count = out_count, .wrt = &in[0].name, .wrt_count = 1 };
    if (check(weft_model_grad(m, &p, &g))) return 1;
    snprintf(text, sizeof text, "gradient of %s", name);
    const int bad = memory_bad(g, 0, NULL, 0, text);
    weft_model_destroy(&g);
    return bad;
}

typedef struct names { const char *at[WEIGHTS]; int count; } names;

static void note_kernel(void *user, const weft_weight_use *use)
{
    names *n = user;
    bool known = use->shape.rank != 4 || use->dtype == WEFT_I32;
    for (int i = 0; i < n->count; i++) known |= !strcmp(n->at[i], use->name);
    if (!known && n->count < WEIGHTS) n->at[n->count++] = use->name;
}

// The mean squared difference of the first output to a picture.
static weft_model *loss_of(weft_context *ctx, const weft_model *m, int entry)
{
    const weft_port *in, *out;
    weft_builder *b;
    weft_model *loss = NULL;
    weft_port_arg args[PORTS];
    weft_value made[PORTS];
    const int in_count = weft_model_inputs(m, entry, &in);
    weft_model_outputs(m, entry, &out);
    if (in_count > PORTS || weft_builder_create(ctx, &b)) return NULL;
    weft_build_entry(b, "main");
    for (int i = 0; i < in_count; i++) {
        weft_shape s = in[i].shape;
        for (int d = 0; d < s.rank; d++)
            if (s.dim[d] < 0) s.dim[d] = weft_model_dim(m, (int) (-s.dim[d] - 1))->preset;
        args[i] = (weft_port_arg) { in[i].name, weft_build_input(b, in[i].name, in[i].dtype, s) };
    }
    weft_build_call(b, &(weft_call) { .model = m, .entry = entry, .in = args, .in_count = in_count }, made, PORTS);
    const weft_value target = weft_build_input(b, "target", WEFT_F32, out[0].shape);
    weft_build_output(b, "loss", weft_build_op(b, "mse_loss", WEFT_IN(made[0], target), NULL, 0));
    check(weft_builder_finish(&b, &loss));
    return loss;
}

// Steps that change the first input, and those that change every kernel too.
static int steps(weft_context *ctx, const weft_model *m, int entry, const char *name)
{
    weft_model *loss = loss_of(ctx, m, entry);
    int bad = !loss;
    for (int tune = 0; loss && tune < 2; tune++) {
        const weft_port *in;
        weft_model *step = NULL;
        weft_step_variable variables[WEIGHTS + 1];
        names kernels = { .count = 0 };
        char text[240];
        weft_model_inputs(loss, 0, &in);
        if (tune) check(weft_model_weight_uses(loss, 0, note_kernel, &kernels));
        variables[0] = (weft_step_variable) { .name = in[0].name };
        for (int i = 0; i < kernels.count; i++) variables[1 + i] = (weft_step_variable) { .name = kernels.at[i] };
        const weft_step_params p = { .variables = variables, .variable_count = 1 + kernels.count, .rate = 0.01, .steps = 10 };
        snprintf(text, sizeof text, "%s of %s", tune ? "tuning" : "inversion", name);
        if (check(weft_model_step(loss, &p, &step))) bad++;
        else bad += memory_bad(step, 0, NULL, 0, text);
        weft_model_destroy(&step);
    }
    weft_model_destroy(&loss);
    return bad;
}

static int sizes(const weft_model *m, const char *name) // others than the preset
{
    static const int64_t list[][2] = { { 64, 64 }, { 128, 200 }, { 512, 512 }, { 768, 512 } };
    char text[240];
    int bad = 0;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const weft_port_shape shapes[] = { { "image", WEFT_SHAPE(1, 3, list[i][0], list[i][1]) }, { "mask", WEFT_SHAPE(1, 1, list[i][0], list[i][1]) } };
        snprintf(text, sizeof text, "%s at %d x %d", name, (int) list[i][0], (int) list[i][1]);
        bad += memory_bad(m, 0, shapes, 2, text);
    }
    return bad;
}

static int bundled(weft_context *ctx, const char *path, bool any_size, const char *invertible)
{
    weft_model *m = NULL;
    int bad = check(weft_model_load(ctx, path, &m));
    for (int e = 0; m && e < weft_model_entry_count(m); e++) {
        char name[200];
        snprintf(name, sizeof name, "%s, %s", path, weft_model_entry_name(m, e));
        bad += memory_bad(m, e, NULL, 0, name);
        bad += gradient(m, e, name);
        if (!strcmp(weft_model_entry_name(m, e), invertible)) bad += steps(ctx, m, e, name);
    }
    if (m && any_size) bad += sizes(m, path);
    weft_model_destroy(&m);
    return bad;
}

int main(void)
{
    weft_context *ctx;
    if (weft_context_create(NULL, &ctx)) return 1;
    int bad = bundled(ctx, "samples/data/garment.weft", true, "");
    bad += bundled(ctx, "samples/data/garment-generator.weft", false, "synthesis_noise");
    weft_context_destroy(&ctx);
    printf("%d plans too large\n", bad);
    return bad != 0;
}
