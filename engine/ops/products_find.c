// SPDX-License-Identifier: MIT
// Pass: products of a few rows take the elementwise operators around them along, and those that do not wait for each other become one node.
// The layers of a generator want a style each from the same latents, and a demodulation from that: dozens of launches that take longer to
// start than to run.
#include "graph/compute.h"
#include "graph/lower.h"
#include "graph/rules.h"
#include "graph/together.h"
#include "ops/part.h"
#include "ops/products.h"
#include <string.h>

enum { X = WEFT_PRODUCT_X, P = WEFT_PRODUCT_P, B = WEFT_PRODUCT_B, M = WEFT_PRODUCT_M, R = WEFT_PRODUCT_R, LARGE = 1 << 21, LONG = 16 };

typedef struct product {
    int nodes[LONG], node_count; // the product and what follows, in order
    int taken;                   // operators before and behind
    weft_value w, operand[WEFT_PRODUCT_OPERANDS], y;
    float gain, bias_gain, shift;
    int64_t k, width;
    weft_products_attrs at; // what it must have in common with others: no count, no shape
    int level;              // how many products it waits for, one after the other
    int user, slot;         // the first that reads y
    bool grouped;
} product;

typedef struct finder {
    const weft_graph *g;
    weft_arena *arena;
    int *uses, *user; // per value; the last user
    int *owner;       // per node: the product that has taken it, -1: none
    product *list;
    int count;
} finder;

static const weft_node *maker(const weft_graph *g, weft_value v) { return v < 0 || g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node]; }
static bool is(const weft_node *n, const char *op) { return !strcmp(n->op->name, op); }
static bool is_same_numbers(const weft_node *n) { return n->op->flags & WEFT_OP_ALIAS && !n->op->alias_begin; }

// The function whose derivative this node takes, where that is told by one tensor.
static bool is_slope(const weft_node *n, weft_activation *out) { return weft_activation_slope_of(n, out) && n->in[0] == n->in[1]; }

// Cheap enough to be done by every workgroup that reads x.
static bool is_cheap(int act)
{
    static const char *const names[] = { "square", "neg", "abs", "relu", "leaky_relu" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(weft_activation_row(act), names[i])) return true;
    return false;
}

static bool is_product(const weft_graph *g, const weft_node *n, product *p)
{
    const int32_t *trans = n->attrs;
    const bool linear = is(n, "linear"), matmul = is(n, "matmul");
    if ((!linear && !matmul) || n->in_shape[1].rank != 2 || (matmul && (n->in_shape[0].rank != 2 || trans[0]))) return false;
    *p = (product) { .gain = 1, .bias_gain = 1, .w = n->in[1], .y = n->out[0], .operand = { n->in[0], -1, linear && weft_has(n, 2) ? n->in[2] : -1, -1, -1 } };
    p->at.transposed = matmul && !trans[1];
    p->k = n->in_shape[1].dim[p->at.transposed ? 0 : 1], p->width = n->in_shape[1].dim[p->at.transposed ? 1 : 0];
    const int64_t rows = weft_shape_count(n->in_shape[0]) / p->k;
    if (rows > WEFT_PRODUCTS_ROWS || rows * p->k > WEFT_PRODUCTS_ROOM || p->k * p->width > LARGE || g->values[n->in[0]].weight) return false;
    p->at.rows = (int32_t) rows;
    return true;
}

static void look_before(const finder *f, product *p)
{
    for (const weft_node *n; (n = maker(f->g, p->operand[X])) != NULL;) {
        weft_activation act;
        const float *ab = n->attrs;
        if (f->owner[n - f->g->nodes] >= 0) return; // it goes with what is before it
        if (is_same_numbers(n)) p->operand[X] = n->in[0];
        else if (is(n, "affine") && ab[1] == 0 && !p->at.before.act.act) p->operand[X] = n->in[0], p->gain *= ab[0], p->taken++;
        else if (!p->at.before.act.act && !p->at.before.back.act && weft_activation_of(n, &act) && is_cheap(act.act))
            p->operand[X] = n->in[0], p->at.before.act = act, p->taken++;
        else if (!p->at.before.act.act && !p->at.before.back.act && is_slope(n, &act))
            p->operand[P] = n->in[0], p->operand[X] = n->in[2], p->at.before.back = act, p->taken++;
        else return;
    }
}

static bool take_behind(const finder *f, product *p, const weft_node *n, weft_value v)
{
    weft_activation act;
    const float *ab = n->attrs;
    const bool bare = !p->at.behind.act.act && !p->at.behind.back.act && p->operand[R] < 0;
    if (p->operand[R] >= 0) return false;
    if (is(n, "affine") && bare) return p->gain *= ab[0], p->bias_gain *= ab[0], p->shift = p->shift * ab[0] + ab[1], true;
    if (bare && weft_activation_of(n, &act)) return p->at.behind.act = act, true;
    if (!p->at.behind.back.act && is_slope(n, &act) && n->in[2] == v && n->in[0] != v) return p->at.behind.back = act, p->operand[M] = n->in[0], true;
    if (!is(n, "add") || n->in[0] == n->in[1] || !weft_shape_equal(n->in_shape[0], n->in_shape[1])) return false;
    p->operand[R] = n->in[n->in[0] == v];
    return f->g->values[p->operand[R]].dtype == WEFT_F32;
}

// Follows what is made while one node alone reads it.
static void look_behind(finder *f, product *p, int index)
{
    const weft_graph *g = f->g;
    int followed[LONG], count = 0;
    for (weft_value v = p->y; count < LONG - p->node_count && f->uses[v] == 1 && f->user[v] >= 0 && f->owner[f->user[v]] < 0;) {
        const weft_node *n = &g->nodes[f->user[v]];
        const product before = *p;
        followed[count++] = f->user[v];
        if (is_same_numbers(n)) {
            v = n->out[0];
            continue;
        }
        if (!take_behind(f, p, n, v)) {
            *p = before;
            return;
        }
        p->taken++;
        for (int k = 0; k < count; k++) p->nodes[p->node_count++] = followed[k], f->owner[followed[k]] = index;
        count = 0;
        p->y = v = n->out[0];
    }
}

static weft_result find(finder *f)
{
    const weft_graph *g = f->g;
    f->uses = weft_arena_new(f->arena, sizeof *f->uses * (size_t) (g->value_count + 1));
    f->user = weft_arena_new(f->arena, sizeof *f->user * (size_t) (g->value_count + 1));
    f->owner = weft_arena_new(f->arena, sizeof *f->owner * (size_t) (g->node_count + 1));
    if (!f->uses || !f->user || !f->owner) return WEFT_ERR_MEMORY;
    for (int v = 0; v < g->value_count; v++) f->user[v] = -1;
    for (int i = 0; i < g->node_count; i++) {
        f->owner[i] = -1;
        for (int k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] >= 0) f->uses[g->nodes[i].in[k]]++, f->user[g->nodes[i].in[k]] = i;
    }
    for (int i = 0; i < g->output_count; i++) f->uses[g->outputs[i].value] += 2; // a node that takes it would not make it
    for (int i = 0; i < g->state_count; i++)
        if (g->states[i].next >= 0) f->uses[g->states[i].next] += 2;
    for (int i = 0; i < g->node_count; i++) {
        product p;
        if (f->owner[i] >= 0 || !is_product(g, &g->nodes[i], &p)) continue;
        product *list = weft_arena_grow(f->arena, f->list, f->count, sizeof *list);
        if (!list) return WEFT_ERR_MEMORY;
        f->list = list;
        f->owner[i] = f->count;
        p.nodes[p.node_count++] = i;
        look_before(f, &p);
        look_behind(f, &p, f->count);
        f->list[f->count++] = p;
    }
    return WEFT_OK;
}

// Levels of products: along every path they grow, so those of one level do not wait for each other.
static weft_result find_levels(finder *f)
{
    const weft_graph *g = f->g;
    int *level = weft_arena_new(f->arena, sizeof *level * (size_t) (g->value_count + 1));
    if (!level) return WEFT_ERR_MEMORY;
    for (int i = 0; i < g->node_count; i++) {
        const weft_node *n = &g->nodes[i];
        product *p = f->owner[i] < 0 ? NULL : &f->list[f->owner[i]];
        int most = 0;
        if (p && p->nodes[p->node_count - 1] != i) continue; // by its last node all that it reads has been made
        if (p && p->w >= 0) most = level[p->w];
        for (int k = 0; p && k < WEFT_PRODUCT_OPERANDS; k++)
            if (p->operand[k] >= 0 && level[p->operand[k]] > most) most = level[p->operand[k]];
        for (int k = 0; !p && k < n->in_count; k++)
            if (n->in[k] >= 0 && level[n->in[k]] > most) most = level[n->in[k]];
        if (p) p->level = ++most;
        for (int k = 0; k < n->out_count; k++) level[n->out[k]] = most;
    }
    return WEFT_OK;
}

static bool are_alike(const product *a, const product *b) { return !memcmp(&a->at, &b->at, sizeof a->at); }

// Products that no other waits for may come as late as the last of their kind: what all latents receive is then one node's.
static weft_result put_off_last_ones(finder *f)
{
    const weft_graph *g = f->g;
    bool *awaited = weft_arena_new(f->arena, (size_t) g->value_count + 1); // by a product, sooner or later
    if (!awaited) return WEFT_ERR_MEMORY;
    for (int i = g->node_count - 1; i >= 0; i--) {
        const weft_node *n = &g->nodes[i];
        bool any = f->owner[i] >= 0;
        for (int k = 0; k < n->out_count; k++) any |= awaited[n->out[k]];
        for (int k = 0; k < n->in_count && any; k++)
            if (n->in[k] >= 0) awaited[n->in[k]] = true;
    }
    for (int i = 0; i < f->count; i++)
        for (int j = 0; j < f->count && !awaited[f->list[i].y]; j++)
            if (!awaited[f->list[j].y] && are_alike(&f->list[i], &f->list[j]) && f->list[j].level > f->list[i].level) f->list[i].level = f->list[j].level;
    return WEFT_OK;
}

// Who reads y first, behind reshapes: that is the order in which a group's products lie in memory.
static void find_user(const finder *f, product *p)
{
    weft_value v = p->y;
    for (p->user = f->g->node_count; f->user[v] >= 0;) {
        int first = f->user[v];
        for (int i = p->nodes[p->node_count - 1] + 1; i < first; i++)
            for (int k = 0; k < f->g->nodes[i].in_count; k++)
                if (f->g->nodes[i].in[k] == v) first = i;
        const weft_node *n = &f->g->nodes[first];
        p->user = first, p->slot = 0;
        while (n->in[p->slot] != v) p->slot++;
        if (!is_same_numbers(n)) return;
        v = n->out[0];
    }
}

static bool goes_before(const product *a, const product *b)
{
    return a->user != b->user ? a->user < b->user : a->slot != b->slot ? a->slot < b->slot : a->nodes[0] < b->nodes[0];
}

// --- Making. ---

typedef struct group { const product *list[WEFT_PRODUCTS_MOST]; int count; } group;

// Whether what is sliced may be kept in the slice's place: no image, and nothing large that would be forgotten otherwise.
static bool may_stay(const weft_graph *g, const weft_node *slice)
{
    enum { FEW = 1 << 16 };
    return slice->in_shape[0].rank < 4 && (!maker(g, weft_lower_root(g, slice->in[0])) || weft_shape_count(slice->in_shape[0]) <= FEW);
}

// Whose rows an operand's are: of the first tensor that has them all in one stretch each.
static weft_value resolve(const weft_graph *g, weft_value v, int64_t rows, int64_t width, int32_t *at, int32_t *step)
{
    int64_t begin = 0, by = width;
    for (const weft_node *n; (n = maker(g, v)) != NULL;) {
        int64_t first = 0, next = by;
        if (n->op->flags & WEFT_OP_ALIAS && by == width) first = n->op->alias_begin ? n->op->alias_begin(n) : 0;
        else if (!is(n, "slice") || by != width || !may_stay(g, n) || !weft_slice_is_rows(n, rows, &first, &next)) break;
        if (begin + first + next * rows > INT32_MAX) break;
        begin += first, by = rows > 1 ? next : width;
        v = n->in[0];
    }
    *at = (int32_t) begin, *step = (int32_t) by;
    return v;
}

static weft_value table_of(weft_graph *g, const weft_product_line *lines, int count)
{
    weft_weight *w = weft_arena_new(g->arena, sizeof *w);
    const size_t bytes = sizeof *lines * (size_t) count;
    if (!w) return -1;
    *w = (weft_weight) { NULL, WEFT_I32, WEFT_SHAPE(count, WEFT_PRODUCT_LINE), weft_arena_copy(g->arena, lines, bytes), bytes };
    return w->data ? weft_graph_constant(g, w) : -1;
}

static weft_value map_operand(const weft_graph *from, weft_graph *to, weft_value *map, weft_value v, int64_t rows, int64_t width, int32_t *at, int32_t *step)
{
    return v < 0 ? -1 : resolve(to, weft_graph_map(from, to, map, v), rows, width, at, step);
}

// What one product makes, of what all make.
static weft_result give(const weft_graph *from, weft_graph *to, weft_value *map, weft_value y, weft_value all, int64_t begin)
{
    weft_part_attrs at = { .begin = (int32_t) begin, .shape.count = from->values[y].shape.rank };
    memcpy(at.shape.at, from->values[y].shape.dim, sizeof at.shape.at);
    map[y] = weft_graph_call(to, "part", WEFT_V(all), &at);
    WEFT_TRY(weft_graph_status(to));
    to->values[map[y]].origin = from->values[y].origin;
    return WEFT_OK;
}

// Biases that are constants become one, so that products share it; others stay what they are.
static weft_result join_biases(const group *all, const weft_graph *from, weft_graph *to, weft_value *map, weft_product_line *lines, weft_value *in)
{
    int64_t count = 0;
    bool constant = all->count > 1;
    for (int i = 0; i < all->count; i++) {
        const weft_value b = all->list[i]->operand[B];
        constant &= b >= 0 && from->values[b].weight;
        in[weft_products_input(i, B)] = weft_graph_map(from, to, map, b);
        count += all->list[i]->width;
    }
    if (!constant) return WEFT_OK;
    float *sum = weft_arena_new(to->arena, (size_t) count * 4), *at = sum;
    if (!sum) return WEFT_ERR_MEMORY;
    for (int i = 0; i < all->count; i++) {
        const float *b = weft_weight_numbers(to->arena, from->values[all->list[i]->operand[B]].weight);
        if (!b) return WEFT_ERR_MEMORY;
        lines[i].b_at = (int32_t) (at - sum);
        memcpy(at, b, (size_t) all->list[i]->width * 4);
        at += all->list[i]->width;
    }
    const weft_value joined = weft_graph_numbers(to, (weft_shape) WEFT_SHAPE(count), sum);
    for (int i = 0; i < all->count; i++) in[weft_products_input(i, B)] = joined;
    return weft_graph_status(to);
}

static weft_result make(void *user, const weft_bundle *b, const weft_graph *from, weft_graph *to, weft_value *map)
{
    const group *all = b->what;
    weft_products_attrs at = all->list[0]->at;
    weft_product_line lines[WEFT_PRODUCTS_MOST] = { 0 };
    weft_value in[WEFT_PRODUCTS_OPERANDS + WEFT_PRODUCTS_MOST * WEFT_PRODUCT_OPERANDS];
    int64_t end = 0;
    (void) user;
    memset(in, -1, sizeof in);
    for (int i = 0; i < all->count; i++) {
        const product *p = all->list[i];
        weft_product_line *l = &lines[i];
        weft_value *to_in = &in[weft_products_input(i, 0)];
        in[i] = weft_graph_map(from, to, map, p->w);
        to_in[X] = map_operand(from, to, map, p->operand[X], at.rows, p->k, &l->x_at, &l->x_step);
        to_in[P] = map_operand(from, to, map, p->operand[P], at.rows, p->k, &l->p_at, &l->p_step);
        to_in[M] = map_operand(from, to, map, p->operand[M], at.rows, p->width, &l->m_at, &l->m_step);
        to_in[R] = map_operand(from, to, map, p->operand[R], at.rows, p->width, &l->r_at, &l->r_step);
        l->k = (int32_t) p->k, l->width = (int32_t) p->width, l->gain = p->gain, l->bias_gain = p->bias_gain, l->shift = p->shift;
        l->y_at = (int32_t) end, l->y_step = l->width;
        end = weft_products_next(end, at.rows, p->width);
    }
    WEFT_TRY(join_biases(all, from, to, map, lines, in));
    const product *last = all->list[all->count - 1];
    const weft_shape one = from->values[last->y].shape;
    at.count = all->count;
    at.shape = (weft_list) { 1, { lines[all->count - 1].y_at + at.rows * last->width } };
    if (all->count == 1) at.shape.count = one.rank, memcpy(at.shape.at, one.dim, sizeof at.shape.at);
    const weft_value table = in[WEFT_PRODUCTS_TABLE] = table_of(to, lines, all->count);
    WEFT_TRY(weft_graph_status(to));
    if (table < 0) return WEFT_ERR_MEMORY;
    for (int i = 0; i < weft_products_input(all->count, 0); i++)
        if (in[i] < 0) in[i] = table;
    to->name_prefix = from->nodes[all->list[0]->nodes[0]].name;
    const weft_value y = weft_graph_call(to, "products", in, weft_products_input(all->count, 0), &at);
    WEFT_TRY(weft_graph_status(to));
    if (all->count == 1) map[last->y] = y, to->values[y].origin = from->values[last->y].origin;
    for (int i = 0; i < all->count && all->count > 1; i++) WEFT_TRY(give(from, to, map, all->list[i]->y, y, lines[i].y_at));
    to->name_prefix = NULL;
    return WEFT_OK;
}

// --- Grouping. ---

static weft_result bundle_of(finder *f, const group *all, weft_bundle *out)
{
    int nodes = 0, needs = 0;
    int *node = weft_arena_new(f->arena, sizeof *node * (size_t) (all->count * LONG));
    weft_value *need = weft_arena_new(f->arena, sizeof *need * (size_t) (all->count * (1 + WEFT_PRODUCT_OPERANDS)));
    const group *what = weft_arena_copy(f->arena, all, sizeof *all);
    if (!node || !need || !what) return WEFT_ERR_MEMORY;
    for (int i = 0; i < all->count; i++) {
        const product *p = all->list[i];
        for (int k = 0; k < p->node_count; k++) node[nodes++] = p->nodes[k];
        for (int k = 0; k < WEFT_PRODUCT_OPERANDS; k++) need[needs++] = p->operand[k];
        need[needs++] = p->w;
    }
    *out = (weft_bundle) { node, nodes, need, needs, what };
    return WEFT_OK;
}

static bool belong_together(const product *a, const product *b)
{
    return !b->grouped && a->level == b->level && are_alike(a, b);
}

static weft_result group_all(finder *f, weft_bundle **list, int *count)
{
    for (int i = 0; i < f->count; i++) find_user(f, &f->list[i]);
    for (int i = 0; i < f->count; i++) {
        group all = { .count = 0 };
        for (int j = i; j < f->count && all.count < WEFT_PRODUCTS_MOST && !f->list[i].grouped; j++) {
            if (!belong_together(&f->list[i], &f->list[j])) continue;
            int k = all.count++;
            for (; k > 0 && goes_before(&f->list[j], all.list[k - 1]); k--) all.list[k] = all.list[k - 1];
            all.list[k] = &f->list[j];
        }
        for (int k = 0; k < all.count; k++) f->list[all.list[k] - f->list].grouped = true;
        if (!all.count || (all.count == 1 && !all.list[0]->taken)) continue;
        weft_bundle *more = weft_arena_grow(f->arena, *list, *count, sizeof *more);
        if (!more) return WEFT_ERR_MEMORY;
        *list = more;
        WEFT_TRY(bundle_of(f, &all, &(*list)[(*count)++]));
    }
    return WEFT_OK;
}

weft_result weft_pass_products(const weft_graph *from, weft_graph *to, bool *changed)
{
    finder f = { .g = from, .arena = to->arena };
    weft_bundle *list = NULL;
    int count = 0;
    *changed = false;
    WEFT_TRY(find(&f));
    if (!f.count) return WEFT_OK;
    WEFT_TRY(find_levels(&f));
    WEFT_TRY(put_off_last_ones(&f));
    WEFT_TRY(group_all(&f, &list, &count));
    return count ? weft_graph_together(from, list, count, make, NULL, to, changed) : WEFT_OK;
}
