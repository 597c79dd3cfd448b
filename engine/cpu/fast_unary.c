// SPDX-License-Identifier: MIT
// Activations with an exponential in them.
#include "cpu/epilogue.h"
#include "cpu/fast.h"
#include <string.h>

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **state, size_t *scratch)
{
    weft_activation a;
    (void) ctx, (void) constant, (void) scratch;
    *state = weft_activation_of(n, &a) ? (void *) (uintptr_t) n : NULL; // nothing to keep
    return WEFT_OK;
}

typedef struct job { weft_activation how; const float *x; float *y; } job;

static void stretch(void *user, int64_t begin, int64_t end)
{
    enum { STRETCH = 4096 };
    const job *j = user;
    for (int64_t i = begin; i < end; i += STRETCH) {
        const int64_t count = end - i < STRETCH ? end - i : STRETCH;
        if (j->y != j->x) memcpy(j->y + i, j->x + i, (size_t) count * sizeof *j->y);
        weft_cpu_activate(j->how.act, j->how.a, j->how.b, j->y + i, count);
    }
}

static weft_result run(void *state, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    enum { LEAST = 4096 };
    job j = { .x = in[0], .y = out[0] };
    (void) state, (void) scratch;
    weft_activation_of(n, &j.how);
    weft_parallel(ctx->pool, weft_shape_count(n->out_shape[0]), LEAST, stretch, &j);
    return WEFT_OK;
}

#define ROW(name) const weft_cpu_fast weft_cpu_fast_##name = { #name, prepare, run };
ROW(elu)
ROW(sigmoid)
ROW(tanh)
ROW(silu)
ROW(quick_gelu)
