// SPDX-License-Identifier: MIT
// States on every kind of device: what they hold after runs, what repeating costs, what a stop leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/context.h"
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

static _Atomic long allocations, messages, creates, submits, records;
static weft_context *ctx;
static weft_device *devices[3];
static const char *const names[3] = { "reference", "cpu", "vulkan" };

static void *hook(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    (void) user, (void) old_bytes;
    if (new_bytes) atomic_fetch_add(&allocations, 1);
    if (new_bytes) return realloc(p, new_bytes);
    return free(p), NULL;
}

static int count_call(void *user, const char *call)
{
    (void) user;
    if (!strncmp(call, "vkCreate", 8) || !strncmp(call, "vkAllocate", 10) || !strcmp(call, "vkMapMemory")) atomic_fetch_add(&creates, 1);
    if (!strcmp(call, "vkQueueSubmit")) atomic_fetch_add(&submits, 1);
    if (!strcmp(call, "vkBeginCommandBuffer")) atomic_fetch_add(&records, 1);
    return 0;
}

static void listen(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) level;
    if (atomic_fetch_add(&messages, 1) < 10) fprintf(stderr, "log: %s\n", line);
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .log = listen, .log_level = WEFT_LOG_WARN, .allocator = { hook, NULL }, .threads = 2 }, &ctx)) return 1;
    ctx->outside = count_call;
    for (int i = 0; i < 3; i++) {
        const weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = names[i], .validate = 1 }, &devices[i]);
        if (r && (i < 2 || r != WEFT_ERR_NO_DEVICE)) return 1;
    }
    if (!devices[2]) print_message("there is no Vulkan device: its part is skipped\n");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++) weft_device_destroy(&devices[i]);
    weft_context_destroy(&ctx);
    if (atomic_load(&messages)) print_error("%ld warnings in the log\n", atomic_load(&messages));
    return atomic_load(&messages) != 0;
}

// --- Short forms. ----------------------------------------------------------------------------------------------

static const weft_shape three = WEFT_SHAPE(3);
static weft_builder *b;
static weft_model *model;
static weft_session *s;

static void begin(void) { assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK); }

static void finish(void)
{
    const weft_result r = weft_builder_finish(&b, &model);
    if (r != WEFT_OK) print_error("%s\n", weft_error_text());
    assert_int_equal(r, WEFT_OK);
}

static bool open_with(int device, const weft_session_params *p)
{
    if (!devices[device]) return false;
    const weft_result r = weft_session_create(devices[device], model, p, &s);
    if (r != WEFT_OK) print_error("%s: %s\n", names[device], weft_error_text());
    assert_int_equal(r, WEFT_OK);
    return true;
}

static weft_result run(const float *x, float *y)
{
    const weft_io in = { "x", (void *) (uintptr_t) x, 12 }, out = { "y", y, 12 };
    return weft_session_run(s, &in, x != NULL, &out, y != NULL);
}

static void holds(const char *state, float a, float b_, float c)
{
    float got[3] = { NAN, NAN, NAN };
    assert_int_equal(weft_session_get_state(s, state, got, sizeof got), WEFT_OK);
    if (got[0] != a || got[1] != b_ || got[2] != c) print_error("state '%s' holds %g %g %g, not %g %g %g\n", state, got[0], got[1], got[2], a, b_, c);
    assert_true(got[0] == a && got[1] == b_ && got[2] == c);
}

static weft_value state3(const char *name, float x0, float x1, float x2) { return weft_build_state(b, name, WEFT_F32, three, (float[]) { x0, x1, x2 }); }

#define EACH_DEVICE(params) for (int device_ = 0; device_ < 3; device_++) if (open_with(device_, params))
static void shut(void) { weft_session_destroy(&s); }
static void done(void) { weft_model_destroy(&model); }

// --- What they hold. -------------------------------------------------------------------------------------------

static void a_counter_counts(void **state)
{
    (void) state;
    begin();
    const weft_value c = state3("count", 1, 20, 300);
    weft_build_next(b, c, weft_build(b, "add", WEFT_IN(c, weft_build_scalar(b, 1)), { 0 }));
    weft_build_output(b, "y", weft_build(b, "mul", WEFT_IN(c, weft_build_scalar(b, 2)), { 0 }));
    finish();
    EACH_DEVICE(NULL) {
        float y[3];
        weft_session_facts f;
        holds("count", 1, 20, 300);
        assert_int_equal(run(NULL, y), WEFT_OK);
        assert_true(y[0] == 2 && y[1] == 40 && y[2] == 600); // of the old value
        holds("count", 2, 21, 301);
        assert_int_equal(run(NULL, NULL), WEFT_OK);
        assert_int_equal(weft_session_repeat(s, 5), WEFT_OK);
        assert_int_equal(weft_session_repeat(s, 0), WEFT_OK);
        holds("count", 8, 27, 307);
        assert_int_equal(run(NULL, y), WEFT_OK);
        assert_true(y[0] == 16 && y[1] == 54 && y[2] == 614);
        weft_session_measure(s, &f);
        assert_int_equal(f.runs, 8);
        assert_true(f.state_bytes >= 12);
        shut();
    }
    done();
}

static void states_can_change_places(void **state)
{
    (void) state;
    begin();
    const weft_value p = state3("p", 1, 2, 3), q = state3("q", 4, 5, 6), r = state3("r", 0, 0, 0);
    weft_build_next(b, p, q);
    weft_build_next(b, q, p);
    weft_build_next(b, r, p);
    weft_build_output(b, "y", weft_build(b, "sub", WEFT_IN(p, q), { 0 }));
    finish();
    EACH_DEVICE(NULL) {
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        holds("p", 4, 5, 6), holds("q", 1, 2, 3), holds("r", 1, 2, 3);
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        holds("p", 1, 2, 3), holds("q", 4, 5, 6), holds("r", 4, 5, 6);
        assert_int_equal(weft_session_repeat(s, 101), WEFT_OK);
        holds("p", 4, 5, 6), holds("q", 1, 2, 3), holds("r", 1, 2, 3);
        shut();
    }
    done();
}

// a <- b <- c <- a + 1, and d <- c's next.
static void a_chain_moves_one_step_a_run(void **state)
{
    (void) state;
    begin();
    const weft_value p = state3("p", 1, 1, 1), q = state3("q", 2, 2, 2), r = state3("r", 3, 3, 3), t = state3("t", 0, 0, 0);
    const weft_value more = weft_build(b, "add", WEFT_IN(p, weft_build_scalar(b, 10)), { 0 });
    weft_build_next(b, p, q);
    weft_build_next(b, q, r);
    weft_build_next(b, r, more);
    weft_build_next(b, t, more);
    weft_build_output(b, "y", p);
    finish();
    EACH_DEVICE(NULL) {
        float y[3];
        assert_int_equal(run(NULL, y), WEFT_OK);
        assert_true(y[0] == 1);
        holds("p", 2, 2, 2), holds("q", 3, 3, 3), holds("r", 11, 11, 11), holds("t", 11, 11, 11);
        assert_int_equal(weft_session_repeat(s, 2), WEFT_OK);
        holds("p", 11, 11, 11), holds("q", 12, 12, 12), holds("r", 13, 13, 13), holds("t", 13, 13, 13);
        shut();
    }
    done();
}

static void an_output_is_the_state_as_it_was(void **state)
{
    (void) state;
    begin();
    const weft_value c = state3("c", 1, 2, 3), flat = weft_build(b, "reshape", WEFT_IN(c), WEFT_NUM("shape", 3, 1));
    const weft_value next = weft_build(b, "add", WEFT_IN(c, weft_build_scalar(b, 1)), { 0 });
    weft_build_next(b, c, next);
    weft_build_output(b, "y", c);
    weft_build_output(b, "flat", flat);
    weft_build_output(b, "next", next);
    finish();
    EACH_DEVICE(NULL) {
        float y[3], f[3], n[3];
        const weft_io out[] = { { "next", n, 12 }, { "flat", f, 12 }, { "y", y, 12 } };
        for (int i = 0; i < 3; i++) {
            assert_int_equal(weft_session_run(s, NULL, 0, out, 3), WEFT_OK);
            assert_true(y[0] == 1 + (float) i && f[1] == 2 + (float) i && n[2] == 4 + (float) i);
        }
        n[0] = y[0] = -1;
        assert_int_equal(weft_session_run(s, NULL, 0, out, 2), WEFT_OK); // the third is not asked for
        assert_true(n[0] == 5 && y[0] == -1);
        shut();
    }
    done();
}

static void next_may_be_anything_of_its_shape(void **state)
{
    (void) state;
    const float w[3] = { 7, 8, 9 };
    begin();
    const weft_value x = weft_build_input(b, "x", WEFT_F32, three), weight = weft_build_weight(b, "w", WEFT_F32, three, w);
    const weft_value from_x = state3("from x", 0, 0, 0), from_w = state3("from w", 0, 0, 0), self = state3("self", 1, 2, 3), never = state3("never", 4, 5, 6);
    const weft_value whole = weft_build_state(b, "whole", WEFT_I32, three, (int32_t[]) { 1, 2, 3 });
    const weft_value tall = weft_build_state(b, "tall", WEFT_F32, (weft_shape) WEFT_SHAPE(3, 1), NULL);
    weft_build_next(b, from_x, x);
    weft_build_next(b, from_w, weight);
    weft_build_next(b, self, self);
    weft_build_next(b, whole, weft_build(b, "add", WEFT_IN(whole, whole), { 0 }));
    weft_build_next(b, tall, weft_build(b, "reshape", WEFT_IN(self), WEFT_NUM("shape", 3, 1)));
    weft_build_output(b, "y", weft_build(b, "add", WEFT_IN(from_x, never), { 0 }));
    finish();
    EACH_DEVICE(NULL) {
        float x1[3] = { 1, 2, 3 }, y[3];
        int32_t k[3];
        assert_int_equal(weft_session_repeat(s, 1), WEFT_ERR_ARGUMENT); // x was never given
        assert_non_null(strstr(weft_error_text(), "'x'"));
        assert_int_equal(run(x1, y), WEFT_OK);
        assert_true(y[0] == 4 && y[1] == 5 && y[2] == 6);
        x1[0] = 100; // no longer looked at
        holds("from x", 1, 2, 3), holds("from w", 7, 8, 9), holds("self", 1, 2, 3), holds("never", 4, 5, 6), holds("tall", 1, 2, 3);
        assert_int_equal(weft_session_repeat(s, 3), WEFT_OK);
        holds("from x", 1, 2, 3), holds("never", 4, 5, 6);
        assert_int_equal(weft_session_get_state(s, "whole", k, sizeof k), WEFT_OK);
        assert_true(k[0] == 16 && k[1] == 32 && k[2] == 48);
        assert_int_equal(run(x1, y), WEFT_OK);
        assert_true(y[0] == 5);
        holds("from x", 100, 2, 3);
        shut();
    }
    done();
}

static void states_are_set_read_and_set_back(void **state)
{
    (void) state;
    begin();
    const weft_value p = state3("p", 1, 2, 3), q = weft_build_state(b, "q", WEFT_F32, three, NULL);
    weft_build_next(b, q, p);
    weft_build_output(b, "y", q);
    finish();
    EACH_DEVICE(NULL) {
        const float set[3] = { 5, 6, 7 };
        float got[3];
        const weft_port *ports;
        assert_int_equal(weft_session_states(s, &ports), 2);
        assert_string_equal(ports[1].name, "q");
        assert_int_equal(ports[1].shape.dim[0], 3);
        assert_int_equal(weft_session_set_state(s, "p", set, sizeof set), WEFT_OK);
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        holds("p", 5, 6, 7), holds("q", 5, 6, 7);
        assert_int_equal(weft_session_set_state(s, "q", NULL, 0), WEFT_OK);
        holds("p", 5, 6, 7), holds("q", 0, 0, 0);
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
        holds("p", 1, 2, 3), holds("q", 0, 0, 0);
        assert_int_equal(weft_session_set_state(s, "r", set, sizeof set), WEFT_ERR_ARGUMENT);
        assert_non_null(strstr(weft_error_text(), "'r'"));
        assert_int_equal(weft_session_set_state(s, "p", set, 8), WEFT_ERR_ARGUMENT);
        assert_non_null(strstr(weft_error_text(), "wants 12"));
        assert_int_equal(weft_session_set_state(s, NULL, set, 12), WEFT_ERR_ARGUMENT);
        assert_int_equal(weft_session_get_state(s, "p", got, 16), WEFT_ERR_ARGUMENT);
        assert_int_equal(weft_session_get_state(s, NULL, got, 12), WEFT_ERR_ARGUMENT);
        assert_int_equal(weft_session_repeat(s, -1), WEFT_ERR_ARGUMENT);
        shut();
    }
    done();
}

// Longer than what is staged at once.
static void a_long_state_goes_piece_by_piece(void **state)
{
    (void) state;
    enum { LONG = (5 << 20) / 4 + 17 };
    float *v = malloc(LONG * sizeof *v), *got = malloc(LONG * sizeof *got);
    assert_true(v && got);
    for (int i = 0; i < LONG; i++) v[i] = (float) (i % 8191);
    begin();
    const weft_value p = weft_build_state(b, "p", WEFT_F32, (weft_shape) WEFT_SHAPE(LONG), v);
    weft_build_next(b, p, weft_build(b, "add", WEFT_IN(p, weft_build_scalar(b, 1)), { 0 }));
    weft_build_output(b, "y", weft_build(b, "sum", WEFT_IN(p), { 0 }));
    finish();
    EACH_DEVICE(NULL) {
        int wrong = 0;
        assert_int_equal(weft_session_repeat(s, 2), WEFT_OK);
        assert_int_equal(weft_session_get_state(s, "p", got, LONG * sizeof *got), WEFT_OK);
        for (int i = 0; i < LONG; i++) wrong += got[i] != v[i] + 2;
        assert_int_equal(weft_session_set_state(s, "p", v, LONG * sizeof *v), WEFT_OK);
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        assert_int_equal(weft_session_get_state(s, "p", got, LONG * sizeof *got), WEFT_OK);
        for (int i = 0; i < LONG; i++) wrong += got[i] != v[i] + 1;
        assert_int_equal(wrong, 0);
        shut();
    }
    done();
    free(v), free(got);
}

// --- What building refuses. ------------------------------------------------------------------------------------

static void refuses(const char *text)
{
    assert_int_equal(weft_builder_finish(&b, &model), WEFT_ERR_ARGUMENT);
    if (!strstr(weft_error_text(), text)) print_error("%s\n", weft_error_text());
    assert_non_null(strstr(weft_error_text(), text));
}

static void what_cannot_be_a_state_is_refused(void **state)
{
    (void) state;
    begin();
    weft_value p = state3("p", 1, 2, 3);
    weft_build_next(b, p, weft_build_scalar(b, 1));
    weft_build_output(b, "y", p);
    refuses("state 'p' is [3], but becomes ");
    begin();
    p = state3("p", 1, 2, 3);
    weft_build_next(b, p, weft_build_state(b, "q", WEFT_I32, three, NULL));
    weft_build_output(b, "y", p);
    refuses("but becomes i32 [3]");
    begin();
    p = state3("p", 1, 2, 3);
    weft_build_next(b, p, p);
    weft_build_next(b, p, p);
    weft_build_output(b, "y", p);
    refuses("said twice");
    begin();
    p = weft_build_input(b, "p", WEFT_F32, three);
    weft_build_next(b, p, p);
    refuses("is no state");
    begin();
    p = weft_build_input(b, "p", WEFT_F32, three);
    weft_build_output(b, "y", state3("p", 1, 2, 3));
    refuses("both an input and a state");
    begin();
    p = state3("p", 1, 2, 3);
    weft_build_output(b, "y", state3("p", 1, 2, 3));
    refuses("there twice");
    begin();
    weft_build_output(b, "y", weft_build_state(b, "p", WEFT_F16, three, NULL));
    refuses("WEFT_F32 or WEFT_I32");
}

// --- A recurrence with some work in it. ------------------------------------------------------------------------

enum { N = 24 };

// v <- tanh(m v), m <- 0.99 m + 0.01 v v^T, k <- k + 1
static void build_recurrence(void)
{
    float v[N], m[N * N];
    for (int i = 0; i < N; i++) v[i] = sinf((float) i);
    for (int i = 0; i < N * N; i++) m[i] = 0.4f * cosf((float) (i * i % 97));
    begin();
    const weft_value vec = weft_build_state(b, "v", WEFT_F32, (weft_shape) WEFT_SHAPE(N, 1), v);
    const weft_value mat = weft_build_state(b, "m", WEFT_F32, (weft_shape) WEFT_SHAPE(N, N), m);
    const weft_value k = weft_build_state(b, "k", WEFT_F32, (weft_shape) WEFT_SHAPE(1), NULL);
    const weft_value product = weft_build(b, "matmul", WEFT_IN(mat, vec), { 0 }), next = weft_build(b, "tanh", WEFT_IN(product), { 0 });
    const weft_value row = weft_build(b, "reshape", WEFT_IN(next), WEFT_NUM("shape", 1, N));
    const weft_value outer = weft_build(b, "mul", WEFT_IN(next, row), { 0 });
    const weft_value a = weft_build(b, "mul", WEFT_IN(mat, weft_build_scalar(b, 0.99)), { 0 });
    const weft_value c = weft_build(b, "mul", WEFT_IN(outer, weft_build_scalar(b, 0.01)), { 0 });
    weft_build_next(b, vec, next);
    weft_build_next(b, mat, weft_build(b, "add", WEFT_IN(a, c), { 0 }));
    weft_build_next(b, k, weft_build(b, "add", WEFT_IN(k, weft_build_scalar(b, 1)), { 0 }));
    weft_build_output(b, "loss", weft_build(b, "sum", WEFT_IN(next), { 0 }));
    finish();
}

typedef struct outcome { float v[N], m[N * N], k; } outcome;

static void read_outcome(outcome *o)
{
    assert_int_equal(weft_session_get_state(s, "v", o->v, sizeof o->v), WEFT_OK);
    assert_int_equal(weft_session_get_state(s, "m", o->m, sizeof o->m), WEFT_OK);
    assert_int_equal(weft_session_get_state(s, "k", &o->k, sizeof o->k), WEFT_OK);
}

static double difference(const outcome *got, const outcome *want)
{
    double d = 0, n = 1e-30;
    for (int i = 0; i < N * N; i++) d += (double) (got->m[i] - want->m[i]) * (got->m[i] - want->m[i]), n += (double) want->m[i] * want->m[i];
    for (int i = 0; i < N; i++) d += (double) (got->v[i] - want->v[i]) * (got->v[i] - want->v[i]), n += (double) want->v[i] * want->v[i];
    return sqrt(d / n);
}

static void every_device_walks_the_same_way(void **state)
{
    (void) state;
    static outcome want, got;
    build_recurrence();
    EACH_DEVICE(NULL) {
        assert_int_equal(weft_session_repeat(s, 20), WEFT_OK);
        read_outcome(device_ ? &got : &want);
        if (device_) assert_true(got.k == 20 && difference(&got, &want) < 1e-4);
        shut();
    }
    EACH_DEVICE((&(weft_session_params) { .keep_values = 1, .no_fuse = 1 })) { // nothing in place
        assert_int_equal(weft_session_repeat(s, 20), WEFT_OK);
        read_outcome(&got);
        assert_true(got.k == 20 && difference(&got, &want) < 1e-4);
        shut();
    }
    EACH_DEVICE((&(weft_session_params) { .precision = WEFT_FAST })) { // states stay f32
        assert_int_equal(weft_session_set_state(s, "k", &(float) { 100000 }, 4), WEFT_OK);
        assert_int_equal(weft_session_set_state(s, "v", want.v, sizeof want.v), WEFT_OK);
        read_outcome(&got);
        assert_true(got.k == 100000);
        assert_memory_equal(got.v, want.v, sizeof want.v);
        assert_int_equal(weft_session_repeat(s, 1), WEFT_OK);
        shut();
    }
    done();
}

static void the_same_calls_give_the_same_bits(void **state)
{
    (void) state;
    static outcome once, again;
    build_recurrence();
    EACH_DEVICE(NULL) {
        assert_int_equal(weft_session_repeat(s, 200), WEFT_OK);
        read_outcome(&once);
        assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
        for (int i = 0; i < 10; i++) assert_int_equal(run(NULL, NULL), WEFT_OK);
        assert_int_equal(weft_session_repeat(s, 190), WEFT_OK);
        read_outcome(&again);
        assert_memory_equal(&once, &again, sizeof once);
        assert_true(once.k == 200);
        shut();
    }
    done();
}

static void repeating_allocates_and_records_nothing(void **state)
{
    (void) state;
    build_recurrence();
    EACH_DEVICE(NULL) {
        outcome o;
        float loss;
        const weft_io out = { "loss", &loss, 4 };
        assert_int_equal(weft_session_repeat(s, 3), WEFT_OK);
        atomic_store(&creates, 0), atomic_store(&submits, 0), atomic_store(&records, 0), atomic_store(&allocations, 0);
        assert_int_equal(weft_session_repeat(s, 1000), WEFT_OK);
        assert_int_equal(weft_session_run(s, NULL, 0, &out, 1), WEFT_OK);
        assert_int_equal(atomic_load(&allocations), 0);
        assert_int_equal(atomic_load(&creates), 0);
        assert_int_equal(atomic_load(&records), 0);
        assert_true(atomic_load(&submits) <= 1001);
        if (device_ == 2) {
            print_message("1001 runs in %ld submissions\n", atomic_load(&submits));
            assert_true(atomic_load(&submits) > 0 && atomic_load(&submits) < 600); // short steps go together
        }
        read_outcome(&o); // neither do the ways in and out
        assert_int_equal(weft_session_set_state(s, "v", o.v, sizeof o.v), WEFT_OK);
        assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
        assert_int_equal(atomic_load(&allocations), 0);
        assert_int_equal(atomic_load(&creates), 0);
        assert_true(o.k == 1004);
        shut();
    }
    done();
}

typedef struct watch { long calls, stop_at; double last; bool back; } watch;

static int on_progress(void *user, double part)
{
    watch *w = user;
    w->back |= part < w->last || part > 1.0000001;
    w->last = part;
    return ++w->calls == w->stop_at;
}

static void a_stop_leaves_whole_runs(void **state)
{
    (void) state;
    static outcome stopped, whole;
    watch w;
    const weft_session_params p = { .progress = on_progress, .progress_user = &w };
    build_recurrence();
    EACH_DEVICE(&p) {
        weft_session_facts f;
        w = (watch) { 0 };
        assert_int_equal(weft_session_repeat(s, 4000), WEFT_OK);
        assert_true(w.calls > 1 && !w.back && fabs(w.last - 1) < 1e-6);
        for (long at = 1; at < 12; at++) {
            assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
            weft_session_measure(s, &f);
            const int64_t before = f.runs;
            w = (watch) { .stop_at = at };
            const weft_result r = weft_session_repeat(s, 4000);
            if (device_ < 2) assert_int_equal(r, WEFT_ERR_CANCELLED);
            if (r == WEFT_OK) break; // fewer submissions than that
            read_outcome(&stopped);
            weft_session_measure(s, &f);
            assert_true(stopped.k == (float) (f.runs - before));
            assert_int_equal(weft_session_set_state(s, NULL, NULL, 0), WEFT_OK);
            w = (watch) { 0 };
            assert_int_equal(weft_session_repeat(s, f.runs - before), WEFT_OK);
            read_outcome(&whole);
            assert_memory_equal(&stopped, &whole, sizeof whole);
        }
        shut();
    }
    done();
}

static void without_end_until_stopped(void **state)
{
    (void) state;
    watch w;
    const weft_session_params p = { .progress = on_progress, .progress_user = &w };
    begin();
    const weft_value first = state3("first", 1, 1, 1), last = state3("last", 2, 2, 2);
    weft_build_next(b, first, weft_build(b, "add", WEFT_IN(last, weft_build_scalar(b, 1)), { 0 }));
    weft_build_next(b, last, first);
    weft_build_output(b, "y", first);
    finish();
    EACH_DEVICE(&p) {
        weft_session_facts f;
        w = (watch) { .stop_at = 3 };
        assert_int_equal(weft_session_repeat(s, INT64_MAX), WEFT_ERR_CANCELLED);
        weft_session_measure(s, &f);
        assert_true(f.runs > 0);
        shut();
    }
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_counts),
        cmocka_unit_test(states_can_change_places),
        cmocka_unit_test(a_chain_moves_one_step_a_run),
        cmocka_unit_test(an_output_is_the_state_as_it_was),
        cmocka_unit_test(next_may_be_anything_of_its_shape),
        cmocka_unit_test(states_are_set_read_and_set_back),
        cmocka_unit_test(a_long_state_goes_piece_by_piece),
        cmocka_unit_test(what_cannot_be_a_state_is_refused),
        cmocka_unit_test(every_device_walks_the_same_way),
        cmocka_unit_test(the_same_calls_give_the_same_bits),
        cmocka_unit_test(repeating_allocates_and_records_nothing),
        cmocka_unit_test(a_stop_leaves_whole_runs),
        cmocka_unit_test(without_end_until_stopped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
