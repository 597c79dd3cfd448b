// SPDX-License-Identifier: MIT
// Contextual attention (Yu et al. 2018, Generative Image Inpainting with Contextual Attention; the form of DeepFill v1 and v2).
// f: [n, c, hf, wf], b: [n, c, hb, wb], mask: [n, 1, hm, wm], 1 where b must not be copied from (of all images: the first one's).
#include "graph/graph.h"
#include "ops/divide.h"
#include "ops/patch_fuse.h"
#include <math.h>
#include <string.h>

typedef struct context_attrs { int32_t ksize, stride, rate, fuse_k, fuse, norm, nearest, rows; float softmax_scale; } context_attrs;
enum { F, B, MASK };
enum { NORM_MAX, NORM_ADD };
enum { NEAREST_FLOOR, NEAREST_ALIGN_CORNERS };
static const double least_norm = 1e-4;

typedef struct sizes { int64_t n, c, hf, wf, hb, wb, lhf, lwf, lhb, lwb, lf, lb; } sizes; // l..: patches, of the shrunk images
static sizes sizes_of(const weft_node *n)
{
    const int64_t *f = n->in_shape[F].dim, *b = n->in_shape[B].dim, rate = ((const context_attrs *) n->attrs)->rate;
    sizes s = { f[0], f[1], f[2], f[3], b[2], b[3], f[2] / rate, f[3] / rate, b[2] / rate, b[3] / rate, 0, 0 };
    s.lf = s.lhf * s.lwf, s.lb = s.lhb * s.lwb;
    return s;
}

static weft_result context_infer(weft_node *n)
{
    const context_attrs *at = n->attrs;
    const weft_shape f = n->in_shape[F], b = n->in_shape[B], m = weft_has(n, MASK) ? n->in_shape[MASK] : f;
    char tf[WEFT_SHAPE_TEXT], tb[WEFT_SHAPE_TEXT];
    if (f.rank != 4 || b.rank != 4 || f.dim[0] != b.dim[0] || f.dim[1] != b.dim[1])
        return weft_node_fail(n, "f %s and b %s do not fit", weft_shape_text(f, tf), weft_shape_text(b, tb));
    for (int d = 2; d < 4; d++)
        if (f.dim[d] % at->rate || b.dim[d] % at->rate)
            return weft_node_fail(n, "f %s and b %s must be multiples of the rate, %d", weft_shape_text(f, tf), weft_shape_text(b, tb), at->rate);
    if (weft_has(n, MASK) && (m.rank != 4 || m.dim[1] != 1)) return weft_node_fail(n, "mask is %s, not [n, 1, h, w]", weft_shape_text(m, tf));
    if (!(at->ksize & 1) || !(at->fuse_k & 1)) return weft_node_fail(n, "ksize and fuse_k must be odd");
    const sizes s = sizes_of(n);
    n->out_shape[0] = f;
    n->out_shape[1] = (weft_shape) { 4, { s.n, s.lb, s.lhf, s.lwf } };
    return WEFT_OK;
}

// --- The truth: one image per item; the second output holds the scores until they are weights. ---------------------

// The pixel of a row of `in` that stands for pixel i of the same row shrunk to `out`.
static int64_t shrunk(const context_attrs *at, int64_t i, int64_t in, int64_t out)
{
    float x = (float) i * (float) ((double) in / (double) out);
    if (at->nearest == NEAREST_ALIGN_CORNERS) x = (out > 1 ? (float) i * ((float) (in - 1) / (float) (out - 1)) : 0) + 0.5f;
    return (int64_t) fminf(floorf(x), (float) (in - 1));
}

enum { COLUMNS = 64, MOST_KSIZE = 31, MOST_RATE = 64 };

// Scores of background patch `l` with the patches of row `jy` of the foreground.
static void score_row(const context_attrs *at, const sizes *s, const weft_real *f, const weft_real *b, int64_t l, double norm, int64_t jy, weft_real *out)
{
    const int64_t reach = at->ksize / 2, ly = l / s->lwb, lx = l % s->lwb;
    for (int64_t first = 0; first < s->lwf; first += COLUMNS) {
        const int64_t count = s->lwf - first < COLUMNS ? s->lwf - first : COLUMNS;
        double sum[COLUMNS] = { 0 };
        int64_t column[COLUMNS + MOST_KSIZE]; // of f, -1: outside
        double line[COLUMNS + MOST_KSIZE] = { 0 };
        for (int64_t i = 0; i < count + 2 * reach; i++) {
            const int64_t x = first + i - reach;
            column[i] = x < 0 || x >= s->lwf ? -1 : shrunk(at, x, s->wf, s->lwf);
        }
        for (int64_t ky = -reach; ky <= reach; ky++) {
            if (ly + ky < 0 || ly + ky >= s->lhb || jy + ky < 0 || jy + ky >= s->lhf) continue;
            const weft_real *from_b = b + shrunk(at, ly + ky, s->hb, s->lhb) * s->wb, *from_f = f + shrunk(at, jy + ky, s->hf, s->lhf) * s->wf;
            for (int64_t c = 0; c < s->c; c++, from_b += s->hb * s->wb, from_f += s->hf * s->wf) {
                for (int64_t i = 0; i < count + 2 * reach; i++) line[i] = column[i] < 0 ? 0 : from_f[column[i]];
                for (int64_t kx = -reach; kx <= reach; kx++) {
                    if (lx + kx < 0 || lx + kx >= s->lwb) continue;
                    const double by = from_b[shrunk(at, lx + kx, s->wb, s->lwb)];
                    for (int64_t i = 0; i < count; i++) sum[i] += by * line[i + kx + reach];
                }
            }
        }
        for (int64_t i = 0; i < count; i++) out[first + i] = (weft_real) (sum[i] / norm);
    }
}

static double patch_norm(const context_attrs *at, const sizes *s, const weft_real *b, int64_t l)
{
    const int64_t reach = at->ksize / 2, ly = l / s->lwb, lx = l % s->lwb;
    double sum = 0;
    for (int64_t ky = -reach; ky <= reach; ky++)
        for (int64_t kx = -reach; kx <= reach; kx++) {
            if (ly + ky < 0 || ly + ky >= s->lhb || lx + kx < 0 || lx + kx >= s->lwb) continue;
            const weft_real *from = b + shrunk(at, ly + ky, s->hb, s->lhb) * s->wb + shrunk(at, lx + kx, s->wb, s->lwb);
            for (int64_t c = 0; c < s->c; c++) sum += (double) from[c * s->hb * s->wb] * from[c * s->hb * s->wb];
        }
    if (at->norm == NORM_MAX) return fmax(sqrt(sum), least_norm);
    return sqrt(sum + least_norm * (double) (s->c * at->ksize * at->ksize));
}

// Whether background patch l may be copied: the mask's patch there is empty.
static bool usable(const weft_node *n, const sizes *s, const weft_real *mask, int64_t l)
{
    const context_attrs *at = n->attrs;
    const int64_t reach = at->ksize / 2, *m = n->in_shape[MASK].dim;
    double sum = 0;
    for (int64_t y = l / s->lwb - reach; mask && y <= l / s->lwb + reach; y++)
        for (int64_t x = l % s->lwb - reach; x <= l % s->lwb + reach; x++)
            if (y >= 0 && y < s->lhb && x >= 0 && x < s->lwb) sum += mask[shrunk(at, y, m[2], s->lhb) * m[3] + shrunk(at, x, m[3], s->lwb)];
    return sum == 0;
}

static void clear_unusable(const weft_node *n, const sizes *s, const weft_real *mask, weft_real *a)
{
    for (int64_t l = 0; l < s->lb; l++)
        if (!usable(n, s, mask, l)) memset(a + l * s->lf, 0, sizeof *a * (size_t) s->lf);
}

static void softmax_columns(const sizes *s, double scale, weft_real *a)
{
    for (int64_t j = 0; j < s->lf; j++) {
        double most = -INFINITY, sum = 0;
        for (int64_t l = 0; l < s->lb; l++) most = fmax(most, scale * a[l * s->lf + j]);
        for (int64_t l = 0; l < s->lb; l++) sum += exp(scale * a[l * s->lf + j] - most);
        for (int64_t l = 0; l < s->lb; l++) a[l * s->lf + j] = (weft_real) (exp(scale * a[l * s->lf + j] - most) / sum);
    }
}

// Row Y of a channel of y: patches of b, twice the rate wide, laid over each other by their weights. Every pixel lies in two
// columns of patches: `column[k]` and its place in them, `place[k]`; where there is none, the place holds a zero.
static void paste_row(const sizes *s, int64_t rate, const weft_real *b, const weft_real *a, int64_t Y, weft_real *y)
{
    const int64_t pad = rate / 2;
    for (int64_t first = 0; first < s->wf; first += COLUMNS) {
        const int64_t count = s->wf - first < COLUMNS ? s->wf - first : COLUMNS;
        double sum[COLUMNS] = { 0 }, patch[2 * MOST_RATE + 1] = { 0 };
        int32_t column[2][COLUMNS], place[2][COLUMNS];
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < count; i++) {
                const int64_t jx = (first + i + pad) / rate - k;
                const bool there = jx >= 0 && jx < s->lwf;
                column[k][i] = there ? (int32_t) jx : 0;
                place[k][i] = there ? (int32_t) (first + i + pad - jx * rate) : (int32_t) (2 * rate);
            }
        for (int64_t jy = (Y + pad) / rate; jy >= 0 && jy > (Y + pad) / rate - 2; jy--)
            for (int64_t l = 0; jy < s->lhf && l < s->lb; l++) {
                const int64_t by = l / s->lwb * rate + Y - jy * rate, left = l % s->lwb * rate - pad;
                if (by < 0 || by >= s->hb) continue;
                const weft_real *weight = a + l * s->lf + jy * s->lwf, *row = b + by * s->wb;
                for (int64_t i = 0; i < 2 * rate; i++) patch[i] = left + i < 0 || left + i >= s->wb ? 0 : row[left + i];
                for (int k = 0; k < 2; k++)
                    for (int64_t i = 0; i < count; i++) sum[i] += weight[column[k][i]] * patch[place[k][i]];
            }
        for (int64_t i = 0; i < count; i++) y[first + i] = (weft_real) (sum[i] / 4);
    }
}

static int64_t context_items(const weft_node *n) { return n->in_shape[F].dim[0]; }

static void context_cpu(const weft_node *n, const weft_cpu_args *arg)
{
    const context_attrs *at = n->attrs;
    const sizes s = sizes_of(n);
    const weft_real *mask = weft_has(n, MASK) ? arg->in[MASK] : NULL;
    for (int64_t k = arg->begin; k < arg->end; k++) {
        const weft_real *f = (const weft_real *) arg->in[F] + k * s.c * s.hf * s.wf, *b = (const weft_real *) arg->in[B] + k * s.c * s.hb * s.wb;
        weft_real *y = (weft_real *) arg->out[0] + k * s.c * s.hf * s.wf, *a = (weft_real *) arg->out[1] + k * s.lb * s.lf;
        for (int64_t l = 0; l < s.lb; l++) {
            const double norm = patch_norm(at, &s, b, l);
            for (int64_t jy = 0; jy < s.lhf; jy++) score_row(at, &s, f, b, l, norm, jy, a + l * s.lf + jy * s.lwf);
        }
        if (at->fuse) weft_patch_fuse_truth(&(weft_patch_fuse) { { (int32_t) s.lhb, (int32_t) s.lwb }, { (int32_t) s.lhf, (int32_t) s.lwf }, at->fuse_k }, a);
        clear_unusable(n, &s, mask, a);
        softmax_columns(&s, at->softmax_scale, a);
        clear_unusable(n, &s, mask, a);
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t Y = 0; Y < s.hf; Y++) paste_row(&s, at->rate, b + c * s.hb * s.wb, a, Y, y + (c * s.hf + Y) * s.wf);
    }
}

// --- For devices: unfold, products, softmax, fold. -----------------------------------------------------------------

typedef struct setting { const char *name, *word; int count; double num[4]; } setting; // one attribute by name

static weft_value call(weft_graph *g, const char *op, const weft_value *in, int count, const setting *with)
{
    union { unsigned char bytes[WEFT_MAX_ATTR_BYTES]; double align; } at;
    const weft_op *row = weft_op_find(op);
    memset(&at, 0, sizeof at);
    if (row) weft_attr_defaults(row, &at);
    for (; row && with && with->name; with++)
        if (weft_graph_fail(g, weft_attr_set(row, &at, with->name, with->word, with->num, with->count))) return -1;
    return weft_graph_call(g, op, in, count, &at);
}
#define WITH(...) (const setting[]) { __VA_ARGS__, { NULL } }
#define NUM1(name_, a) { name_, NULL, 1, { (double) (a) } }
#define NUM2(name_, a, b) { name_, NULL, 2, { (double) (a), (double) (b) } }
#define NUM3(name_, a, b, c) { name_, NULL, 3, { (double) (a), (double) (b), (double) (c) } }
#define NUM4(name_, a, b, c, d) { name_, NULL, 4, { (double) (a), (double) (b), (double) (c), (double) (d) } }

static weft_value shrink(weft_graph *g, const context_attrs *at, weft_value v, int64_t h, int64_t w)
{
    const bool corners = at->nearest == NEAREST_ALIGN_CORNERS;
    return call(g, "resize", WEFT_V(v), WITH({ "mode", "nearest" }, { "coordinates", corners ? "align_corners" : "asymmetric" },
                                             { "rounding", corners ? "round_prefer_ceil" : "floor" }, NUM2("size", h, w)));
}

static weft_value patches(weft_graph *g, const context_attrs *at, weft_value v)
{
    return call(g, "unfold", WEFT_V(v), WITH(NUM1("kernel", at->ksize), NUM1("stride", 1), NUM1("pads", at->ksize / 2)));
}

// The patches of b, made of length 1.
static weft_value unit_patches(const weft_node *n, const sizes *s, weft_graph *g)
{
    const context_attrs *at = n->attrs;
    const weft_value b = patches(g, at, shrink(g, at, n->in[B], s->lhb, s->lwb));
    weft_value norm;
    if (at->norm == NORM_MAX) {
        norm = call(g, "l2_norm", WEFT_V(b), WITH(NUM1("axes", 1), NUM1("keep", 1)));
        norm = call(g, "max", WEFT_V(norm, weft_graph_scalar(g, least_norm)), NULL);
    } else {
        norm = call(g, "sum_square", WEFT_V(b), WITH(NUM1("axes", 1), NUM1("keep", 1)));
        norm = call(g, "add", WEFT_V(norm, weft_graph_scalar(g, least_norm * (double) (s->c * at->ksize * at->ksize))), NULL);
        norm = call(g, "sqrt", WEFT_V(norm), NULL);
    }
    return call(g, "div", WEFT_V(b, norm), NULL);
}

// Strips: rows of f's patches whose scores with all of b's exist together. Fusing a strip needs rows of the strips beside it - those
// beside the first and the last are each other, because the count by columns goes on at the other end.
typedef struct strips {
    int64_t count;
    weft_value f, b;      // f shrunk; b's patches
    weft_value *score;    // per strip: [n, lb, its patches], -1: not made yet
} strips;

static int64_t strip_begin(const strips *t, const sizes *s, int64_t k) { return s->lhf * k / t->count; }

static int64_t strip_count(const context_attrs *at, const sizes *s)
{
    enum { MOST = 1 << 23 }; // bytes of a strip's scores
    const int64_t row = 4 * s->n * s->lb * s->lwf, reach = at->fuse ? at->fuse_k / 2 : 0;
    const int64_t least = reach + ceil_div(reach, s->lwf); // what fusing looks at in the strips beside it
    int64_t rows = at->rows ? at->rows : MOST / row, count;
    if (rows < 1) rows = 1;
    for (count = ceil_div(s->lhf, rows); count > 1 && s->lhf / count < least; count--) {}
    return count;
}

static weft_value score(const weft_node *n, const sizes *s, weft_graph *g, strips *t, int64_t k)
{
    const context_attrs *at = n->attrs;
    const int64_t begin = strip_begin(t, s, k), end = strip_begin(t, s, k + 1), reach = at->ksize / 2;
    const int64_t first = begin > reach ? begin - reach : 0, last = end + reach < s->lhf ? end + reach : s->lhf;
    if (t->score[k] >= 0) return t->score[k];
    weft_value f = t->f;
    if (t->count > 1) f = call(g, "slice", WEFT_V(f), WITH(NUM1("starts", first), NUM1("ends", last), NUM1("axes", 2)));
    f = call(g, "unfold", WEFT_V(f), WITH(NUM1("kernel", at->ksize), NUM1("stride", 1), NUM4("pads", reach - (begin - first), reach, reach - (last - end), reach)));
    return t->score[k] = call(g, "matmul", WEFT_V(t->b, f), WITH(NUM1("trans_a", 1)));
}

// Strip k summed along diagonals.
static weft_value fused(const weft_node *n, const sizes *s, weft_graph *g, strips *t, int64_t k)
{
    const int64_t before = (k + t->count - 1) % t->count, after = (k + 1) % t->count;
    weft_value in[3] = { score(n, s, g, t, k), -1, -1 };
    weft_patch_fuse how = { .from = { (int32_t) s->lhb, (int32_t) s->lwb }, .to = { (int32_t) s->lhf, (int32_t) s->lwf },
                            .size = ((const context_attrs *) n->attrs)->fuse_k };
#define ROWS(k) { (int32_t) strip_begin(t, s, k), (int32_t) (strip_begin(t, s, (k) + 1) - strip_begin(t, s, k)) }
    const int32_t own[2] = ROWS(k), above[2] = ROWS(before), below[2] = ROWS(after);
#undef ROWS
    for (int i = 0; i < 2; i++) how.y_rows[i] = how.x_rows[i] = own[i], how.before[i] = above[i], how.after[i] = below[i];
    if (t->count > 1) in[1] = score(n, s, g, t, before);
    if (t->count > 2) in[2] = score(n, s, g, t, after);
    return weft_graph_call(g, "patch_fuse", in, t->count > 2 ? 3 : t->count > 1 ? 2 : 1, &how);
}

// All values side by side along dimension 2, a few at a time.
static weft_value join(weft_graph *g, weft_value *v, int64_t count)
{
    enum { FEW = 8 };
    for (; count > 1; count = ceil_div(count, FEW))
        for (int64_t first = 0; first < count; first += FEW)
            v[first / FEW] = call(g, "concat", v + first, (int) (count - first < FEW ? count - first : FEW), WITH(NUM1("axis", 2)));
    return v[0];
}

// [1, lb, 1]: 1 for usable patches.
static weft_value usable_patches(const weft_node *n, const sizes *s, weft_graph *g)
{
    const context_attrs *at = n->attrs;
    weft_value m = n->in[MASK];
    if (n->in_shape[MASK].dim[0] > 1) m = call(g, "slice", WEFT_V(m), WITH(NUM1("starts", 0), NUM1("ends", 1), NUM1("axes", 0)));
    m = patches(g, at, shrink(g, at, m, s->lhb, s->lwb));
    m = call(g, "reduce_max", WEFT_V(call(g, "abs", WEFT_V(m), NULL)), WITH(NUM1("axes", 1)));
    m = call(g, "equal", WEFT_V(m, weft_graph_scalar(g, 0)), NULL);
    return call(g, "reshape", WEFT_V(m), WITH(NUM3("shape", 1, s->lb, 1)));
}

static weft_result context_expand(const weft_node *n, weft_graph *g, weft_value *out)
{
    const context_attrs *at = n->attrs;
    const sizes s = sizes_of(n);
    const int top = at->rate / 2, bottom = at->rate - top;
    strips t = { .count = strip_count(at, &s) };
    weft_value *a = weft_arena_new(g->arena, sizeof *a * (size_t) t.count), *mixed = weft_arena_new(g->arena, sizeof *mixed * (size_t) t.count);
    t.score = weft_arena_new(g->arena, sizeof *t.score * (size_t) t.count);
    if (!a || !mixed || !t.score) return WEFT_ERR_MEMORY;
    t.f = shrink(g, at, n->in[F], s.lhf, s.lwf), t.b = unit_patches(n, &s, g);
    const weft_value usable_ = weft_has(n, MASK) ? usable_patches(n, &s, g) : -1;
    const weft_value raw = call(g, "unfold", WEFT_V(n->in[B]), WITH(NUM1("kernel", 2 * at->rate), NUM1("stride", at->rate), NUM4("pads", top, top, bottom, bottom)));
    for (int64_t k = 0; k < t.count; k++) t.score[k] = -1;
    for (int64_t k = 0; k < t.count; k++) {
        a[k] = at->fuse ? fused(n, &s, g, &t, k) : score(n, &s, g, &t, k);
        if (usable_ >= 0) a[k] = call(g, "mul", WEFT_V(a[k], usable_), NULL);
        a[k] = call(g, "softmax", WEFT_V(a[k]), WITH(NUM1("axis", 1), NUM1("scale", at->softmax_scale)));
        if (usable_ >= 0) a[k] = call(g, "mul", WEFT_V(a[k], usable_), NULL);
        mixed[k] = call(g, "matmul", WEFT_V(raw, a[k]), NULL);
    }
    const weft_value y = call(g, "fold", WEFT_V(join(g, mixed, t.count)), WITH(NUM1("kernel", 2 * at->rate), NUM1("stride", at->rate),
                                                                              NUM4("pads", top, top, bottom, bottom), NUM2("size", s.hf, s.wf)));
    out[0] = call(g, "mul", WEFT_V(y, weft_graph_scalar(g, 0.25)), NULL);
    out[1] = call(g, "reshape", WEFT_V(join(g, a, t.count)), WITH(NUM4("shape", s.n, s.lb, s.lhf, s.lwf)));
    return weft_graph_status(g);
}

static double context_flops(const weft_node *n)
{
    const context_attrs *at = n->attrs;
    const sizes s = sizes_of(n);
    return 2.0 * (double) (s.n * s.c) * (double) s.lb * (double) s.lf * (at->ksize * at->ksize + 4 * at->rate * at->rate);
}

#define AT(...) &(const context_attrs) { .ksize = 3, .stride = 1, .rate = 2, .fuse_k = 3, .softmax_scale = 10, __VA_ARGS__ }
const weft_op weft_op_contextual_attention = {
    .name = "contextual_attention",
    .doc = "f and b are shrunk by the rate (nearest). a[l, j] = b's patch l, of ksize and divided by its norm, times f's patch j. With fuse, a is "
           "summed along its diagonals over fuse_k steps, once counting patches by rows and once by columns. m[l] = 1 where the shrunk mask of the "
           "first image is 0 over patch l. attention = softmax_l(softmax_scale m a) m; y = patches of b, 2 rate wide, pasted with these weights, / 4. "
           "norm max: max(|w|, 1e-4); add: sqrt(sum of (w^2 + 1e-4)). Yu et al. 2018 and 2019.",
    .out_names = "y attention", .in_names = "f b mask?",
    .attr_bytes = sizeof(context_attrs),
    .attrs = (const weft_attr[]) {
        WEFT_ATTR(context_attrs, ksize, INT, .def = 3, .min = 1, .max = MOST_KSIZE, .doc = "size of the patches compared; odd"),
        WEFT_ATTR(context_attrs, stride, INT, .def = 1, .min = 1, .max = 1, .doc = "between patches of the shrunk image; only 1"),
        WEFT_ATTR(context_attrs, rate, INT, .def = 2, .min = 1, .max = MOST_RATE, .doc = "by how much f and b are shrunk"),
        WEFT_ATTR(context_attrs, fuse_k, INT, .def = 3, .min = 1, .max = WEFT_PATCH_FUSE_MOST, .doc = "steps of the diagonal sums; odd"),
        WEFT_ATTR(context_attrs, fuse, INT, .def = 1, .min = 0, .max = 1, .doc = "1: scores are summed along diagonals"),
        WEFT_ATTR(context_attrs, norm, ENUM, .choices = "max|add", .doc = "how a patch's norm is kept from 0"),
        WEFT_ATTR(context_attrs, nearest, ENUM, .choices = "floor|align_corners", .doc = "which pixels are kept in shrinking"),
        WEFT_ATTR(context_attrs, rows, INT, .min = 0, .max = 65536, .doc = "of f's patches, whose scores exist together; 0: some MiB of them"),
        WEFT_ATTR(context_attrs, softmax_scale, FLOAT, .def = 10, .doc = "multiplies the scores"),
        { 0 }
    },
    .infer = context_infer, .items = context_items, .cpu = context_cpu, .expand = context_expand, .flops = context_flops,
    .cases = (const weft_case[]) {
        { .in = { WEFT_SHAPE(1, 3, 8, 10), WEFT_SHAPE(1, 3, 8, 10), WEFT_SHAPE(1, 1, 16, 20) }, .attrs = AT(.fuse = 1), .masks = 4 },
        { .in = { WEFT_SHAPE(2, 4, 8, 6), WEFT_SHAPE(2, 4, 10, 8) }, .attrs = AT(.fuse = 1, .norm = NORM_ADD) },
        { .in = { WEFT_SHAPE(2, 2, 6, 6), WEFT_SHAPE(2, 2, 6, 6), WEFT_SHAPE(2, 1, 6, 6) }, .attrs = AT(.fuse = 0, .nearest = NEAREST_ALIGN_CORNERS, .softmax_scale = 5) },
        { .in = { WEFT_SHAPE(1, 2, 5, 4), WEFT_SHAPE(1, 2, 5, 4) }, .attrs = AT(.rate = 1, .fuse = 1, .fuse_k = 5) },
        { .in = { WEFT_SHAPE(2, 2, 9, 4), WEFT_SHAPE(2, 2, 4, 5), WEFT_SHAPE(2, 1, 8, 5) }, .attrs = AT(.rate = 1, .fuse = 1, .rows = 2), .masks = 4 },
        { .in = { WEFT_SHAPE(1, 2, 14, 6), WEFT_SHAPE(1, 2, 8, 6) }, .attrs = AT(.fuse = 1, .rows = 4) },
        { .in = { WEFT_SHAPE(1, 2, 7, 5), WEFT_SHAPE(1, 2, 5, 4) }, .attrs = AT(.rate = 1, .fuse = 0, .rows = 1) },
        { .in = { WEFT_SHAPE(1, 2, 15, 3), WEFT_SHAPE(1, 2, 4, 3) }, .attrs = AT(.rate = 1, .fuse = 1, .fuse_k = 5, .rows = 3) },
        { 0 }
    },
    .tolerance = 1e-4, // the softmax is steep
};
