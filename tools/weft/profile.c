// SPDX-License-Identifier: MIT
#include "profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>

static bool same(const char *a, const char *b) { return !a || !b ? a == b : !strcmp(a, b); }

// The kind a node belongs to; NULL: there is no room for more.
static profile_kind *kind_of(profile *p, const weft_node_time *t)
{
    int k = 0;
    while (k < p->count && !(!strcmp(p->kind[k].op, t->op) && same(p->kind[k].kernel, t->kernel) && same(p->kind[k].way, t->way))) k++;
    if (k == PROFILE_KINDS) return NULL;
    if (k < p->count) return &p->kind[k];
    p->count++;
    p->kind[k] = (profile_kind) { .op = t->op, .kernel = t->kernel };
    if (!t->way) return &p->kind[k];
    snprintf(p->text[k], sizeof p->text[k], "%s", t->way); // the session's own
    p->kind[k].way = p->text[k];
    return &p->kind[k];
}

void profile_add(void *user, const weft_node_time *t)
{
    profile_kind *k = kind_of(user, t);
    const double ms = t->kernel ? t->gpu_ms : t->wall_ms;
    if (!k) return;
    k->calls++;
    k->ms = ms < 0 || k->ms < 0 ? -1 : k->ms + ms;
    k->busy_ms += t->busy_ms, k->flops += t->flops, k->bytes += t->bytes;
}

static int slowest_first(const void *a, const void *b)
{
    const double d = ((const profile_kind *) b)->ms - ((const profile_kind *) a)->ms;
    return d < 0 ? -1 : d > 0;
}

void profile_sort(profile *p) { qsort(p->kind, (size_t) p->count, sizeof p->kind[0], slowest_first); }

static void print_kind(const profile_kind *k, double all, int runs)
{
    printf("%-24s %-22s %7d", k->op, k->way ? k->way : "", k->calls / runs);
    if (k->ms < 0) printf(" %11s %6s", "?", "");
    else printf(" %11.3f %6.1f", k->ms / runs, all > 0 ? 100 * k->ms / all : 0);
    if (k->kernel) printf(" %13s", "");
    else printf(" %13.3f", k->busy_ms / runs);
    if (k->ms > 0) printf(" %9.1f %9.2f", k->flops / k->ms * 1e-6, k->bytes / k->ms * 1e-6);
    puts("");
}

void profile_print(profile *p, int runs)
{
    double all = 0;
    if (!p->count) {
        puts("no times: nothing was computed");
        return;
    }
    for (int k = 0; k < p->count; k++) all += p->kind[k].ms > 0 ? p->kind[k].ms : 0;
    profile_sort(p);
    printf("%-24s %-22s %7s %11s %6s %13s %9s %9s\n", "operator", "way", "nodes", "ms per run", "%", "processor ms", "GFLOP/s", "GB/s");
    for (int k = 0; k < p->count; k++) print_kind(&p->kind[k], all, runs);
    printf("%-24s %-22s %7s %11.3f\n", "all", "", "", all / runs);
    if (p->kind[p->count - 1].ms < 0) puts("?: the device has no timestamps");
}
