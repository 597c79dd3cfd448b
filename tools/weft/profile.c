// SPDX-License-Identifier: MIT
#include "profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void profile_add(void *user, const weft_node_time *t)
{
    profile *p = user;
    int k = 0;
    while (k < p->count && strcmp(p->kind[k].op, t->op)) k++;
    if (k == PROFILE_KINDS) return;
    if (k == p->count) p->kind[p->count++].op = t->op;
    p->kind[k].calls++;
    p->kind[k].wall_ms += t->wall_ms, p->kind[k].busy_ms += t->busy_ms, p->kind[k].flops += t->flops;
}

static int slowest_first(const void *a, const void *b)
{
    const double d = ((const profile_kind *) b)->wall_ms - ((const profile_kind *) a)->wall_ms;
    return d < 0 ? -1 : d > 0;
}

void profile_print(profile *p, int runs)
{
    double all = 0;
    if (!p->count) {
        puts("no times: only cpu and reference tell them");
        return;
    }
    for (int k = 0; k < p->count; k++) all += p->kind[k].wall_ms;
    qsort(p->kind, (size_t) p->count, sizeof p->kind[0], slowest_first);
    printf("%-24s %7s %11s %6s %13s %9s\n", "operator", "nodes", "ms per run", "%", "processor ms", "GFLOP/s");
    for (int k = 0; k < p->count; k++)
        printf("%-24s %7d %11.3f %6.1f %13.3f %9.1f\n", p->kind[k].op, p->kind[k].calls / runs, p->kind[k].wall_ms / runs,
               all > 0 ? 100 * p->kind[k].wall_ms / all : 0, p->kind[k].busy_ms / runs, p->kind[k].wall_ms > 0 ? p->kind[k].flops / p->kind[k].wall_ms * 1e-6 : 0);
    printf("%-24s %7s %11.3f\n", "all", "", all / runs);
}
