// SPDX-License-Identifier: MIT
// Reading a .weft file: FORMAT.md. Nothing in the file is believed before it is checked, and no count makes memory
// that the bytes present do not account for.
#include "base/text.h"
#include "graph/format.h"
#include "graph/model.h"
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct cursor { // the part of a section that is still to be read
    const unsigned char *at, *end;
    bool past; // something was wanted beyond the end; all numbers since are 0
} cursor;

static const unsigned char *take(cursor *c, uint64_t bytes)
{
    if (c->past || bytes > (uint64_t) (c->end - c->at)) return c->past = true, NULL;
    const unsigned char *at = c->at;
    c->at += bytes;
    return at;
}

static uint64_t load(const unsigned char *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t) at[i] << 8 * i;
    return v;
}

static uint64_t get(cursor *c, int bytes)
{
    const unsigned char *at = take(c, (uint64_t) bytes);
    return at ? load(at, bytes) : 0;
}

static weft_result bad(const char *what, const char *why) { return weft_fail(WEFT_ERR_FORMAT, "%s: %s", what, why); }
static weft_result check_past(const cursor *c, const char *what) { return c->past ? bad(what, "its section ends too early") : WEFT_OK; }

// A count of records of at least `least` bytes each.
static weft_result get_count(cursor *c, const char *what, int least, int64_t most, int *out)
{
    const int64_t n = (int64_t) get(c, 4);
    WEFT_TRY(check_past(c, what));
    if (n > most || n > (c->end - c->at) / least)
        return weft_fail(WEFT_ERR_FORMAT, "%s: there cannot be %lld of them", what, (long long) n);
    *out = (int) n;
    return WEFT_OK;
}

static weft_result get_name(cursor *c, const char *what, char name[WEFT_MAX_NAME + 1])
{
    const size_t n = (size_t) get(c, 1);
    const unsigned char *at = take(c, n);
    WEFT_TRY(check_past(c, what));
    if (!n || !weft_text_is_plain((const char *) at, n, false)) return bad(what, "a name that is empty, not UTF-8 or has control characters");
    memcpy(name, at, n);
    name[n] = 0;
    return WEFT_OK;
}

static weft_result get_dtype(cursor *c, const char *what, weft_dtype *out)
{
    static const weft_dtype dtypes[] = { [WEFT_FILE_F32] = WEFT_F32, [WEFT_FILE_F16] = WEFT_F16, [WEFT_FILE_I32] = WEFT_I32, [WEFT_FILE_U8] = WEFT_U8 };
    const uint64_t code = get(c, 1);
    WEFT_TRY(check_past(c, what));
    if (code >= sizeof dtypes / sizeof *dtypes) return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: element type %d is not known to this version", what, (int) code);
    *out = dtypes[code];
    return WEFT_OK;
}

static weft_result get_shape(cursor *c, const char *what, weft_shape *s)
{
    *s = (weft_shape) { .rank = (int) get(c, 1) };
    if (s->rank > WEFT_MAX_RANK) return weft_fail(WEFT_ERR_FORMAT, "%s: rank %d is not 0..%d", what, s->rank, WEFT_MAX_RANK);
    for (int i = 0; i < s->rank; i++) s->dim[i] = (int64_t) get(c, 8);
    return check_past(c, what);
}

typedef struct state_record { // of a state, until its entry is read
    const char *name;
    weft_dtype dtype;
    weft_shape shape;
    uint32_t init, next;
} state_record;

typedef struct reader {
    weft_model *m;
    state_record *states; // of the entry that comes next
    int state_count;
    const unsigned char *weights; // where the weights begin
    uint64_t weight_bytes;
    uint32_t seen; // bit per section that may come once
} reader;

// --- Metadata, dimensions, weights. --------------------------------------------------------------------------

static weft_result read_metas(reader *r, cursor *c)
{
    weft_arena *a = &r->m->arena;
    int count;
    WEFT_TRY(get_count(c, "metadata", 6, WEFT_MAX_METAS, &count));
    if (!(r->m->metas = weft_arena_new(a, sizeof *r->m->metas * (size_t) (count + 1)))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        char key[WEFT_MAX_NAME + 1];
        WEFT_TRY(get_name(c, "metadata", key));
        const uint64_t n = get(c, 4);
        const unsigned char *text = take(c, n);
        WEFT_TRY(check_past(c, key));
        if (n > WEFT_MAX_META_BYTES || !weft_text_is_plain((const char *) text, n, true))
            return weft_fail(WEFT_ERR_FORMAT, "metadata '%s': the value is too long, not UTF-8 or has control characters", key);
        char *value = weft_arena_new(a, n + 1);
        if (!value) return WEFT_ERR_MEMORY;
        memcpy(value, text, n);
        r->m->metas[r->m->meta_count++] = (weft_meta) { weft_arena_text(a, key), value };
    }
    return WEFT_OK;
}

static weft_result read_dims(reader *r, cursor *c)
{
    weft_arena *a = &r->m->arena;
    int count;
    WEFT_TRY(get_count(c, "dimensions", 18, WEFT_MAX_DIMS, &count));
    if (!(r->m->dims = weft_arena_new(a, sizeof *r->m->dims * (size_t) (count + 1)))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        char name[WEFT_MAX_NAME + 1];
        WEFT_TRY(get_name(c, "dimension", name));
        const int64_t preset = (int64_t) get(c, 8), multiple = (int64_t) get(c, 8);
        WEFT_TRY(check_past(c, name));
        if (preset < 1 || multiple < 1 || preset % multiple || preset > (int64_t) 1 << 40)
            return weft_fail(WEFT_ERR_FORMAT, "dimension '%s': preset %lld is not a positive multiple of %lld", name, (long long) preset, (long long) multiple);
        r->m->dims[r->m->dim_count++] = (weft_dim) { weft_arena_text(a, name), preset, multiple };
    }
    return WEFT_OK;
}

static uint64_t element_bytes(weft_dtype t) { return t == WEFT_U8 ? 1 : t == WEFT_F16 ? 2 : 4; }

// Weights come in the order of their names and of their places, and each begins where the one before it has ended.
static weft_result read_weight(reader *r, cursor *c, const char *before, uint64_t *end)
{
    weft_arena *a = &r->m->arena;
    weft_weight *w = weft_arena_new(a, sizeof *w);
    char name[WEFT_MAX_NAME + 1];
    if (!w) return WEFT_ERR_MEMORY;
    WEFT_TRY(get_name(c, "weight", name));
    if (before && strcmp(before, name) >= 0) return weft_fail(WEFT_ERR_FORMAT, "weight '%s' does not come after '%s'", name, before);
    WEFT_TRY(get_dtype(c, name, &w->dtype));
    WEFT_TRY(get_shape(c, name, &w->shape));
    const uint64_t offset = get(c, 8);
    WEFT_TRY(check_past(c, name));
    if (weft_shape_check(w->shape, name)) return WEFT_ERR_FORMAT;
    const uint64_t bytes = (uint64_t) weft_shape_count(w->shape) * element_bytes(w->dtype);
    if (offset % WEFT_FILE_ALIGN || offset < *end || offset > r->weight_bytes || bytes > r->weight_bytes - offset)
        return weft_fail(WEFT_ERR_FORMAT, "weight '%s': its %llu bytes cannot lie at %llu", name, (unsigned long long) bytes, (unsigned long long) offset);
    w->name = weft_arena_text(a, name);
    w->data = r->weights + offset;
    w->bytes = (size_t) bytes;
    *end = offset + bytes;
    r->m->weights[r->m->weight_count++] = w;
    return w->name ? WEFT_OK : WEFT_ERR_MEMORY;
}

static weft_result read_weights(reader *r, cursor *c)
{
    int count;
    uint64_t end = 0;
    const char *before = NULL;
    WEFT_TRY(get_count(c, "weights", 12, WEFT_MAX_RECORDS, &count));
    if (!(r->m->weights = weft_arena_new(&r->m->arena, sizeof *r->m->weights * ((size_t) count + 1)))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        WEFT_TRY(read_weight(r, c, before, &end));
        before = r->m->weights[i]->name;
    }
    return WEFT_OK;
}

// --- Entries. ------------------------------------------------------------------------------------------------

static weft_result read_port(const reader *r, cursor *c, const char *kind, char name[WEFT_MAX_NAME + 1], weft_dtype *dtype, weft_shape *shape)
{
    WEFT_TRY(get_name(c, kind, name));
    WEFT_TRY(get_dtype(c, name, dtype));
    WEFT_TRY(get_shape(c, name, shape));
    if (*dtype != WEFT_F32 && *dtype != WEFT_I32) return weft_fail(WEFT_ERR_FORMAT, "%s '%s': its type is neither f32 nor i32", kind, name);
    for (int k = 0; k < shape->rank; k++)
        if (!shape->dim[k] || shape->dim[k] < -r->m->dim_count)
            return weft_fail(WEFT_ERR_FORMAT, "%s '%s': dimension %d is neither a size nor a named dimension", kind, name, k);
    return WEFT_OK;
}

static weft_result read_states(reader *r, cursor *c)
{
    weft_arena *a = &r->m->arena;
    int count;
    WEFT_TRY(get_count(c, "states", 12, WEFT_MAX_PORTS, &count));
    if (!count || r->state_count) return bad("states", count ? "two sections of them come before one entry" : "a section of none");
    if (!(r->states = weft_arena_new(a, sizeof *r->states * (size_t) count))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        state_record *s = &r->states[i];
        char name[WEFT_MAX_NAME + 1];
        WEFT_TRY(read_port(r, c, "state", name, &s->dtype, &s->shape));
        s->init = (uint32_t) get(c, 4), s->next = (uint32_t) get(c, 4);
        WEFT_TRY(check_past(c, name));
        if (s->init != UINT32_MAX && s->init >= (uint32_t) r->m->weight_count) return weft_fail(WEFT_ERR_FORMAT, "state '%s' begins as no weight", name);
        if (!(s->name = weft_arena_text(a, name))) return WEFT_ERR_MEMORY;
    }
    r->state_count = count;
    return WEFT_OK;
}

static weft_result add_states(const reader *r, weft_graph *g)
{
    for (int i = 0; i < r->state_count; i++) {
        const state_record *s = &r->states[i];
        weft_graph_state(g, s->name, s->dtype, s->shape, s->init == UINT32_MAX ? NULL : r->m->weights[s->init]);
        WEFT_TRY(weft_graph_status(g));
    }
    return WEFT_OK;
}

// Once every value is there.
static weft_result link_states(reader *r, weft_graph *g)
{
    for (int i = 0; i < r->state_count; i++) {
        const uint32_t next = r->states[i].next;
        if (next == UINT32_MAX) continue;
        if (next >= (uint32_t) g->value_count) return weft_fail(WEFT_ERR_FORMAT, "state '%s' becomes no value of the entry", r->states[i].name);
        weft_graph_next(g, g->states[i].value, (weft_value) next);
        WEFT_TRY(weft_graph_status(g));
    }
    r->state_count = 0;
    return WEFT_OK;
}

static weft_result read_inputs(reader *r, cursor *c, weft_graph *g)
{
    int count;
    WEFT_TRY(get_count(c, "inputs", 4, WEFT_MAX_PORTS, &count));
    for (int i = 0; i < count; i++) {
        char name[WEFT_MAX_NAME + 1];
        weft_dtype dtype = WEFT_F32;
        weft_shape shape;
        WEFT_TRY(read_port(r, c, "input", name, &dtype, &shape));
        weft_graph_input(g, name, dtype, shape);
        WEFT_TRY(weft_graph_status(g));
    }
    return WEFT_OK;
}

static weft_result read_constants(reader *r, cursor *c, weft_graph *g)
{
    int count, before = -1;
    WEFT_TRY(get_count(c, "weights of the entry", 4, WEFT_MAX_RECORDS, &count));
    for (int i = 0; i < count; i++) {
        const uint64_t index = get(c, 4);
        if (index >= (uint64_t) r->m->weight_count || (int) index <= before) return bad("weights of the entry", "they are not ascending numbers of weights");
        before = (int) index;
        weft_graph_constant(g, r->m->weights[index]);
        WEFT_TRY(weft_graph_status(g));
    }
    return WEFT_OK;
}

static const weft_attr *find_attr(const weft_op *op, const char *name)
{
    const weft_attr *a = op->attrs;
    while (a && a->name && strcmp(a->name, name)) a++;
    return a && a->name ? a : NULL;
}

typedef struct attr_value { // as it stands in the file, in the terms of weft_attr_set
    int type, count;
    double num[WEFT_MAX_RANK];
    char word[WEFT_MAX_NAME + 1];
} attr_value;

static weft_result get_attr_value(cursor *c, const char *what, attr_value *v)
{
    v->type = (int) get(c, 1);
    if (v->type == WEFT_FILE_WORD) return get_name(c, what, v->word);
    v->count = (int) get(c, 1);
    if (v->count > WEFT_MAX_RANK || v->type > WEFT_FILE_LIST) return bad(what, "an attribute of no known form");
    for (int i = 0; i < v->count; i++) {
        const uint64_t bits = get(c, v->type == WEFT_FILE_LIST ? 8 : 4);
        const uint32_t low = (uint32_t) bits;
        float f;
        memcpy(&f, &low, 4);
        if (v->type == WEFT_FILE_LIST && ((int64_t) bits > (int64_t) 1 << 40 || (int64_t) bits < -((int64_t) 1 << 40)))
            return bad(what, "a number beyond 2^40");
        v->num[i] = v->type == WEFT_FILE_LIST ? (double) (int64_t) bits : v->type == WEFT_FILE_FLOAT ? (double) f : (double) (int32_t) low;
    }
    return check_past(c, what);
}

static weft_result read_attr(cursor *c, const weft_op *op, unsigned char *attrs, uint64_t *seen)
{
    static const int type_of[] = { [WEFT_ATTR_INT] = WEFT_FILE_INT, [WEFT_ATTR_FLOAT] = WEFT_FILE_FLOAT, [WEFT_ATTR_ENUM] = WEFT_FILE_WORD, [WEFT_ATTR_LIST] = WEFT_FILE_LIST };
    char name[WEFT_MAX_NAME + 1];
    attr_value v = { 0 };
    WEFT_TRY(get_name(c, op->name, name));
    WEFT_TRY(get_attr_value(c, name, &v));
    const weft_attr *a = find_attr(op, name);
    if (!a) // what a newer version means by it cannot be left out: only what differs from the default is written
        return weft_fail(WEFT_ERR_UNSUPPORTED, "%s has no attribute '%s' in this version", op->name, name);
    const uint64_t bit = (uint64_t) 1 << ((a - op->attrs) & 63);
    if (type_of[a->type] != v.type || *seen & bit || (a->type != WEFT_ATTR_LIST && a->type != WEFT_ATTR_ENUM && v.count != weft_attr_count(a)))
        return weft_fail(WEFT_ERR_FORMAT, "%s: attribute '%s' is of the wrong form or there twice", op->name, name);
    *seen |= bit;
    const weft_result r = weft_attr_set(op, attrs, name, a->type == WEFT_ATTR_ENUM ? v.word : NULL, v.num, v.count);
    return r == WEFT_OK || r == WEFT_ERR_MEMORY ? r : a->type == WEFT_ATTR_ENUM ? WEFT_ERR_UNSUPPORTED : WEFT_ERR_FORMAT;
}

static weft_result read_links(cursor *c, weft_graph *g, weft_value **in, int *in_count)
{
    WEFT_TRY(get_count(c, "inputs", 4, WEFT_MAX_RECORDS, in_count));
    if (!(*in = weft_arena_new(g->arena, sizeof **in * ((size_t) *in_count + 1)))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < *in_count; i++) {
        const uint32_t v = (uint32_t) get(c, 4);
        if (v != UINT32_MAX && v >= (uint32_t) g->value_count) return bad("inputs", "a value is used before it is made");
        (*in)[i] = v == UINT32_MAX ? -1 : (weft_value) v;
    }
    return WEFT_OK;
}

// `room`: how many values the entry may still make. Rows can make many outputs of one small node.
static weft_result read_node_body(cursor *c, weft_graph *g, int64_t *room)
{
    _Alignas(16) unsigned char attrs[WEFT_MAX_ATTR_BYTES] = { 0 };
    char name[WEFT_MAX_NAME + 1];
    weft_value *in;
    int in_count;
    uint64_t seen = 0;
    WEFT_TRY(get_name(c, "operator", name));
    const weft_op *op = weft_op_find(name);
    if (!op || op->flags & WEFT_OP_INTERNAL) return weft_fail(WEFT_ERR_UNSUPPORTED, "there is no operator '%s' in this version", name);
    weft_attr_defaults(op, attrs);
    for (int left = (int) get(c, 1); left > 0; left--) WEFT_TRY(read_attr(c, op, attrs, &seen));
    WEFT_TRY(read_links(c, g, &in, &in_count));
    const uint32_t out_count = (uint32_t) get(c, 4);
    WEFT_TRY(check_past(c, op->name));
    const int made = weft_op_outputs(op, attrs);
    if (made < 1 || (uint32_t) made != out_count || made > *room)
        return weft_fail(WEFT_ERR_FORMAT, "%s: %u outputs, this version makes %d", op->name, (unsigned) out_count, made);
    *room -= made;
    weft_graph_op(g, op, in, in_count, attrs);
    return weft_graph_status(g);
}

static weft_result read_nodes(cursor *c, weft_graph *g)
{
    int64_t room = c->end - c->at; // no more values than bytes: no small file makes a large graph
    int count;
    WEFT_TRY(get_count(c, "nodes", 13, WEFT_MAX_RECORDS, &count));
    for (int i = 0; i < count; i++) {
        char name[WEFT_MAX_NAME + 1];
        WEFT_TRY(get_name(c, "node", name));
        g->name_prefix = name;
        const weft_result r = read_node_body(c, g, &room);
        g->name_prefix = NULL;
        if (r != WEFT_OK) return weft_fail_prefix(r, "node %d '%s': ", i, name);
    }
    return WEFT_OK;
}

static weft_result read_outputs(cursor *c, weft_graph *g)
{
    int count;
    WEFT_TRY(get_count(c, "outputs", 6, WEFT_MAX_PORTS, &count));
    for (int i = 0; i < count; i++) {
        char name[WEFT_MAX_NAME + 1];
        WEFT_TRY(get_name(c, "output", name));
        const uint64_t v = get(c, 4);
        if (c->past || v >= (uint64_t) g->value_count) return weft_fail(WEFT_ERR_FORMAT, "output '%s' is no value of the entry", name);
        weft_graph_output(g, name, (weft_value) v);
        WEFT_TRY(weft_graph_status(g));
    }
    return WEFT_OK;
}

static weft_result read_entry(reader *r, cursor *c)
{
    weft_model *m = r->m;
    char name[WEFT_MAX_NAME + 1];
    if (m->entry_count == WEFT_MAX_ENTRIES) return bad("entries", "there are too many");
    WEFT_TRY(get_name(c, "entry", name));
    weft_entry *entries = weft_arena_grow(&m->arena, m->entries, m->entry_count, sizeof *entries);
    if (!entries) return WEFT_ERR_MEMORY;
    m->entries = entries;
    weft_entry *e = &entries[m->entry_count];
    *e = (weft_entry) { .name = weft_arena_text(&m->arena, name) };
    if (!e->name) return WEFT_ERR_MEMORY;
    weft_graph_init(&e->graph, &m->arena);
    m->entry_count++;
    weft_result x = read_inputs(r, c, &e->graph);
    if (x == WEFT_OK) x = add_states(r, &e->graph);
    if (x == WEFT_OK) x = read_constants(r, c, &e->graph);
    if (x == WEFT_OK) x = read_nodes(c, &e->graph);
    if (x == WEFT_OK) x = read_outputs(c, &e->graph);
    if (x == WEFT_OK) x = link_states(r, &e->graph);
    return x == WEFT_OK ? x : weft_fail_prefix(x, "entry '%s': ", name);
}

// --- The file. -----------------------------------------------------------------------------------------------

static const struct section { uint32_t tag; bool many; weft_result (*read)(reader *, cursor *); } known[] = {
    { WEFT_TAG_META, false, read_metas },
    { WEFT_TAG_DIMS, false, read_dims },
    { WEFT_TAG_WEIGHTS, false, read_weights },
    { WEFT_TAG_STATES, true, read_states },
    { WEFT_TAG_ENTRY, true, read_entry },
};
enum { KNOWN = sizeof known / sizeof *known };

static weft_result read_section(reader *r, cursor *head, int index)
{
    char what[64];
    snprintf(what, sizeof what, "section %d", index);
    const uint32_t tag = (uint32_t) get(head, 4), flags = (uint32_t) get(head, 4);
    const uint64_t bytes = get(head, 8);
    const unsigned char *body = take(head, bytes);
    const unsigned char *pad = take(head, -bytes % WEFT_SECTION_ALIGN);
    WEFT_TRY(check_past(head, what));
    for (uint64_t i = 0; i < -bytes % WEFT_SECTION_ALIGN; i++)
        if (pad[i]) return bad(what, "the bytes after it are not zero");
    if (flags & ~(uint32_t) WEFT_SECTION_REQUIRED) return bad(what, "a flag is set that has no meaning");
    int k = 0;
    while (k < KNOWN && known[k].tag != tag) k++;
    if (k == KNOWN && flags & WEFT_SECTION_REQUIRED) return weft_fail(WEFT_ERR_UNSUPPORTED, "%s is of a kind (0x%08x) that this version must know and does not", what, (unsigned) tag);
    if (k == KNOWN) return WEFT_OK;
    if (!known[k].many && r->seen >> k & 1) return bad(what, "it is there twice");
    if (!known[k].many && (r->m->entry_count || r->state_count)) return bad(what, "it comes after an entry");
    if (r->state_count && tag != WEFT_TAG_ENTRY) return bad(what, "between states and their entry");
    r->seen |= (uint32_t) 1 << k;
    cursor c = { body, body + bytes, false };
    WEFT_TRY(known[k].read(r, &c));
    WEFT_TRY(check_past(&c, what));
    return c.at == c.end ? WEFT_OK : bad(what, "bytes are left over at its end");
}

static weft_result check_header(const unsigned char *d, size_t bytes)
{
    static const unsigned char zeros[WEFT_AT_WEIGHTS_SUM - WEFT_AT_ZERO];
    const uint16_t one = 1;
    if (!*(const unsigned char *) &one) return weft_fail(WEFT_ERR_UNSUPPORTED, ".weft files are little-endian, and this machine is not");
    if (bytes < WEFT_FILE_HEADER) return weft_fail(WEFT_ERR_FORMAT, "%zu bytes are too few for a .weft file", bytes);
    if (memcmp(d, WEFT_FILE_MAGIC, 8)) return weft_fail(WEFT_ERR_FORMAT, "not a .weft file (its first bytes are others)");
    const unsigned major = (unsigned) load(d + WEFT_AT_MAJOR, 2), minor = (unsigned) load(d + WEFT_AT_MINOR, 2);
    if (major != WEFT_FILE_MAJOR)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "version %u.%u of the format; this version of weft reads %d", major, minor, WEFT_FILE_MAJOR);
    const uint64_t head = load(d + WEFT_AT_HEAD, 8);
    if (load(d + WEFT_AT_BYTES, 8) != bytes)
        return weft_fail(WEFT_ERR_FORMAT, "%zu bytes are there, the header says %llu: the file is cut off or damaged", bytes,
                         (unsigned long long) load(d + WEFT_AT_BYTES, 8));
    if (head < WEFT_FILE_HEADER || head > bytes || head > WEFT_MAX_HEAD || head % WEFT_FILE_ALIGN) return bad("header", "the size of the head cannot be");
    if (load(d + WEFT_AT_HEAD_SUM, 8) != XXH3_64bits_withSeed(d + WEFT_FILE_HEADER, (size_t) head - WEFT_FILE_HEADER, XXH3_64bits(d, WEFT_AT_HEAD_SUM)))
        return bad("header", "its checksum does not fit: the file is damaged");
    if (load(d + WEFT_AT_FEATURES, 4))
        return weft_fail(WEFT_ERR_UNSUPPORTED, "made by a newer version of weft: features 0x%x are not known to this one", (unsigned) load(d + WEFT_AT_FEATURES, 4));
    return memcmp(d + WEFT_AT_ZERO, zeros, sizeof zeros) ? bad("header", "reserved bytes are not zero") : WEFT_OK;
}

static weft_result read_file(reader *r, const unsigned char *d, size_t bytes)
{
    WEFT_TRY(check_header(d, bytes));
    const uint64_t head = load(d + WEFT_AT_HEAD, 8), sections = load(d + WEFT_AT_SECTIONS, 4);
    cursor c = { d + WEFT_FILE_HEADER, d + head, false };
    r->weights = d + head;
    r->weight_bytes = bytes - head;
    if (load(d + WEFT_AT_WEIGHTS_SUM, 8) != XXH3_64bits(r->weights, (size_t) r->weight_bytes)) return bad("weights", "their checksum does not fit: the file is damaged");
    if (sections > (head - WEFT_FILE_HEADER) / WEFT_SECTION_HEADER) return bad("header", "there cannot be so many sections");
    for (uint64_t i = 0; i < sections; i++) WEFT_TRY(read_section(r, &c, (int) i));
    if (c.end - c.at >= WEFT_FILE_ALIGN) return bad("header", "bytes are left over after the last section");
    for (; c.at < c.end; c.at++)
        if (*c.at) return bad("header", "the bytes after the last section are not zero");
    if (r->state_count) return bad("states", "no entry follows them");
    return weft_model_seal(r->m);
}

weft_result weft_model_read(weft_context *ctx, const void *data, size_t bytes, const char *name, weft_model **out)
{
    reader r = { 0 };
    if ((uintptr_t) data % 4) return weft_fail(WEFT_ERR_ARGUMENT, "%s: the data must lie at a multiple of 4 bytes", name);
    WEFT_TRY(weft_model_new(ctx, &r.m));
    const weft_result x = read_file(&r, data, bytes);
    if (x != WEFT_OK) {
        weft_model_release(r.m);
        // What a builder would call a wrong argument is, in a file, a wrong file.
        return weft_fail_prefix(x == WEFT_ERR_ARGUMENT ? WEFT_ERR_FORMAT : x, "%s: ", name);
    }
    *out = r.m;
    return WEFT_OK;
}
