// SPDX-License-Identifier: MIT
#include "graph/way.h"
#include "base/fnv.h"
#include "base/text.h"
#include <string.h>

const char *weft_way_text(const weft_way *w, char text[WEFT_WAY_TEXT])
{
    weft_text t = { text, WEFT_WAY_TEXT, 0 };
    int used = WEFT_WAY_CUTS;
    while (used && !w->cut[used - 1]) used--;
    weft_text_add(&t, "%s", w->kernel);
    for (int i = 0; i < used; i++) weft_text_add(&t, " %d", (int) w->cut[i]);
    return text;
}

static void put_value(weft_text *t, const weft_graph *g, weft_value v)
{
    static const char *const layouts[] = { [WEFT_ROW] = "row", [WEFT_IMAGE] = "image", [WEFT_KERNEL] = "kernel", [WEFT_KERNEL_T] = "kernel_t" };
    const weft_value_def *def = v < 0 ? NULL : &g->values[v];
    if (!def) {
        weft_text_add(t, " -");
        return;
    }
    for (int d = 0; d < def->shape.rank; d++) weft_text_add(t, d ? ",%lld" : " [%lld", (long long) def->shape.dim[d]);
    weft_text_add(t, "%s/%s/%s", def->shape.rank ? "]" : " []", layouts[def->layout], def->storage == WEFT_F16 ? "f16" : def->storage == WEFT_I32 ? "i32" : "f32");
}

// The end of a text that is too long tells what was cut off.
static void close_key(char *key, const char *all, size_t length)
{
    enum { HASH = 18 };
    if (length < WEFT_NODE_KEY) {
        memcpy(key, all, length + 1);
        return;
    }
    memcpy(key, all, WEFT_NODE_KEY - HASH - 1);
    weft_text t = { key + WEFT_NODE_KEY - HASH - 1, HASH + 1, 0 };
    weft_text_add(&t, " #%016llx", (unsigned long long) weft_fnv(WEFT_FNV_BEGIN, all, length));
}

const char *weft_node_key(const weft_graph *g, const weft_node *n, char key[WEFT_NODE_KEY])
{
    char all[8 * WEFT_NODE_KEY];
    weft_text t = { all, sizeof all, 0 };
    weft_text_add(&t, "%s", n->op->name);
    for (const weft_attr *a = n->op->attrs; a && a->name; a++) {
        const void *at = (const char *) n->attrs + a->offset;
        const weft_list *list = at;
        if (a->type == WEFT_ATTR_FLOAT || weft_attr_is_default(n->op, a, n->attrs)) continue;
        weft_text_add(&t, " %s", a->name);
        const int count = a->type == WEFT_ATTR_LIST ? list->count : a->type == WEFT_ATTR_ENUM ? 1 : weft_attr_count(a);
        for (int i = 0; i < count; i++)
            weft_text_add(&t, "%c%lld", i ? ',' : '=', a->type == WEFT_ATTR_LIST ? (long long) list->at[i] : (long long) ((const int32_t *) at)[i]);
    }
    for (int i = 0; i < n->in_count; i++) {
        put_value(&t, g, n->in[i]);
        if (n->in[i] >= 0 && n->in_constant[i]) weft_text_add(&t, "/constant"); // what is made of it is made once
    }
    for (int i = 0; i < n->out_count; i++) put_value(&t, g, n->out[i]);
    close_key(key, all, t.length < sizeof all ? t.length : sizeof all - 1);
    return key;
}
