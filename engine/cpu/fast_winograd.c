// SPDX-License-Identifier: MIT
// Winograd convolutions between plain images: transforms of our own, the 36 products on oneDNN's sgemm.
#include "cpu/fast_winograd.h"
#ifdef WEFT_DNNL
#include "cpu/winograd.h"
#include "ops/divide.h"
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>
#include <string.h>

enum { LANES = WEFT_WINOGRAD_LANES };

typedef struct state {
    const weft_winograd_scheme *scheme;
    weft_winograd_sizes z;
    bool turned;              // the weights, as those of transposed convolutions
    const float *constant;    // NULL: they are made anew for every run
    weft_cpu_weights *shared;
    weft_cpu_weight *packed;
    int64_t tiles, strips;    // of a strip, and how many there are
    int64_t slots;            // threads with a strip each; 1: all share the one there is
    size_t slot_floats, u_floats, gate_floats; // parts of the scratch
} state;

static bool is_transposed(const weft_node *n) { return n->op->kernel_t_inputs != 0; }

// NULL: none.
static const weft_winograd_scheme *scheme_of(const weft_node *n)
{
    const bool transposed = is_transposed(n);
    const weft_conv_attrs *at = n->attrs;
    const int64_t *w = n->in_shape[1].dim;
    const bool four = w[2] == 4 && w[3] == 4;
    if ((!four && (w[2] != 3 || w[3] != 3)) || at->groups != 1 || at->stride[0] != at->stride[1] || (four && at->stride[0] != 2)) return NULL;
    if (at->stride[0] == 1) return transposed && (at->pads[0] > 2 * at->dilation[0] || at->pads[1] > 2 * at->dilation[1]) ? NULL : &weft_winograd_same;
    if (at->stride[0] != 2 || at->dilation[0] != 1 || at->dilation[1] != 1) return NULL;
    return transposed ? (four ? &weft_winograd_up_four : &weft_winograd_up) : four ? &weft_winograd_down_four : &weft_winograd_down;
}

static weft_winograd_sizes sizes_of(const weft_node *n, const weft_winograd_scheme *c)
{
    const bool transposed = is_transposed(n);
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *y = n->out_shape[0].dim, step = at->stride[0];
    weft_winograd_sizes z = { .images = x[0], .ci = x[1], .h = x[2], .w = x[3], .co = at->gate ? 2 * y[1] : y[1], .ho = y[2], .wo = y[3],
                              .dy = at->dilation[0], .dx = at->dilation[1] };
    if (c == &weft_winograd_up || c == &weft_winograd_up_four) {
        z.top = z.left = 1, z.reach_y = z.h, z.reach_x = z.w;
        z.crop_y = at->pads[0], z.crop_x = at->pads[1];
    } else {
        z.top = transposed ? 2 * z.dy - at->pads[0] : at->pads[0], z.left = transposed ? 2 * z.dx - at->pads[1] : at->pads[1];
        z.mode = transposed ? WEFT_PAD_ZERO : at->pad_mode;
        z.reach_y = (z.ho - 1) * step + (c->taps - 1) * z.dy + 1 - z.top, z.reach_x = (z.wo - 1) * step + (c->taps - 1) * z.dx + 1 - z.left;
    }
    z.rows = ceil_div(ceil_div(z.ho, z.dy) + z.crop_y, c->tile), z.columns = ceil_div(ceil_div(z.wo, z.dx) + z.crop_x, c->tile);
    z.tiles = z.images * z.dy * z.dx * z.rows * z.columns;
    return z;
}

static void destroy(weft_context *ctx, void *user)
{
    state *s = user;
    if (s && s->packed) weft_cpu_weights_give_back(s->shared, s->packed);
    weft_delete(ctx, s);
}

// Of the products.
static int64_t ins(const state *s) { return s->scheme->in_parts * s->z.ci; }
static int64_t outs(const state *s) { return s->scheme->out_parts * s->z.co; }

static int64_t round_up(int64_t a) { return (a + LANES - 1) / LANES * LANES; }

static size_t slot_floats(const state *s)
{
    const int64_t lead = round_up(s->tiles);
    return (size_t) (weft_winograd_room(s->scheme, ins(s), lead) + weft_winograd_room(s->scheme, outs(s), lead));
}

// Where there are tiles enough the threads take strips of their own, whose transforms stay in the nearer caches. But transformed weights are
// read anew for every strip, so that for many channels, and stride 1, they share larger ones. Measured on 2 cores of Zen 4 (1 MiB of
// second-level cache each), ms of processor time, own against shared: stride 1, 64 channels at 128 x 128: 6.0, 8.1; 128 at 256 x 256: 75,
// 77; 256 at 64 x 64: 20.3, 17.3; 512 at 64 x 64: 67, 58; transposed with stride 2, 256 to 128 at 128 x 128: 94, 112; 512 at 32 x 32: 40, 49;
// 4 x 4 taps, 64 to 128 from 128 x 128: 7.5, 8.9; 128 to 256 from 64 x 64: 8.3, 7.8.
// A multiple of 48 is what sgemm likes; of its planes with stride 2 some are thrice as wide as the strip.
static void cut(state *s, int64_t threads)
{
    enum { MANY = 128 * 128, MANY_FOUR = 256 * 128, MOST_BYTES = 64 << 20 };
    const weft_winograd_sizes *z = &s->z;
    const bool same = s->scheme->plain == 1, four = s->scheme->taps == 4;
    const int64_t shared = same ? 240 : 96;
    s->slots = threads, s->tiles = four ? 96 : same ? 48 : 32;
    if ((same && ins(s) * outs(s) > (four ? MANY_FOUR : MANY)) || z->tiles < s->tiles * threads || slot_floats(s) * sizeof(float) * (size_t) threads > MOST_BYTES)
        s->slots = 1, s->tiles = ceil_div(z->tiles, 2 * z->tiles < 3 * shared ? 1 : (z->tiles + shared / 2) / shared);
    s->slot_floats = slot_floats(s), s->strips = ceil_div(z->tiles, s->tiles);
}

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, void **out, size_t *scratch)
{
    const weft_winograd_scheme *c = scheme_of(n);
    *out = NULL;
    if (!c) return WEFT_OK;
    state *s = weft_new(ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    s->scheme = c, s->z = sizes_of(n, c), s->turned = is_transposed(n), s->constant = constant[1];
    cut(s, weft_pool_threads(ctx->pool));
    s->u_floats = s->constant ? 0 : (size_t) round_up(weft_winograd_kernels(c) * s->z.ci * s->z.co);
    if (((const weft_conv_attrs *) n->attrs)->gate && s->z.dy * s->z.dx > 1) s->gate_floats = (size_t) round_up(weft_shape_count(n->out_shape[0]));
    *scratch = (s->u_floats + s->gate_floats + s->slot_floats * (size_t) s->slots) * sizeof(float);
    *out = s;
    return WEFT_OK;
}

typedef struct weights_job { const state *s; const float *w; float *u; } weights_job;

static void some_weights(void *user, int64_t begin, int64_t end)
{
    const weights_job *j = user;
    weft_cpu_winograd_weights(j->s->scheme, &j->s->z, j->w, j->s->turned, j->u, begin, end);
}

typedef struct packing { const state *s; weft_pool *pool; } packing;

static weft_result pack_into(void *user, void *to)
{
    const packing *p = user;
    weft_parallel(p->pool, p->s->z.ci, 8, some_weights, &(weights_job) { p->s, p->s->constant, to });
    return WEFT_OK;
}

static weft_result pack(void *user, weft_context *ctx, const weft_node *n, weft_cpu_weights *weights, weft_cpu_taken *taken, uint32_t *unread)
{
    state *s = user;
    struct { char scheme[16]; int64_t ci, co, turned; } what = { .ci = s->z.ci, .co = s->z.co, .turned = s->turned };
    memcpy(what.scheme, s->scheme->name, sizeof what.scheme);
    const size_t count = (size_t) (s->z.ci * s->z.co);
    packing p = { s, ctx->pool };
    if (!s->constant) return WEFT_OK;
    const weft_cpu_form form = { s->constant, count * (size_t) (s->scheme->taps * s->scheme->taps) * sizeof(float), &what, sizeof what,
                                 (size_t) weft_winograd_kernels(s->scheme) * count * sizeof(float), pack_into, &p };
    s->shared = weights;
    const weft_result r = weft_cpu_weights_take(weights, &form, &s->packed, taken);
    if (r != WEFT_OK) return weft_fail_prefix(r, "%s '%s': ", n->op->name, n->name);
    *unread = 1u << 1;
    return WEFT_OK;
}

typedef struct job {
    const state *s;
    const weft_node *node;
    const void *const *in;
    float *y, *gates, *room;
    const float *u;
    weft_winograd_strip strip; // that all threads work on
    int64_t parts;             // of a plane's product
    _Atomic int64_t next;      // strip
    _Atomic bool failed;
} job;

static weft_winograd_strip strip_at(const job *j, int64_t slot, int64_t index)
{
    const state *s = j->s;
    const int64_t first = index * s->tiles, left = s->z.tiles - first, count = left < s->tiles ? left : s->tiles, lead = round_up(s->tiles);
    float *v = j->room + (size_t) slot * s->slot_floats;
    return (weft_winograd_strip) { first, count, lead, v, v + weft_winograd_room(s->scheme, ins(s), lead), j->gates };
}

static void lift(const job *j, const weft_winograd_strip *p, int64_t begin, int64_t end)
{
    const float *scale = weft_has(j->node, WEFT_CONV_S) ? j->in[WEFT_CONV_S] : NULL;
    for (int64_t c = begin; c < end; c++) weft_cpu_winograd_in(j->s->scheme, &j->s->z, p, j->in[0], scale, c);
}

static void multiply(job *j, const weft_winograd_strip *p, int plane, int64_t begin, int64_t end)
{
    const weft_winograd_scheme *c = j->s->scheme;
    const int64_t ci = ins(j->s), co = outs(j->s), columns = weft_winograd_columns(c, plane), wide = columns * p->lead;
    const dnnl_status_t r = dnnl_sgemm('T', 'N', end - begin, wide - p->lead + p->count, ci, 1, j->u + plane * ci * co + begin, co,
                                       p->v + weft_winograd_at(c, plane, ci, p->lead), wide, 0,
                                       p->m + weft_winograd_at(c, plane, co, p->lead) + begin * wide, wide);
    if (r != dnnl_success) j->failed = true;
}

static int planes_of(const job *j) { return j->s->scheme->side * j->s->scheme->side; }

static void lower(const job *j, const weft_winograd_strip *p, int64_t begin, int64_t end)
{
    for (int64_t c = begin; c < end; c++) weft_cpu_winograd_out(j->s->scheme, &j->s->z, p, j->node, j->in, j->y, c);
}

static void whole_strips(void *user, int64_t begin, int64_t end)
{
    job *j = user;
    const weft_winograd_sizes *z = &j->s->z;
    for (int64_t slot = begin, index; slot < end; slot++)
        while ((index = atomic_fetch_add(&j->next, 1)) < j->s->strips) {
            const weft_winograd_strip p = strip_at(j, slot, index);
            lift(j, &p, 0, z->ci);
            for (int plane = 0; plane < planes_of(j); plane++) multiply(j, &p, plane, 0, outs(j->s));
            lower(j, &p, 0, j->node->out_shape[0].dim[1]);
        }
}

static void lift_some(void *user, int64_t begin, int64_t end) { lift(user, &((job *) user)->strip, begin, end); }
static void lower_some(void *user, int64_t begin, int64_t end) { lower(user, &((job *) user)->strip, begin, end); }

static void multiply_some(void *user, int64_t begin, int64_t end)
{
    job *j = user;
    const int64_t co = outs(j->s), each = round_up(ceil_div(co, j->parts));
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i % j->parts * each, last = first + each < co ? first + each : co;
        if (first < last) multiply(j, &j->strip, (int) (i / j->parts), first, last);
    }
}

// Too few tiles for a strip for each thread: they share the channels and planes of one.
static void shared_strips(job *j, weft_pool *pool)
{
    const weft_winograd_sizes *z = &j->s->z;
    j->parts = ceil_div(4 * weft_pool_threads(pool), planes_of(j));
    for (int64_t i = 0; i < j->s->strips; i++) {
        j->strip = strip_at(j, 0, i);
        weft_parallel(pool, z->ci, 1, lift_some, j);
        weft_parallel(pool, planes_of(j) * j->parts, 1, multiply_some, j);
        weft_parallel(pool, j->node->out_shape[0].dim[1], 1, lower_some, j);
    }
}

static void finish_some(void *user, int64_t begin, int64_t end)
{
    const job *j = user;
    for (int64_t i = begin; i < end; i++) weft_cpu_winograd_finish(&j->s->z, j->node, j->in, j->y, j->s->gate_floats ? j->gates : NULL, i);
}

static weft_result run(void *user, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const state *s = user;
    float *room = scratch;
    job j = { .s = s, .node = n, .in = in, .y = out[0], .gates = room + s->u_floats, .room = room + s->u_floats + s->gate_floats,
              .u = s->packed ? weft_cpu_weight_data(s->packed) : room };
    if (!s->packed) weft_parallel(ctx->pool, s->z.ci, 8, some_weights, &(weights_job) { s, in[1], room });
    if (s->slots == 1) shared_strips(&j, ctx->pool);
    else weft_parallel(ctx->pool, s->slots, 1, whole_strips, &j);
    if (s->z.dy * s->z.dx > 1) weft_parallel(ctx->pool, n->out_shape[0].dim[0] * n->out_shape[0].dim[1], 1, finish_some, &j);
    return j.failed ? weft_fail_memory(0) : WEFT_OK;
}

// Against oneDNN 2.6 on 2 cores of Zen 4, times as fast in processor time. Stride 1: 16 channels at 128 x 128: 1.3; 64 at 16 x 16, 32 x 32,
// 64 x 64: 1.5, 2.0, 2.1; 128 at 17 x 17 (a third of the tiles is for nothing): 1.0; 256 at 12 x 12 (9 tiles), 16 x 16, 64 x 64: 1.0, 1.3, 2.7;
// 512 at 16 x 16, 32 x 32, 64 x 64: 1.7, 2.7, 3.1. Dilated by 2, 4, 8, 16, 96 to 192 channels at 64 x 64: 1.8, 1.6, 1.35, 0.8; 64 at 128 x 128: 1.15,
// 1.1, 1.1, 0.9; 128 to 256 at 28 x 28: 1.4, 1.2, 0.85, 0.2; 32 at 32 x 32: 0.9, 0.6.
// Transposed with stride 2: 32 channels at 64 x 64: 0.7; 64, 128, 256, 512 at 32 x 32 (121 tiles): 0.8, 0.95, 1.1, 1.15; 512 at 16 x 16: 0.7;
// 128 at 64 x 64: 1.0; 256 to 128 at 128 x 128: 1.1. Stride 2: 32 channels to 32 x 32: 0.9; 64 to 64 x 64: 1.0; 128 to 32 x 32: 1.1;
// 512 to 16 x 16, 32 x 32: 0.8, 1.3.
// 4 x 4 taps: 64 to 128 channels from 128 x 128, 128 to 256 from 64 x 64, 256 to 512 from 32 x 32 (36 tiles): 1.3, 1.4, 1.15; 64 to 64 from 64 x 64,
// 32 to 32 from 128 x 128: 0.95, 1.2. Transposed: 512 to 128 from 32 x 32, 256 to 64 from 64 x 64: 1.6, 1.4; 1024 to 256 from 16 x 16 (36 tiles): 1.15;
// 64, 32, 16 from 64 x 64: 1.2, 1.0, 0.8. To 3 channels, of which the library makes 16: 2.2 to 3.4, 3 x 3 with stride 1 1.6 to 2.8.
// The rule leaves out what gains little, since transformed weights are up to four times as many. Weights that change from run to run have to be
// transformed in each.
static bool pays(const weft_winograd_scheme *c, const weft_winograd_sizes *z)
{
    enum { FEW = 8 };
    static const struct { const weft_winograd_scheme *scheme; int64_t ci, co; } least[] = {
        { &weft_winograd_same, 16, 1 }, { &weft_winograd_down, 128, 128 }, { &weft_winograd_up, 256, 128 },
        { &weft_winograd_down_four, 64, 128 }, { &weft_winograd_up_four, 128, 64 },
    };
    if (z->dy * z->dx > 1) return z->ci >= 64 && z->co >= 64;
    if (c == &weft_winograd_up_four && z->co <= FEW) return z->ci >= 32;
    for (size_t i = 0; i < sizeof least / sizeof *least; i++)
        if (c == least[i].scheme) return z->ci >= least[i].ci && z->co >= least[i].co;
    return false;
}

static bool wins(const weft_node *n, bool constant_weights)
{
    enum { MOST_DILATION = 8, LEAST_SIDE = 7 }; // LEAST_SIDE: of the images that dilation makes of one
    const weft_winograd_scheme *c = scheme_of(n);
    if (!c) return false;
    const weft_winograd_sizes z = sizes_of(n, c);
    const bool same = c == &weft_winograd_same, dilated = z.dy * z.dx > 1;
    const int64_t tiles = same ? 16 : 100;
    if (dilated && (z.dy > MOST_DILATION || z.dx > MOST_DILATION || z.ho < LEAST_SIDE * z.dy || z.wo < LEAST_SIDE * z.dx)) return false;
    const bool wasteful = same && 5 * c->tile * c->tile * z.tiles > 7 * z.images * z.ho * z.wo;
    return !wasteful && pays(c, &z) && z.tiles >= (constant_weights ? tiles : 4 * tiles);
}

static weft_result prepare_winner(weft_context *ctx, const weft_node *n, const void *const *constant, void **out, size_t *scratch)
{
    *out = NULL;
    return wins(n, constant[1]) ? prepare(ctx, n, constant, out, scratch) : WEFT_OK;
}

const weft_cpu_fast weft_cpu_fast_winograd = { "conv2d", prepare_winner, run, destroy, pack };
const weft_cpu_fast weft_cpu_fast_winograd_transposed = { "conv_transpose2d", prepare_winner, run, destroy, pack };

const weft_cpu_fast *weft_cpu_winograd_row(bool transposed)
{
    static const weft_cpu_fast conv = { "conv2d", prepare, run, destroy, pack };
    static const weft_cpu_fast back = { "conv_transpose2d", prepare, run, destroy, pack };
    return transposed ? &back : &conv;
}
#else
const weft_cpu_fast *weft_cpu_winograd_row(bool transposed) { return (void) transposed, NULL; }
#endif // WEFT_DNNL
