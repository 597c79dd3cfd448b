// SPDX-License-Identifier: MIT
// An entry as text, one line per port and node; an operator's row as Markdown.
#include "base/text.h"
#include "graph/model.h"
#include <string.h>

static void put_number(weft_text *t, float x)
{
    char number[WEFT_NUMBER_TEXT];
    weft_text_add(t, "%s", weft_text_number(x, number));
}

static void put_word(weft_text *t, const char *choices, int index)
{
    while (index-- > 0) choices += strcspn(choices, "|") + 1;
    weft_text_add(t, "%.*s", (int) strcspn(choices, "|"), choices);
}

// A pair of equal numbers is one number.
static int shown(const weft_attr *a, const uint32_t *at)
{
    const int n = weft_attr_count(a);
    return n == 2 && at[0] == at[1] ? 1 : n;
}

static void put_attr_value(weft_text *t, const weft_attr *a, const void *attrs)
{
    const void *at = (const char *) attrs + a->offset;
    const weft_list *list = at;
    if (a->type == WEFT_ATTR_ENUM) put_word(t, a->choices, *(const int32_t *) at);
    for (int i = 0; a->type == WEFT_ATTR_LIST && i < list->count; i++) weft_text_add(t, i ? ",%lld" : "%lld", (long long) list->at[i]);
    for (int i = 0; (a->type == WEFT_ATTR_INT || a->type == WEFT_ATTR_FLOAT) && i < shown(a, at); i++) {
        if (i) weft_text_add(t, ",");
        if (a->type == WEFT_ATTR_FLOAT) put_number(t, ((const float *) at)[i]);
        else weft_text_add(t, "%d", (int) ((const int32_t *) at)[i]);
    }
}

// --- Entries. ------------------------------------------------------------------------------------------------

typedef struct printer {
    const weft_model *m;
    const weft_graph *g; // bound at the presets
    void (*line)(void *user, const char *text);
    void *user;
} printer;

// Values are called what weft_session_value calls them: their place in the entry.
static void put_value(weft_text *t, const weft_graph *g, weft_value v)
{
    if (v < 0) weft_text_add(t, "-");
    else if (g->values[v].weight) weft_text_add(t, "%s", g->values[v].weight->name);
    else weft_text_add(t, "%%%d", (int) g->values[v].origin);
}

static void put_type(weft_text *t, const weft_value_def *v)
{
    char shape[WEFT_SHAPE_TEXT];
    weft_text_add(t, "%s%s", v->dtype == WEFT_I32 ? "i32 " : "", weft_shape_text(v->shape, shape));
}

static void put_node(weft_text *t, const printer *p, int index)
{
    const weft_node *n = &p->g->nodes[index];
    for (int k = 0; k < n->out_count; k++) {
        if (k) weft_text_add(t, ", ");
        put_value(t, p->g, n->out[k]);
    }
    weft_text_add(t, " = %s(", n->op->name);
    for (int k = 0; k < n->in_count; k++) {
        if (k) weft_text_add(t, ", ");
        put_value(t, p->g, n->in[k]);
    }
    weft_text_add(t, ")");
    for (const weft_attr *a = n->op->attrs; a && a->name; a++) {
        if (weft_attr_is_default(n->op, a, n->attrs)) continue;
        weft_text_add(t, " %s=", a->name);
        put_attr_value(t, a, n->attrs);
    }
    for (int k = 0; k < n->out_count; k++) {
        weft_text_add(t, k ? ", " : "  ");
        put_type(t, &p->g->values[n->out[k]]);
    }
    weft_text_add(t, "  # %s", n->name);
}

static void put_input(weft_text *t, const printer *p, int index)
{
    const weft_port_def *port = &p->g->inputs[index];
    put_value(t, p->g, port->value);
    weft_text_add(t, " = input '%s'  ", port->name);
    put_type(t, &p->g->values[port->value]);
}

static void put_state(weft_text *t, const printer *p, int index)
{
    const weft_state_def *s = &p->g->states[index];
    put_value(t, p->g, s->value);
    weft_text_add(t, " = state '%s'  ", s->name);
    put_type(t, &p->g->values[s->value]);
    if (s->init) weft_text_add(t, "  # begins as %s", s->init->name);
}

static void put_next(weft_text *t, const printer *p, int index)
{
    const weft_state_def *s = &p->g->states[index];
    weft_text_add(t, "next '%s' = ", s->name);
    put_value(t, p->g, s->next < 0 ? s->value : s->next);
}

static void put_output(weft_text *t, const printer *p, int index)
{
    const weft_port_def *port = &p->g->outputs[index];
    weft_text_add(t, "output '%s' = ", port->name);
    put_value(t, p->g, port->value);
}

// Most lines fit a small room; a line that does not is put together again in one of its size.
static weft_result print(const printer *p, int count, void (*put)(weft_text *, const printer *, int))
{
    for (int i = 0; i < count; i++) {
        char small[512];
        weft_text t = { small, sizeof small, 0 };
        put(&t, p, i);
        char *big = NULL;
        if (t.length >= sizeof small) {
            if (!(big = weft_new(p->m->ctx, t.length + 1))) return WEFT_ERR_MEMORY;
            t = (weft_text) { big, t.length + 1, 0 };
            put(&t, p, i);
        }
        p->line(p->user, t.at);
        weft_delete(p->m->ctx, big);
    }
    return WEFT_OK;
}

static weft_result print_bound(const weft_model *m, int entry, weft_graph *bound, printer *p)
{
    int64_t *dims = weft_arena_new(bound->arena, sizeof *dims * (size_t) (m->dim_count + 1));
    if (!dims) return WEFT_ERR_MEMORY;
    WEFT_TRY(weft_model_bind_dims(m, entry, NULL, 0, dims));
    WEFT_TRY(weft_pass_bind(&m->entries[entry].graph, dims, bound));
    WEFT_TRY(print(p, bound->input_count, put_input));
    WEFT_TRY(print(p, bound->state_count, put_state));
    WEFT_TRY(print(p, bound->node_count, put_node));
    WEFT_TRY(print(p, bound->output_count, put_output));
    return print(p, bound->state_count, put_next);
}

weft_result weft_entry_print(const weft_model *m, int entry, void (*line)(void *, const char *), void *user)
{
    weft_arena scratch = { .ctx = m->ctx };
    weft_graph bound;
    weft_graph_init(&bound, &scratch);
    const weft_result r = print_bound(m, entry, &bound, &(printer) { m, &bound, line, user });
    weft_arena_free(&scratch);
    return r;
}

// --- Rows. ---------------------------------------------------------------------------------------------------

// "x w b?" -> "`x`, `w`, `b` (optional)"; "x..." -> "`x`, ..."
static void put_names(weft_text *t, const char *names)
{
    for (bool first = true; *names; first = false) {
        const size_t len = strcspn(names, " "), plain = strcspn(names, "?. ");
        weft_text_add(t, "%s`%.*s`", first ? "" : ", ", (int) plain, names);
        if (names[plain] == '?') weft_text_add(t, " (optional)");
        if (names[plain] == '.') weft_text_add(t, ", ...");
        names += len + (names[len] == ' ');
    }
}

static void put_attr_doc(weft_text *t, const weft_op *op, const weft_attr *a)
{
    _Alignas(16) unsigned char defaults[WEFT_MAX_ATTR_BYTES] = { 0 };
    weft_attr_defaults(op, defaults);
    weft_text_add(t, "| `%s` | ", a->name);
    if (a->type == WEFT_ATTR_ENUM) {
        for (const char *c = a->choices; *c;) {
            const size_t len = strcspn(c, "|");
            weft_text_add(t, "%s`%.*s`", c == a->choices ? "" : ", ", (int) len, c);
            c += len + (c[len] == '|');
        }
    } else {
        const char *type = a->type == WEFT_ATTR_FLOAT ? "number" : "integer";
        if (a->type == WEFT_ATTR_LIST) weft_text_add(t, "up to %d integers", WEFT_MAX_RANK);
        else if (weft_attr_count(a) > 1) weft_text_add(t, "%d %ss", weft_attr_count(a), type);
        else weft_text_add(t, "%s", type);
        if (a->min != 0 || a->max != 0) {
            weft_text_add(t, ", ");
            put_number(t, (float) a->min);
            weft_text_add(t, " to ");
            put_number(t, (float) a->max);
        }
    }
    weft_text_add(t, " | ");
    if (a->type == WEFT_ATTR_LIST) weft_text_add(t, "empty");
    else put_attr_value(t, a, defaults);
    weft_text_add(t, " | %s |\n", a->doc ? a->doc : "");
}

size_t weft_op_describe(const weft_op *op, char *text, size_t bytes)
{
    weft_text t = { text, bytes, 0 };
    weft_text_add(&t, "### %s\n\n%s\n\nInputs: ", op->name, op->doc);
    put_names(&t, op->in_names);
    weft_text_add(&t, ". Outputs: ");
    if (op->outputs) weft_text_add(&t, "as many as the attributes say");
    else put_names(&t, op->out_names);
    weft_text_add(&t, ".\n");
    if (op->attrs && op->attrs->name) weft_text_add(&t, "\n| attribute | values | default | |\n|---|---|---|---|\n");
    for (const weft_attr *a = op->attrs; a && a->name; a++) put_attr_doc(&t, op, a);
    return t.length;
}
