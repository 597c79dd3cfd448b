// SPDX-License-Identifier: MIT
// The library-backed operators agree with the truth, for every case of the row and for sizes that networks have.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "cpu/fast.h"
#include "cpu/run.h"
#include <math.h>
#include <string.h>

static float *numbers(weft_arena *a, weft_shape s, weft_random *r)
{
    const int64_t count = weft_shape_count(s);
    float *f = weft_arena_new(a, (size_t) count * 4);
    for (int64_t i = 0; i < count; i++) f[i] = (float) weft_random_uniform(r, -1, 1);
    return f;
}

// One node whose first and fourth inputs are ports and whose others are weights, as networks have it.
static void compare(weft_context *ctx, const weft_op *op, const weft_case *c)
{
    weft_arena a = { .ctx = ctx };
    weft_graph g;
    weft_random r = { 42 };
    weft_value in[WEFT_CASE_INPUTS];
    const void *data[WEFT_CASE_INPUTS];
    int count = 0, ports = 0;
    weft_graph_init(&g, &a);
    g.bound = true;
    for (; c->in[count].rank; count++) {
        float *f = numbers(&a, c->in[count], &r);
        if (count == 0 || count == 3) {
            in[count] = weft_graph_input(&g, count ? "r" : "x", WEFT_F32, c->in[count]);
            data[ports++] = f;
        } else in[count] = weft_graph_numbers(&g, c->in[count], f);
    }
    weft_graph_output(&g, "y", weft_graph_op(&g, op, in, count, c->attrs));
    assert_int_equal(weft_graph_status(&g), WEFT_OK);
    const int64_t size = weft_shape_count(g.values[g.outputs[0].value].shape);
    float *y[2];
    for (int fast = 0; fast < 2; fast++) {
        weft_cpu_run *run;
        y[fast] = weft_arena_new(&a, (size_t) size * 4);
        assert_int_equal(weft_cpu_run_create(ctx, &g, &(weft_session_params) { 0 }, fast, &run), WEFT_OK);
        assert_int_equal(weft_cpu_run_go(run, data, (void *const[]) { y[fast] }), WEFT_OK);
        weft_cpu_run_destroy(run);
    }
    double error = 0, norm = 0;
    for (int64_t i = 0; i < size; i++) {
        error += ((double) y[1][i] - y[0][i]) * ((double) y[1][i] - y[0][i]);
        norm += (double) y[0][i] * y[0][i];
    }
    if (!(sqrt(error / norm) <= 1e-5)) fail_msg("%s case %d: relative error %g", op->name, (int) (c - op->cases), sqrt(error / norm));
    weft_arena_free(&a);
}

static void library_versions_equal_the_truth(void **state)
{
    (void) state;
    weft_context *ctx;
    const weft_op *op;
    int compared = 0;
    assert_int_equal(weft_context_create(NULL, &ctx), WEFT_OK);
    for (int i = 0; (op = weft_op_at(i)); i++)
        for (const weft_case *c = op->cases; weft_cpu_fast_find(op->name) && c->in[0].rank; c++, compared++) compare(ctx, op, c);
    weft_context_destroy(&ctx);
#ifdef WEFT_DNNL
    assert_true(compared > 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(library_versions_equal_the_truth) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
