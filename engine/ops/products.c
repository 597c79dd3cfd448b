// SPDX-License-Identifier: MIT
#include "ops/products.h"
#include "ops/divide.h"
#include "ops/loop.h"
#include "params/products.h"
#include <string.h>

enum { X = WEFT_PRODUCT_X, P = WEFT_PRODUCT_P, B = WEFT_PRODUCT_B, M = WEFT_PRODUCT_M, R = WEFT_PRODUCT_R };

static const weft_products_attrs *attrs(const weft_node *n) { return n->attrs; }
int64_t weft_product_k(const weft_node *n, int product) { return n->in_shape[product].dim[attrs(n)->transposed ? 0 : 1]; }
int64_t weft_product_width(const weft_node *n, int product) { return n->in_shape[product].dim[attrs(n)->transposed ? 1 : 0]; }

int64_t weft_products_place(const weft_node *n, int product)
{
    int64_t at = 0;
    for (int i = 0; i < product; i++) at = weft_products_next(at, attrs(n)->rows, weft_product_width(n, i));
    return at;
}

static weft_result products_infer(weft_node *n)
{
    const weft_products_attrs *at = n->attrs;
    if (at->count < 1 || at->count > WEFT_PRODUCTS_MOST || at->rows < 1 || at->rows > WEFT_PRODUCTS_ROWS || n->in_count != weft_products_input(at->count, 0))
        return weft_node_fail(n, "%d inputs are not those of %d products", n->in_count, (int) at->count);
    if (n->in_dtype[WEFT_PRODUCTS_TABLE] != WEFT_I32 || weft_shape_count(n->in_shape[WEFT_PRODUCTS_TABLE]) != at->count * WEFT_PRODUCT_LINE)
        return weft_node_fail(n, "the table does not fit");
    for (int i = 0; i < at->count; i++)
        if (n->in_shape[i].rank != 2 || at->rows * weft_product_k(n, i) > WEFT_PRODUCTS_ROOM || !weft_products_has(n, weft_products_input(i, X)))
            return weft_node_fail(n, "product %d wants x, and a matrix of at most %d rows k elements", i, WEFT_PRODUCTS_ROOM);
    n->out_shape[0].rank = at->shape.count;
    memcpy(n->out_shape[0].dim, at->shape.at, sizeof n->out_shape[0].dim);
    return WEFT_OK;
}

// --- The truth: an item is a column of a product. ---

static int64_t products_items(const weft_node *n)
{
    int64_t columns = 0;
    for (int i = 0; i < attrs(n)->count; i++) columns += weft_product_width(n, i);
    return columns;
}

static double apply(const weft_product_step *s, double v, const weft_real *other)
{
    v = weft_activate(s->act.act, v, s->act.a, s->act.b);
    return s->back.act ? v * weft_activate_slope(s->back.act, *other, *other, s->back.a, s->back.b) : v;
}

static void column(const weft_node *n, const weft_cpu_args *arg, int i, int64_t c)
{
    const weft_products_attrs *at = n->attrs;
    const weft_product_line *line = (const weft_product_line *) arg->in[WEFT_PRODUCTS_TABLE] + i;
    const weft_real *const *in = (const weft_real *const *) arg->in + weft_products_input(i, 0), *w = arg->in[i];
    for (int64_t row = 0; row < at->rows; row++) {
        double sum = 0;
        for (int64_t k = 0; k < line->k; k++)
            sum += apply(&at->before, in[X][line->x_at + row * line->x_step + k], at->before.back.act ? &in[P][line->p_at + row * line->p_step + k] : NULL) *
                   w[at->transposed ? k * line->width + c : c * line->k + k];
        sum = line->gain * sum + line->shift + (weft_products_has(n, weft_products_input(i, B)) ? line->bias_gain * in[B][line->b_at + c] : 0);
        sum = apply(&at->behind, sum, at->behind.back.act ? &in[M][line->m_at + row * line->m_step + c] : NULL);
        ((weft_real *) arg->out[0])[line->y_at + row * line->y_step + c] = (weft_real) (sum + (weft_products_has(n, weft_products_input(i, R)) ? in[R][line->r_at + row * line->r_step + c] : 0));
    }
}

static void products_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    int64_t first = 0;
    for (int i = 0; i < attrs(n)->count && first < arg->end; i++) {
        const int64_t width = weft_product_width(n, i);
        for (int64_t c = arg->begin > first ? arg->begin - first : 0; c < width && first + c < arg->end; c++) column(n, arg, i, c);
        first += width;
    }
}

// --- Dispatches: as many products in each as there are bindings for their matrices, where they share all else. ---

typedef struct bunch {
    int first, count;
    int64_t begin, end; // elements of y
    int64_t room;
    double flops;
} bunch;

// The first input that reads the same value.
static int same_input(const weft_node *n, int input)
{
    for (int k = 0; k < input; k++)
        if (n->in[k] == n->in[input]) return k;
    return input;
}

// Drivers that run on the processor take very long to compile loops over several bindings, behind a barrier.
static uint32_t most(const weft_emit *e) { return weft_emit_caps(e)->is_software ? 1 : PRODUCTS_MOST; }

static bool take(bunch *b, const weft_node *n, const weft_emit *e, int i)
{
    if (b->count == (int) most(e) || (b->count && weft_emit_packed(e, i) != weft_emit_packed(e, b->first))) return false;
    for (int k = 0; b->count && k < WEFT_PRODUCT_OPERANDS; k++)
        if (n->in[weft_products_input(i, k)] != n->in[weft_products_input(b->first, k)]) return false;
    const int64_t k = weft_product_k(n, i) * attrs(n)->rows;
    if (!b->count++) b->begin = weft_products_place(n, i);
    b->end = weft_products_place(n, i) + attrs(n)->rows * weft_product_width(n, i);
    b->flops += 2.0 * (double) k * (double) weft_product_width(n, i);
    if (k > b->room) b->room = k;
    return true;
}

static weft_result send(const bunch *b, const weft_node *n, weft_emit *e)
{
    enum { FIRST_OPERAND = 2, FIRST_MATRIX = FIRST_OPERAND + WEFT_PRODUCT_OPERANDS };
    const weft_products_attrs *at = n->attrs;
    const uint32_t lanes = weft_emit_caps(e)->is_software ? 1 : 8; // that share a column
    const weft_activation acts[4] = { at->before.act, at->before.back, at->behind.act, at->behind.back };
    struct products_params p = { .first = (uint32_t) b->first, .begin = (uint32_t) b->begin };
    weft_dispatch d = { .kernel = "products", .params = &p, .params_bytes = sizeof p, .bind_count = FIRST_MATRIX + PRODUCTS_MOST, .flops = b->flops,
                        .bind = { { WEFT_BIND_OUT_, 1, 0, (uint64_t) b->begin, (uint64_t) (b->end - b->begin) }, WEFT_BIND_IN(WEFT_PRODUCTS_TABLE) } };
    uint32_t operands = 0, end = 0;
    bool wide = true;
    for (int k = 0; k < 4; k++) p.a[k] = acts[k].a, p.b[k] = acts[k].b;
    for (int k = 0; k < WEFT_PRODUCT_OPERANDS; k++) {
        const int input = weft_products_input(b->first, k);
        operands |= (uint32_t) weft_products_has(n, input) << k;
        d.bind[FIRST_OPERAND + k] = (weft_bind) WEFT_BIND_IN(weft_products_has(n, input) ? same_input(n, input) : WEFT_PRODUCTS_TABLE);
    }
    for (int i = b->first; i < b->first + b->count; i++) wide &= (at->transposed ? weft_product_width(n, i) : weft_product_k(n, i)) % 4 == 0;
    for (int i = 0; i < PRODUCTS_MOST; i++) {
        const int product = b->first + (i < b->count ? i : 0);
        const int64_t units = weft_product_width(n, product) / (at->transposed && wide ? 4 : 1); // of an invocation, or its lanes
        if (i < b->count) end += (uint32_t) ceil_div(units, 64 / lanes);
        p.end[i] = i < b->count ? end : UINT32_MAX;
        d.bind[FIRST_MATRIX + i] = (weft_bind) WEFT_BIND_IN(same_input(n, product));
    }
    const uint32_t spec[] = { (uint32_t) at->rows, at->transposed != 0, wide, weft_emit_packed(e, b->first), (uint32_t) acts[0].act, (uint32_t) acts[1].act,
                              (uint32_t) acts[2].act, (uint32_t) acts[3].act, lanes, (uint32_t) b->room, operands, most(e) };
    memcpy(d.spec, spec, sizeof spec);
    d.spec_count = sizeof spec / sizeof *spec;
    d.grid[0] = 64 * end;
    return weft_emit_dispatch(e, &d);
}

static weft_result products_emit(const weft_node *n, weft_emit *e)
{
    bunch b = { 0 };
    WEFT_TRY(weft_loop_check(n));
    for (int i = 0; i < attrs(n)->count; i++) {
        if (take(&b, n, e, i)) continue;
        WEFT_TRY(send(&b, n, e));
        b = (bunch) { .first = i };
        take(&b, n, e, i);
    }
    return send(&b, n, e);
}

static double products_flops(const weft_node *n)
{
    double flops = 0;
    for (int i = 0; i < attrs(n)->count; i++) flops += 2.0 * (double) weft_product_k(n, i) * (double) weft_product_width(n, i) * attrs(n)->rows;
    return flops;
}

const weft_op weft_op_products = {
    .name = "products",
    .doc = "y = several products of a few rows and a matrix each, where a table says: r + behind(gain sum over k of before(x[k]) w[.., k]\n"
           "+ bias_gain b + shift).",
    .out_names = "y", .in_names = "w...", .flags = WEFT_OP_INTEGERS | WEFT_OP_INTERNAL, .half_inputs = (1u << WEFT_PRODUCTS_MOST) - 1,
    .attr_bytes = sizeof(weft_products_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(weft_products_attrs, count, INT, .min = 1, .max = WEFT_PRODUCTS_MOST, .doc = "products"),
        WEFT_ATTR(weft_products_attrs, rows, INT, .min = 1, .max = WEFT_PRODUCTS_ROWS, .doc = "of each x"),
        WEFT_ATTR(weft_products_attrs, transposed, INT, .max = 1, .doc = "1: matrices are [k, width]"),
        WEFT_ATTR(weft_products_attrs, shape, LIST, .min = 1, .max = 0x1p40, .doc = "of y"),
        { 0 }
    },
    .infer = products_infer, .items = products_items, .cpu = products_cpu, .emit = products_emit, .flops = products_flops,
};
