// SPDX-License-Identifier: MIT
// weft ops
#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>

struct ops_options { int all; };
static const option ops_options[] = {
    { "all", 'a', OPTION_FLAG, NULL, offsetof(struct ops_options, all), "the whole reference as Markdown" },
    { 0 }
};

static void print_short(const char *name, const char *formula)
{
    int n = (int) strcspn(formula, "\n");
    if (n > 88) {
        n = 85;
        while (n > 0 && formula[n] != ' ') n--;
        printf("  %-20s %.*s...\n", name, n, formula);
    } else printf("  %-20s %.*s\n", name, n, formula);
}

static int print_op(call *c, int index, bool whole)
{
    const size_t bytes = weft_op_doc(index, NULL, 0) + 1;
    char *doc = malloc(bytes);
    if (!doc) return fail(c, CODE_FAILED, "out of memory");
    weft_op_doc(index, doc, bytes);
    const char *formula = strstr(doc, "\n\n"); // what comes after the heading
    formula = formula ? formula + 2 : doc;
    if (whole) puts(doc);
    else print_short(weft_op_name(index), formula);
    free(doc);
    return CODE_OK;
}

static int run_ops(call *c)
{
    const struct ops_options *o = c->options;
    bool found = !c->arg_count;
    const char *names[512];
    int n = 0;
    for (int i = 0; weft_op_name(i); i++) {
        if (n < 511) names[n++] = weft_op_name(i);
        if (c->arg_count && strcmp(c->args[0], weft_op_name(i))) continue;
        found = true;
        const int code = print_op(c, i, c->arg_count || o->all);
        if (code) return code;
    }
    names[n] = NULL;
    if (found) return CODE_OK;
    const char *meant = nearest(c->args[0], names);
    return fail(c, CODE_USAGE, meant ? "there is no operator '%s'; did you mean '%s'?" : "there is no operator '%s'; `weft ops` lists them", c->args[0], meant);
}

const command command_ops = {
    .name = "ops", .args = "[NAME]", .summary = "lists the operators, or explains one", .options = ops_options,
    .option_bytes = sizeof(struct ops_options), .most = 1, .run = run_ops, .no_context = true,
    .examples = "  weft ops\n  weft ops conv2d",
};
