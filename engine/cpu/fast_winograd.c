// SPDX-License-Identifier: MIT
// Winograd convolutions between plain images: transforms of our own, the 36 products on oneDNN's sgemm.
#include "cpu/fast_winograd.h"
#ifdef WEFT_DNNL
#include "cpu/winograd.h"
#include <oneapi/dnnl/dnnl.h>
#include <stdatomic.h>

enum { PLANES = WEFT_WINOGRAD_PLANES, LANES = 16 };

typedef struct state {
    weft_winograd_sizes z;
    bool turned;              // the weights, as those of transposed convolutions
    const float *constant;    // NULL: they are made anew for every run
    weft_cpu_weights *shared;
    weft_cpu_weight *packed;
    int64_t tiles, strips;    // of a strip, and how many there are
    int64_t slots;            // threads with a strip each; 1: all share the one there is
    size_t slot_floats, u_floats;
} state;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static bool sizes_of(const weft_node *n, bool transposed, weft_winograd_sizes *z)
{
    const weft_conv_attrs *at = n->attrs;
    const int64_t *x = n->in_shape[0].dim, *w = n->in_shape[1].dim, *y = n->out_shape[0].dim;
    *z = (weft_winograd_sizes) { .images = x[0], .ci = x[1], .h = x[2], .w = x[3], .co = at->gate ? 2 * y[1] : y[1], .ho = y[2], .wo = y[3],
                                 .top = at->pads[0], .left = at->pads[1], .mode = at->pad_mode };
    if (transposed) z->top = 2 - z->top, z->left = 2 - z->left, z->mode = WEFT_PAD_ZERO;
    z->rows = ceil_div(z->ho, 4), z->columns = ceil_div(z->wo, 4), z->tiles = z->images * z->rows * z->columns;
    return w[2] == 3 && w[3] == 3 && at->groups == 1 && at->stride[0] == 1 && at->stride[1] == 1 && at->dilation[0] == 1 && at->dilation[1] == 1 &&
           z->top >= 0 && z->left >= 0;
}

static void destroy(weft_context *ctx, void *user)
{
    state *s = user;
    if (s && s->packed) weft_cpu_weights_give_back(s->shared, s->packed);
    weft_delete(ctx, s);
}

static int64_t round_up(int64_t a) { return (a + LANES - 1) / LANES * LANES; }

// With few channels the threads take strips of their own, whose transforms stay in the nearer caches; the transformed weights, read
// anew for every strip, are small then. With many, or few tiles, they share larger strips. Measured on 2 cores of Zen 4 (1 MiB of
// second-level cache each), ms of processor time, own against shared: 64 channels at 128 x 128: 6.0, 8.1; 128 at 256 x 256: 75, 77;
// 256 at 64 x 64: 20.3, 17.3; 512 at 64 x 64: 67, 58.
static void cut(state *s, int64_t threads)
{
    enum { OWN = 48, SHARED = 240, MANY = 128 * 128 };
    const weft_winograd_sizes *z = &s->z;
    const bool shared = z->ci * z->co > MANY || z->tiles < OWN * threads;
    s->slots = shared ? 1 : threads;
    s->tiles = shared && z->tiles < SHARED ? z->tiles : shared ? SHARED : OWN;
    s->strips = ceil_div(z->tiles, s->tiles);
}

static size_t planes_of(int64_t channels, int64_t lead) { return (size_t) (channels * lead + LANES); } // strides that are no power of 2

static weft_result prepare(weft_context *ctx, const weft_node *n, const void *const *constant, bool transposed, void **out, size_t *scratch)
{
    weft_winograd_sizes z;
    *out = NULL;
    if (!sizes_of(n, transposed, &z)) return WEFT_OK;
    state *s = weft_new(ctx, sizeof *s);
    if (!s) return WEFT_ERR_MEMORY;
    s->z = z, s->turned = transposed, s->constant = constant[1];
    cut(s, weft_pool_threads(ctx->pool));
    s->slot_floats = PLANES * (planes_of(z.ci, round_up(s->tiles)) + planes_of(z.co, round_up(s->tiles)));
    s->u_floats = s->constant ? 0 : (size_t) round_up(PLANES * z.ci * z.co);
    *scratch = (s->u_floats + s->slot_floats * (size_t) s->slots) * sizeof(float);
    *out = s;
    return WEFT_OK;
}

typedef struct weights_job { const state *s; const float *w; float *u; } weights_job;

static void some_weights(void *user, int64_t begin, int64_t end)
{
    const weights_job *j = user;
    weft_cpu_winograd_weights(&j->s->z, j->w, j->s->turned, j->u, begin, end);
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
    const struct { char name[16]; int64_t ci, co, turned; } what = { "winograd 4x4", s->z.ci, s->z.co, s->turned };
    const size_t count = (size_t) (s->z.ci * s->z.co);
    packing p = { s, ctx->pool };
    if (!s->constant) return WEFT_OK;
    const weft_cpu_form form = { s->constant, count * 9 * sizeof(float), &what, sizeof what, PLANES * count * sizeof(float), pack_into, &p };
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
    float *y, *room;
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
    weft_winograd_strip p = { .first = first, .count = count, .lead = lead, .v = j->room + (size_t) slot * s->slot_floats };
    p.v_plane = (int64_t) planes_of(s->z.ci, lead), p.m_plane = (int64_t) planes_of(s->z.co, lead);
    p.m = p.v + PLANES * p.v_plane;
    return p;
}

static void lift(const job *j, const weft_winograd_strip *p, int64_t begin, int64_t end)
{
    const float *scale = weft_has(j->node, WEFT_CONV_S) ? j->in[WEFT_CONV_S] : NULL;
    for (int64_t c = begin; c < end; c++) weft_cpu_winograd_in(&j->s->z, p, j->in[0], scale, c);
}

static void multiply(job *j, const weft_winograd_strip *p, int64_t plane, int64_t begin, int64_t end)
{
    const weft_winograd_sizes *z = &j->s->z;
    const dnnl_status_t r = dnnl_sgemm('T', 'N', end - begin, p->count, z->ci, 1, j->u + plane * z->ci * z->co + begin, z->co,
                                       p->v + plane * p->v_plane, p->lead, 0, p->m + plane * p->m_plane + begin * p->lead, p->lead);
    if (r != dnnl_success) j->failed = true;
}

static void lower(const job *j, const weft_winograd_strip *p, int64_t begin, int64_t end)
{
    for (int64_t c = begin; c < end; c++) weft_cpu_winograd_out(&j->s->z, p, j->node, j->in, j->y, c);
}

static void whole_strips(void *user, int64_t begin, int64_t end)
{
    job *j = user;
    const weft_winograd_sizes *z = &j->s->z;
    for (int64_t slot = begin, index; slot < end; slot++)
        while ((index = atomic_fetch_add(&j->next, 1)) < j->s->strips) {
            const weft_winograd_strip p = strip_at(j, slot, index);
            lift(j, &p, 0, z->ci);
            for (int64_t plane = 0; plane < PLANES; plane++) multiply(j, &p, plane, 0, z->co);
            lower(j, &p, 0, j->node->out_shape[0].dim[1]);
        }
}

static void lift_some(void *user, int64_t begin, int64_t end) { lift(user, &((job *) user)->strip, begin, end); }
static void lower_some(void *user, int64_t begin, int64_t end) { lower(user, &((job *) user)->strip, begin, end); }

static void multiply_some(void *user, int64_t begin, int64_t end)
{
    job *j = user;
    const int64_t co = j->s->z.co, each = round_up(ceil_div(co, j->parts));
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i % j->parts * each, last = first + each < co ? first + each : co;
        if (first < last) multiply(j, &j->strip, i / j->parts, first, last);
    }
}

// Too few tiles for a strip for each thread: they share the channels and planes of one.
static void shared_strips(job *j, weft_pool *pool)
{
    const weft_winograd_sizes *z = &j->s->z;
    j->parts = ceil_div(4 * weft_pool_threads(pool), PLANES);
    for (int64_t i = 0; i < j->s->strips; i++) {
        j->strip = strip_at(j, 0, i);
        weft_parallel(pool, z->ci, 1, lift_some, j);
        weft_parallel(pool, PLANES * j->parts, 1, multiply_some, j);
        weft_parallel(pool, j->node->out_shape[0].dim[1], 1, lower_some, j);
    }
}

static weft_result run(void *user, weft_context *ctx, const weft_node *n, void *const *out, const void *const *in, void *scratch)
{
    const state *s = user;
    float *room = scratch;
    job j = { .s = s, .node = n, .in = in, .y = out[0], .room = room + s->u_floats, .u = s->packed ? weft_cpu_weight_data(s->packed) : room };
    if (!s->packed) weft_parallel(ctx->pool, s->z.ci, 8, some_weights, &(weights_job) { s, in[1], room });
    if (s->slots == 1) shared_strips(&j, ctx->pool);
    else weft_parallel(ctx->pool, s->slots, 1, whole_strips, &j);
    return j.failed ? weft_fail_memory(0) : WEFT_OK;
}

static weft_result prepare_conv(weft_context *ctx, const weft_node *n, const void *const *constant, void **out, size_t *scratch)
{
    return prepare(ctx, n, constant, false, out, scratch);
}
static weft_result prepare_transposed(weft_context *ctx, const weft_node *n, const void *const *constant, void **out, size_t *scratch)
{
    return prepare(ctx, n, constant, true, out, scratch);
}

// Against oneDNN 2.6 on 2 cores of Zen 4, times as fast in processor time: 16 channels at 128 x 128: 1.3; 64 at 16 x 16, 32 x 32, 64 x 64: 1.5, 2.0,
// 2.1; 256 at 12 x 12 (9 tiles), 16 x 16, 64 x 64: 1.0, 1.3, 2.7; 512 at 16 x 16, 32 x 32, 64 x 64: 1.7, 2.7, 3.1.
// Weights that change from run to run have to be transformed in each.
bool weft_cpu_winograd_wins(const weft_node *n, bool transposed, bool constant_weights)
{
    weft_winograd_sizes z;
    return sizes_of(n, transposed, &z) && z.ci >= 16 && z.co >= 16 && z.tiles >= (constant_weights ? 16 : 64);
}

const weft_cpu_fast *weft_cpu_winograd_row(bool transposed)
{
    static const weft_cpu_fast conv = { "conv2d", prepare_conv, run, destroy, pack };
    static const weft_cpu_fast back = { "conv_transpose2d", prepare_transposed, run, destroy, pack };
    return transposed ? &back : &conv;
}
#else
bool weft_cpu_winograd_wins(const weft_node *n, bool transposed, bool constant_weights) { return (void) n, (void) transposed, (void) constant_weights, false; }
const weft_cpu_fast *weft_cpu_winograd_row(bool transposed) { return (void) transposed, NULL; }
#endif // WEFT_DNNL
