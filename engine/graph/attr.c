// SPDX-License-Identifier: MIT
// Attributes by name: defaults, setting, limits.
#include "graph/graph.h"
#include <math.h>
#include <string.h>

void weft_attr_defaults(const weft_op *op, void *attrs)
{
    for (const weft_attr *a = op->attrs; a && a->name; a++) {
        int32_t *i = (void *) ((char *) attrs + a->offset);
        float *f = (void *) i;
        for (int k = 0; k < weft_attr_count(a); k++) {
            if (a->type == WEFT_ATTR_INT) i[k] = (int32_t) a->def;
            if (a->type == WEFT_ATTR_FLOAT) f[k] = (float) a->def;
        }
    }
}

bool weft_attr_is_default(const weft_op *op, const weft_attr *a, const void *attrs)
{
    _Alignas(16) unsigned char defaults[WEFT_MAX_ATTR_BYTES] = { 0 };
    const char *at = (const char *) attrs + a->offset;
    if (a->type == WEFT_ATTR_LIST) return ((const weft_list *) (const void *) at)->count == 0;
    weft_attr_defaults(op, defaults);
    return !memcmp(at, defaults + a->offset, 4 * (size_t) (a->type == WEFT_ATTR_ENUM ? 1 : weft_attr_count(a)));
}

static int choice(const char *choices, const char *word) // index, -1: none
{
    const size_t n = strlen(word);
    for (int k = 0;; k++) {
        const size_t len = strcspn(choices, "|");
        if (len == n && !memcmp(choices, word, n)) return k;
        if (!choices[len]) return -1;
        choices += len + 1;
    }
}

static weft_result set_numbers(const weft_op *op, const weft_attr *a, void *at, const double *num, int count)
{
    const bool limited = a->min != 0 || a->max != 0;
    const int room = a->type == WEFT_ATTR_LIST ? WEFT_MAX_RANK : weft_attr_count(a);
    if (a->type == WEFT_ATTR_LIST ? count > room : count != room && count != 1)
        return weft_fail(WEFT_ERR_ARGUMENT, "%s: attribute '%s' has %d numbers, %s%d", op->name, a->name, count,
                         a->type == WEFT_ATTR_LIST ? "at most " : "not ", room);
    for (int k = 0; k < count; k++) {
        if (isnan(num[k]) || (limited && (num[k] < a->min || num[k] > a->max)))
            return weft_fail(WEFT_ERR_ARGUMENT, "%s: attribute '%s' is %g, not in %g..%g", op->name, a->name, num[k], a->min, a->max);
        const double most = a->type == WEFT_ATTR_LIST ? 0x1p40 : 0x1p31 - 1;
        if (a->type != WEFT_ATTR_FLOAT && (num[k] != floor(num[k]) || fabs(num[k]) > most))
            return weft_fail(WEFT_ERR_ARGUMENT, "%s: attribute '%s' is %g, not a whole number", op->name, a->name, num[k]);
    }
    if (a->type == WEFT_ATTR_LIST) {
        weft_list *list = at;
        list->count = count;
        for (int k = 0; k < count; k++) list->at[k] = (int64_t) num[k];
        return WEFT_OK;
    }
    for (int k = 0; k < room; k++) {
        const double v = num[count == 1 ? 0 : k];
        if (a->type == WEFT_ATTR_FLOAT) ((float *) at)[k] = (float) v;
        else ((int32_t *) at)[k] = (int32_t) v;
    }
    return WEFT_OK;
}

weft_result weft_attr_set(const weft_op *op, void *attrs, const char *name, const char *text, const double *num, int count)
{
    for (const weft_attr *a = op->attrs; a && a->name; a++) {
        if (strcmp(a->name, name)) continue;
        void *at = (char *) attrs + a->offset;
        if (a->type != WEFT_ATTR_ENUM && !text) return set_numbers(op, a, at, num, count);
        const int k = a->type == WEFT_ATTR_ENUM && text ? choice(a->choices, text) : -1;
        if (k < 0)
            return weft_fail(WEFT_ERR_ARGUMENT, "%s: attribute '%s' is '%s', not %s", op->name, name, text ? text : "a number",
                             a->choices ? a->choices : "a number");
        *(int32_t *) at = k;
        return WEFT_OK;
    }
    return weft_fail(WEFT_ERR_ARGUMENT, "%s has no attribute '%s'", op->name, name);
}
