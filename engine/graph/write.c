// SPDX-License-Identifier: MIT
// Writing a model as a .weft file: FORMAT.md. The head is put together in memory, the weights are streamed.
#include "graph/format.h"
#include "graph/model.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct head { // a growing piece of the file
    weft_context *ctx;
    unsigned char *data;
    size_t count, room;
    weft_result failed;
} head;

static unsigned char *put_room(head *h, size_t bytes)
{
    if (h->failed) return NULL;
    if (h->room - h->count < bytes) {
        const size_t room = 2 * h->room + bytes + 4096;
        unsigned char *data = weft_resize(h->ctx, h->data, room);
        if (!data) return h->failed = WEFT_ERR_MEMORY, NULL;
        h->data = data, h->room = room;
    }
    unsigned char *at = h->data + h->count;
    h->count += bytes;
    return at;
}

static void put_bytes(head *h, const void *data, size_t bytes)
{
    unsigned char *at = put_room(h, bytes);
    if (at && bytes) memcpy(at, data, bytes);
}

static void store(unsigned char *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char) (v >> 8 * i);
}

static void put(head *h, uint64_t v, int bytes)
{
    unsigned char *at = put_room(h, (size_t) bytes);
    if (at) store(at, v, bytes);
}

static void put_name(head *h, const char *name) // weft_model_check_names has seen it
{
    const size_t n = strlen(name);
    put(h, n, 1);
    put_bytes(h, name, n);
}

static void put_shape(head *h, weft_shape s)
{
    put(h, (uint64_t) s.rank, 1);
    for (int i = 0; i < s.rank; i++) put(h, (uint64_t) s.dim[i], 8);
}

static void pad_to(head *h, size_t align)
{
    const size_t bytes = (align - h->count % align) % align;
    unsigned char *at = put_room(h, bytes);
    if (at) memset(at, 0, bytes);
}

static size_t begin_section(head *h, uint32_t tag)
{
    put(h, tag, 4);
    put(h, WEFT_SECTION_REQUIRED, 4);
    put(h, 0, 8);
    return h->count;
}

static void end_section(head *h, size_t begin)
{
    if (!h->failed) store(h->data + begin - 8, h->count - begin, 8);
    pad_to(h, WEFT_SECTION_ALIGN);
}

// --- Weights, ordered by name: so the order does not depend on how the model was made, and a reader sees twins. ----

static void sort_by_name(const weft_weight **w, int count)
{
    int gap = 1;
    while (gap < count / 3) gap = 3 * gap + 1;
    for (; gap; gap /= 3)
        for (int i = gap; i < count; i++) {
            const weft_weight *moving = w[i];
            int k = i;
            for (; k >= gap && strcmp(w[k - gap]->name, moving->name) > 0; k -= gap) w[k] = w[k - gap];
            w[k] = moving;
        }
}

static int find_by_name(const weft_weight *const *w, int count, const char *name)
{
    int low = 0;
    for (int high = count; low < high;) {
        const int middle = low + (high - low) / 2;
        if (strcmp(w[middle]->name, name) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static size_t padded(size_t bytes) { return (bytes + WEFT_FILE_ALIGN - 1) / WEFT_FILE_ALIGN * WEFT_FILE_ALIGN; }

static void put_weights(head *h, const weft_weight *const *w, int count)
{
    static const unsigned char code[] = { [WEFT_F32] = WEFT_FILE_F32, [WEFT_F16] = WEFT_FILE_F16, [WEFT_I32] = WEFT_FILE_I32, [WEFT_U8] = WEFT_FILE_U8 };
    const size_t begin = begin_section(h, WEFT_TAG_WEIGHTS);
    size_t offset = 0;
    put(h, (uint64_t) count, 4);
    for (int i = 0; i < count; i++) {
        put_name(h, w[i]->name);
        put(h, code[w[i]->dtype], 1);
        put_shape(h, w[i]->shape);
        put(h, offset, 8);
        offset += padded(w[i]->bytes);
    }
    end_section(h, begin);
}

// --- Entries. ------------------------------------------------------------------------------------------------

static void put_word(head *h, const char *choices, int index)
{
    while (index-- > 0) choices += strcspn(choices, "|") + 1;
    const size_t n = strcspn(choices, "|");
    put(h, n, 1);
    put_bytes(h, choices, n);
}

static void put_attr(head *h, const weft_attr *a, const unsigned char *attrs)
{
    const void *at = attrs + a->offset;
    put_name(h, a->name);
    if (a->type == WEFT_ATTR_ENUM) {
        put(h, WEFT_FILE_WORD, 1);
        put_word(h, a->choices, *(const int32_t *) at);
    } else if (a->type == WEFT_ATTR_LIST) {
        const weft_list *list = at;
        put(h, WEFT_FILE_LIST, 1);
        put(h, (uint64_t) list->count, 1);
        for (int i = 0; i < list->count; i++) put(h, (uint64_t) list->at[i], 8);
    } else {
        put(h, a->type == WEFT_ATTR_FLOAT ? WEFT_FILE_FLOAT : WEFT_FILE_INT, 1);
        put(h, (uint64_t) weft_attr_count(a), 1);
        for (int i = 0; i < weft_attr_count(a); i++) put(h, ((const uint32_t *) at)[i], 4); // the bits of a float are its value
    }
}

static void put_node(head *h, const weft_node *n, const weft_value *map)
{
    int attrs = 0;
    put_name(h, n->name);
    put_name(h, n->op->name);
    for (const weft_attr *a = n->op->attrs; a && a->name; a++) attrs += !weft_attr_is_default(n->op, a, n->attrs);
    put(h, (uint64_t) attrs, 1);
    for (const weft_attr *a = n->op->attrs; a && a->name; a++)
        if (!weft_attr_is_default(n->op, a, n->attrs)) put_attr(h, a, n->attrs);
    put(h, (uint64_t) n->in_count, 4);
    for (int i = 0; i < n->in_count; i++) put(h, n->in[i] < 0 ? UINT32_MAX : (uint32_t) map[n->in[i]], 4);
    put(h, (uint64_t) n->out_count, 4);
}

// Values are numbered anew: inputs, states, weights in the table's order, outputs of nodes.
static int number_values(const weft_graph *g, const weft_weight *const *w, int weight_count, int32_t *use, weft_value *map)
{
    int next = 0, uses = 0;
    for (int i = 0; i < g->input_count; i++) map[g->inputs[i].value] = next++;
    for (int i = 0; i < g->state_count; i++) map[g->states[i].value] = next++;
    for (int i = 0; i < weight_count; i++) use[i] = -1;
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].weight) use[find_by_name(w, weight_count, g->values[v].weight->name)] = v;
    for (int i = 0; i < weight_count; i++)
        if (use[i] >= 0) map[use[i]] = next++, use[uses++] = i;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].out_count; k++) map[g->nodes[i].out[k]] = next++;
    return uses;
}

static void put_states(head *h, const weft_graph *g, const weft_weight *const *w, int weight_count, const weft_value *map)
{
    if (!g->state_count) return;
    const size_t begin = begin_section(h, WEFT_TAG_STATES);
    put(h, (uint64_t) g->state_count, 4);
    for (int i = 0; i < g->state_count; i++) {
        const weft_state_def *s = &g->states[i];
        put_name(h, s->name);
        put(h, g->values[s->value].dtype == WEFT_I32 ? WEFT_FILE_I32 : WEFT_FILE_F32, 1);
        put_shape(h, g->values[s->value].shape);
        put(h, s->init ? (uint32_t) find_by_name(w, weight_count, s->init->name) : UINT32_MAX, 4);
        put(h, s->next < 0 ? UINT32_MAX : (uint32_t) map[s->next], 4);
    }
    end_section(h, begin);
}

static void put_graph(head *h, const weft_entry *e, const int32_t *use, int uses, const weft_value *map)
{
    const weft_graph *g = &e->graph;
    const size_t begin = begin_section(h, WEFT_TAG_ENTRY);
    put_name(h, e->name);
    put(h, (uint64_t) g->input_count, 4);
    for (int i = 0; i < g->input_count; i++) {
        const weft_value_def *v = &g->values[g->inputs[i].value];
        put_name(h, g->inputs[i].name);
        put(h, v->dtype == WEFT_I32 ? WEFT_FILE_I32 : WEFT_FILE_F32, 1);
        put_shape(h, v->shape);
    }
    put(h, (uint64_t) uses, 4);
    for (int i = 0; i < uses; i++) put(h, (uint64_t) use[i], 4);
    put(h, (uint64_t) g->node_count, 4);
    for (int i = 0; i < g->node_count; i++) put_node(h, &g->nodes[i], map);
    put(h, (uint64_t) g->output_count, 4);
    for (int i = 0; i < g->output_count; i++) {
        put_name(h, g->outputs[i].name);
        put(h, (uint64_t) map[g->outputs[i].value], 4);
    }
    end_section(h, begin);
}

static void put_entry(head *h, const weft_entry *e, const weft_weight *const *w, int weight_count)
{
    weft_value *map = weft_new(h->ctx, sizeof *map * (size_t) (e->graph.value_count + 1));
    int32_t *use = weft_new(h->ctx, sizeof *use * (size_t) (weight_count + 1));
    if (!map || !use) h->failed = WEFT_ERR_MEMORY;
    const int uses = h->failed ? 0 : number_values(&e->graph, w, weight_count, use, map);
    if (!h->failed) put_states(h, &e->graph, w, weight_count, map);
    if (!h->failed) put_graph(h, e, use, uses, map);
    weft_delete(h->ctx, map);
    weft_delete(h->ctx, use);
}

// --- The file. -----------------------------------------------------------------------------------------------

static void put_sections(head *h, const weft_model *m, const weft_weight *const *w)
{
    size_t begin = begin_section(h, WEFT_TAG_META);
    put(h, (uint64_t) m->meta_count, 4);
    for (int i = 0; i < m->meta_count; i++) {
        put_name(h, m->metas[i].key);
        put(h, strlen(m->metas[i].value), 4);
        put_bytes(h, m->metas[i].value, strlen(m->metas[i].value));
    }
    end_section(h, begin);

    begin = begin_section(h, WEFT_TAG_DIMS);
    put(h, (uint64_t) m->dim_count, 4);
    for (int i = 0; i < m->dim_count; i++) {
        put_name(h, m->dims[i].name);
        put(h, (uint64_t) m->dims[i].preset, 8);
        put(h, (uint64_t) m->dims[i].multiple, 8);
    }
    end_section(h, begin);

    put_weights(h, w, m->weight_count);
    for (int i = 0; i < m->entry_count; i++) put_entry(h, &m->entries[i], w, m->weight_count);
}

static uint64_t weights_sum(const weft_weight *const *w, int count, uint64_t *bytes)
{
    static const unsigned char zeros[WEFT_FILE_ALIGN] = { 0 };
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    *bytes = 0;
    for (int i = 0; i < count; i++) {
        XXH3_64bits_update(&state, w[i]->data, w[i]->bytes);
        XXH3_64bits_update(&state, zeros, padded(w[i]->bytes) - w[i]->bytes);
        *bytes += padded(w[i]->bytes);
    }
    return XXH3_64bits_digest(&state);
}

static void put_header(head *h, int minor, int sections, uint64_t weight_bytes, uint64_t sum)
{
    unsigned char *at = h->data;
    memcpy(at + WEFT_AT_MAGIC, WEFT_FILE_MAGIC, 8);
    store(at + WEFT_AT_MAJOR, WEFT_FILE_MAJOR, 2);
    store(at + WEFT_AT_MINOR, (uint64_t) minor, 2);
    store(at + WEFT_AT_BYTES, h->count + weight_bytes, 8);
    store(at + WEFT_AT_HEAD, h->count, 8);
    store(at + WEFT_AT_SECTIONS, (uint64_t) sections, 4);
    store(at + WEFT_AT_WEIGHTS_SUM, sum, 8);
    const uint64_t seed = XXH3_64bits(at, WEFT_AT_HEAD_SUM);
    store(at + WEFT_AT_HEAD_SUM, XXH3_64bits_withSeed(at + WEFT_FILE_HEADER, h->count - WEFT_FILE_HEADER, seed), 8);
}

typedef struct job { head head; const weft_weight **w; int count; } job;

static weft_result put_file(weft_file_writer *f, void *user)
{
    static const unsigned char zeros[WEFT_FILE_ALIGN] = { 0 };
    const job *j = user;
    WEFT_TRY(weft_file_put(f, j->head.data, j->head.count));
    for (int i = 0; i < j->count; i++) {
        WEFT_TRY(weft_file_put(f, j->w[i]->data, j->w[i]->bytes));
        WEFT_TRY(weft_file_put(f, zeros, padded(j->w[i]->bytes) - j->w[i]->bytes));
    }
    return WEFT_OK;
}

static weft_result write_job(const weft_model *m, const char *path, job *j)
{
    uint64_t weight_bytes;
    if (!j->w) return WEFT_ERR_MEMORY;
    for (int i = 0; i < m->weight_count; i++) j->w[i] = m->weights[i];
    sort_by_name(j->w, j->count);
    unsigned char *header = put_room(&j->head, WEFT_FILE_HEADER);
    if (header) memset(header, 0, WEFT_FILE_HEADER);
    put_sections(&j->head, m, j->w);
    pad_to(&j->head, WEFT_FILE_ALIGN);
    if (j->head.failed) return j->head.failed;
    if (j->head.count > WEFT_MAX_HEAD)
        return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: graphs of %zu bytes are more than a file may have", path, j->head.count);
    const uint64_t sum = weights_sum(j->w, j->count, &weight_bytes);
    int with_states = 0;
    for (int i = 0; i < m->entry_count; i++) with_states += m->entries[i].graph.state_count > 0;
    put_header(&j->head, with_states ? WEFT_FILE_MINOR : 0, 3 + m->entry_count + with_states, weight_bytes, sum);
    return weft_file_replace(m->ctx, path, put_file, j);
}

weft_result weft_model_write(const weft_model *m, const char *path)
{
    const uint16_t one = 1;
    if (!*(const unsigned char *) &one) // weights are written as they lie in memory
        return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: .weft files are little-endian, and this machine is not", path);
    job j = { { .ctx = m->ctx }, weft_new(m->ctx, sizeof *j.w * (size_t) (m->weight_count + 1)), m->weight_count };
    const weft_result r = write_job(m, path, &j);
    weft_delete(m->ctx, j.head.data);
    weft_delete(m->ctx, j.w);
    return r;
}
