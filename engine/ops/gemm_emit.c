// SPDX-License-Identifier: MIT
#include "ops/gemm.h"
#include "ops/divide.h"
#include "ops/lanes.h"
#include "ops/matrix.h"
#include "ops/tile.h"
#include "ops/turns.h"
#include "params/matmul.h"
#include "params/matmul_finish.h"
#include "params/matmul_pack.h"
#include <math.h>
#include <string.h>

// Flops from which a faster kernel is worth the second that a software driver takes to compile it.
static const double LONG_WORK = 1e7;

enum { ENOUGH = 64 };      // workgroups to keep a large device busy
enum { STEP = 32 };        // a part of k is a multiple of it
enum { LEAST_PART = 128 }; // k of a part, where k is split
enum { MOST_PARTS = 32 };

typedef struct product { // on its way to a kernel
    const weft_gemm *g;
    const weft_caps *caps;
    bool a_turned, b_turned; // elements next to each other are of one k, else of one row or column
    bool a_wide, b_wide, y_wide; // can be read and written in fours
    uint32_t halves;             // 1: a is stored in f16 beside y in f32; 2: b is
    double batch, flops;
    struct matmul_params p;
    weft_dispatch d;
} product;

// Drops dimensions of size 1 and merges those that both operands step over evenly.
static weft_result fill_batch(const weft_gemm *g, int64_t a_size, int64_t b_size, struct matmul_params *p)
{
    int rank = 0;
    p->batch = 1;
    for (int d = 0; d < MATMUL_BATCH; d++) p->dim[d] = 1, p->a_step[d] = p->b_step[d] = 0;
    int64_t dim[WEFT_MAX_RANK], a[WEFT_MAX_RANK], b[WEFT_MAX_RANK];
    for (int d = 0; d < g->batch.rank; d++) {
        const int64_t size = g->batch.dim[d];
        p->batch *= (u32) size;
        if (size == 1) continue;
        if (rank && a[rank - 1] == g->a_step[d] * size && b[rank - 1] == g->b_step[d] * size) {
            dim[rank - 1] *= size, a[rank - 1] = g->a_step[d], b[rank - 1] = g->b_step[d];
            continue;
        }
        dim[rank] = size, a[rank] = g->a_step[d], b[rank++] = g->b_step[d];
    }
    if (rank > MATMUL_BATCH) return weft_fail(WEFT_ERR_UNSUPPORTED, "matrix product: too many batch dimensions stretch in turn");
    for (int d = 0; d < rank; d++)
        p->dim[d] = (u32) dim[d], p->a_step[d] = (u32) (a[d] * a_size), p->b_step[d] = (u32) (b[d] * b_size);
    return WEFT_OK;
}

static bool packed(const weft_emit *e, weft_bind b) { return b.kind == WEFT_BIND_IN_ && weft_emit_packed(e, b.index); }

static void describe(product *w, const weft_gemm *g, const weft_emit *e)
{
    *w = (product) { .g = g, .caps = weft_emit_caps(e), .halves = packed(e, g->a) * 1u + packed(e, g->b) * 2u, .a_turned = g->trans_a, .b_turned = !g->trans_b, .batch = (double) weft_shape_count(g->batch) };
    w->a_wide = (g->trans_a ? g->m : g->k) % 4 == 0;
    w->b_wide = (g->trans_b ? g->k : g->n) % 4 == 0;
    w->y_wide = g->n % 4 == 0;
    w->flops = 2.0 * w->batch * (double) g->m * (double) g->n * (double) g->k;
    w->p = (struct matmul_params) {
        .m = (u32) g->m, .n = (u32) g->n, .k = (u32) g->k, .parts = 1, .k_part = (u32) g->k,
        .a_row = (u32) (g->trans_a ? 1 : g->k), .a_k = (u32) (g->trans_a ? g->m : 1),
        .b_k = (u32) (g->trans_b ? 1 : g->n), .b_column = (u32) (g->trans_b ? g->k : 1),
    };
    w->d = (weft_dispatch) { .params_bytes = sizeof w->p, .bind = { g->y, g->a, g->b, g->bias }, .bind_count = 4, .flops = w->flops };
}

static weft_result dispatch(product *w, weft_emit *e, const char *kernel, double groups, uint32_t threads, const uint32_t *spec, int spec_count)
{
    w->d.kernel = kernel, w->d.params = &w->p;
    w->d.group[0] = threads, w->d.grid[0] = (uint32_t) groups * threads;
    memcpy(w->d.spec, spec, sizeof *spec * (size_t) spec_count);
    w->d.spec_count = spec_count;
    return weft_emit_dispatch(e, &w->d);
}

// --- Kernels that read memory as it lies. --------------------------------------------------------------------

static bool a_fours(const product *w) { return !w->g->trans_a && w->g->k % 4 == 0; } // k lies in one piece in a, in fours
static bool direct_wide(const product *w) { return w->g->trans_b && a_fours(w); }

// Any case; also where the others' workgroups would be more than a grid can have, because rows or columns are few and batches are many.
static weft_result emit_direct(product *w, weft_emit *e)
{
    w->p.row_tiles = w->p.m, w->p.column_tiles = w->p.n;
    w->d.kernel = "matmul_direct", w->d.params = &w->p;
    w->d.spec[0] = w->g->has_bias, w->d.spec[1] = direct_wide(w), w->d.spec[2] = w->halves, w->d.spec_count = 3;
    w->d.grid[0] = w->p.n * w->p.m * w->p.batch;
    return weft_emit_dispatch(e, &w->d);
}

static bool has_grid(double groups, uint32_t threads) { return groups * threads <= UINT32_MAX; }

static bool can_vector(const product *w) { return w->g->trans_b && !w->g->trans_a && w->g->m <= 32 && w->g->k >= 32; }

// Few rows and a b whose columns lie in one piece: a workgroup adds up each column together.
static weft_result emit_vector(product *w, weft_emit *e)
{
    const int64_t m = w->g->m;
    const uint32_t rows = m > 4 ? 8 : m > 2 ? 4 : m > 1 ? 2 : 1;
    w->p.row_tiles = (u32) ceil_div(m, rows), w->p.column_tiles = w->p.n;
    const double groups = (double) w->p.column_tiles * w->p.row_tiles * w->p.batch;
    if (!has_grid(groups, 32)) return emit_direct(w, e);
    return dispatch(w, e, "matmul_vector", groups, 32,
                    (const uint32_t[]) { rows, w->g->k % 4 == 0, w->g->has_bias, w->halves }, 4);
}

// b in rows of a multiple of 4, so that it can be read four columns at a time.
static weft_result emit_pack(product *w, weft_emit *e, int64_t width)
{
    const weft_gemm *g = w->g;
    const int room = weft_emit_scratch(e, g->b_count * g->k * width, WEFT_F32);
    if (room < 0) return WEFT_ERR_MEMORY;
    const struct matmul_pack_params p = {
        (u32) (g->b_count * g->k * width), (u32) g->k, (u32) g->n, (u32) width, (u32) (g->trans_b ? 1 : g->n), (u32) (g->trans_b ? g->k : 1),
    };
    const uint32_t halves = w->halves;
    w->d.bind[2] = (weft_bind) WEFT_BIND_SCRATCH(room, 0), w->halves &= 1;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_pack", .params = &p, .params_bytes = sizeof p, .grid = { p.count },
        .bind = { WEFT_BIND_SCRATCH(room, 1), g->b }, .bind_count = 2, .spec = { halves >> 1 }, .spec_count = 1,
    });
}

static bool must_pack(const product *w) { return w->g->trans_b || w->g->n % 4; }

// Every invocation makes some rows x 4 of y.
static weft_result emit_rows(product *w, weft_emit *e)
{
    const weft_gemm *g = w->g;
    const int64_t width = ceil_div(g->n, 4) * 4;
    const uint32_t quads = (uint32_t) (width / 4), rows = g->m > 4 ? 8 : g->m > 2 ? 4 : g->m > 1 ? 2 : 1;
    uint32_t lanes = 64;
    while (lanes > 8 && lanes / 2 >= quads) lanes /= 2;
    // A processor wants a's elements to be the workgroup's; a GPU wants full workgroups.
    const uint32_t deep = w->caps->is_software ? 1 : 64 / lanes;
    w->p.column_tiles = (u32) ceil_div(quads, lanes), w->p.row_tiles = (u32) ceil_div(w->p.m, rows * deep);
    const double groups = (double) w->p.column_tiles * w->p.row_tiles * w->p.batch;
    if (!has_grid(groups, lanes * deep) || (double) g->b_count * g->k * width > INT32_MAX) return emit_direct(w, e);
    if (must_pack(w)) {
        WEFT_TRY(fill_batch(g, g->m * g->k, g->k * width, &w->p));
        WEFT_TRY(emit_pack(w, e, width));
    }
    w->p.b_k = (u32) width;
    return dispatch(w, e, "matmul_rows", groups, lanes * deep,
                    (const uint32_t[]) { rows, a_fours(w), g->n % 4 == 0, g->has_bias, lanes, w->halves }, 6);
}

// Cut: rows of an invocation, columns of a workgroup.
static weft_result emit_subgroup(product *w, weft_emit *e, const weft_way *way)
{
    const uint32_t rows = way->cut[0], columns = way->cut[1], threads = weft_lanes(w->caps);
    const bool a_wide = a_fours(w);
    w->p.column_tiles = (u32) ceil_div(w->p.n, columns), w->p.row_tiles = (u32) ceil_div(w->p.m, threads * rows);
    const double groups = (double) w->p.column_tiles * w->p.row_tiles * w->p.batch;
    if (!has_grid(groups, threads)) return emit_direct(w, e);
    w->d.subgroup = threads;
    return dispatch(w, e, "matmul_subgroup", groups, threads,
                    (const uint32_t[]) { a_wide, a_wide && !w->b_turned, w->y_wide, w->g->has_bias, threads, rows, columns, w->halves }, 8);
}

// --- Kernels with tiles in shared memory, which can split k. --------------------------------------------------

typedef struct shape { // of a workgroup
    uint32_t rows, columns, threads;
    double speed; // of a GPU, by guess: flops a workgroup does beside the others, of those of the best
} shape;

enum { DOWN, ACROSS, ROW_QUADS, COLUMN_QUADS, PARTS }; // the cut of matmul_tile
static shape tile_shape(const weft_way *way)
{
    const uint8_t *c = way->cut;
    shape s = { c[DOWN] * c[ROW_QUADS] * 4, c[ACROSS] * c[COLUMN_QUADS] * 4, (uint32_t) c[DOWN] * c[ACROSS], 0 };
    s.speed = 1 / weft_tile_pace(4.0 * c[ROW_QUADS], 4.0 * c[COLUMN_QUADS], s.rows, s.columns);
    return s;
}

static uint32_t shared_of(shape s) { return 16 * 16 * (s.rows / 4 + 1 + s.columns / 4 + 1); } // see shaders/matmul_tile.comp

static double groups_of(const product *w, shape s)
{
    return (double) ceil_div(w->g->m, s.rows) * (double) ceil_div(w->g->n, s.columns) * w->batch;
}

// Into how many parts k is best split so that there is work for a whole device.
static uint32_t parts_of(const product *w, shape s)
{
    const double wanted = 2 * ENOUGH / groups_of(w, s), most = (double) (w->g->k / LEAST_PART);
    const double parts = wanted < most ? wanted : most;
    return parts < 2 ? 1 : parts > MOST_PARTS ? MOST_PARTS : (uint32_t) parts;
}

// What the work takes on a device that runs ENOUGH workgroups at a time, in flops of one.
static double cost_of(const product *w, shape s, uint32_t parts)
{
    const double groups = groups_of(w, s) * parts, k = (double) ceil_div(w->g->k, parts);
    const double sums = parts > 1 ? 64 * (double) w->g->m * (double) w->g->n * w->batch * (parts + 1) / ENOUGH + 4e5 : 0; // and a dispatch
    return ceil_div(groups, ENOUGH) * s.rows * s.columns * k / s.speed + sums;
}

static bool fits(const product *w, shape s, uint32_t shared, uint32_t parts)
{
    return s.threads <= w->caps->max_group && shared <= w->caps->shared_bytes &&
           groups_of(w, s) * parts * s.threads <= UINT32_MAX &&
           (double) parts * w->batch * (double) w->g->m * (double) w->g->n <= INT32_MAX;
}

// The sums of all parts go to scratch memory, and another dispatch adds them up.
static weft_result begin_parts(product *w, weft_emit *e, uint32_t parts, int *room)
{
    if (parts < 2) return WEFT_OK;
    const int64_t k = ceil_div(ceil_div(w->g->k, parts), STEP) * STEP;
    w->p.k_part = (u32) k, w->p.parts = (u32) ceil_div(w->g->k, k);
    *room = weft_emit_scratch(e, (int64_t) w->p.parts * w->p.batch * w->g->m * w->g->n, WEFT_I32); // four bytes whatever the storage
    if (*room < 0) return WEFT_ERR_MEMORY;
    w->d.bind[0] = (weft_bind) WEFT_BIND_SCRATCH(*room, 1);
    return WEFT_OK;
}

static weft_result finish_parts(product *w, weft_emit *e, int room)
{
    const struct matmul_finish_params p = { w->p.batch * w->p.m * w->p.n, w->p.n, w->p.parts };
    if (room < 0) return WEFT_OK;
    return weft_emit_dispatch(e, &(weft_dispatch) {
        .kernel = "matmul_finish", .params = &p, .params_bytes = sizeof p, .grid = { p.count }, .spec = { w->g->has_bias }, .spec_count = 1,
        .bind = { w->g->y, WEFT_BIND_SCRATCH(room, 0), w->g->bias }, .bind_count = 3, .flops = (double) p.count * p.parts,
    });
}

static weft_result emit_tile(product *w, weft_emit *e, const weft_way *way)
{
    const shape s = tile_shape(way);
    const uint8_t *c = way->cut;
    int room = -1;
    WEFT_TRY(begin_parts(w, e, c[PARTS], &room));
    w->p.row_tiles = (u32) ceil_div(w->p.m, s.rows), w->p.column_tiles = (u32) ceil_div(w->p.n, s.columns);
    WEFT_TRY(dispatch(w, e, "matmul_tile", groups_of(w, s) * w->p.parts, s.threads,
                      (const uint32_t[]) { w->a_turned, w->b_turned, w->a_wide, w->b_wide, w->y_wide, w->g->has_bias, room >= 0,
                                           c[DOWN], c[ACROSS], c[ROW_QUADS], c[COLUMN_QUADS], w->halves }, 12));
    return finish_parts(w, e, room);
}

// The cut of matmul_matrix: see ops/matrix.h; then the parts.
static shape matrix_shape(const product *w, const weft_way *way)
{
    const uint8_t *c = way->cut;
    const int own = c[WEFT_MATRIX_ROWS] * c[WEFT_MATRIX_COLUMNS];
    return (shape) { weft_matrix_tall(w->caps, c), weft_matrix_wide(w->caps, c), weft_matrix_threads(w->caps, c), own >= 16 ? 5 : own >= 8 ? 4.5 : own >= 4 ? 4 : 2.5 };
}

static uint32_t operands_shared(const product *w, uint32_t tall, uint32_t wide) // see shaders/glsl/matmul_matrix.glsl
{
    const uint32_t deep = weft_matrix_deep(w->caps);
    return 8 * ((w->a_turned ? deep * (tall / 4 + 2) : tall * (deep / 4 + 2)) + (w->b_turned ? deep * (wide / 4 + 2) : wide * (deep / 4 + 2)));
}

static uint32_t matrix_shared(const product *w, const weft_way *way)
{
    return operands_shared(w, weft_matrix_tall(w->caps, way->cut), weft_matrix_wide(w->caps, way->cut)) + 4 * (uint32_t) way->cut[WEFT_MATRIX_DOWN] * way->cut[WEFT_MATRIX_ACROSS] * w->caps->matrix[0] * w->caps->matrix[1];
}

static weft_result emit_matrix(product *w, weft_emit *e, const weft_way *way)
{
    const shape s = matrix_shape(w, way);
    const bool eights = w->caps->matrix[0] >= 8 && w->caps->matrix[1] >= 8;
    const bool a_eights = eights && (w->g->trans_a ? w->g->m : w->g->k) % 8 == 0, b_eights = eights && (w->g->trans_b ? w->g->k : w->g->n) % 8 == 0;
    const uint8_t *c = way->cut;
    const uint32_t *m = w->caps->matrix;
    int room = -1;
    WEFT_TRY(begin_parts(w, e, c[PARTS], &room));
    w->p.row_tiles = (u32) ceil_div(w->p.m, s.rows), w->p.column_tiles = (u32) ceil_div(w->p.n, s.columns);
    w->d.subgroup = w->caps->matrix_subgroup;
    WEFT_TRY(dispatch(w, e, "matmul_matrix", groups_of(w, s) * w->p.parts, s.threads,
                      (const uint32_t[]) { w->a_turned, w->b_turned, w->a_wide + a_eights, w->b_wide + b_eights, w->y_wide, w->g->has_bias, room >= 0,
                                           c[0], c[1], c[2], c[3], m[0], m[1], m[2], w->caps->matrix_subgroup,
                                           weft_matrix_deep(w->caps) }, 16));
    return finish_parts(w, e, room);
}

static shape matrix2_shape(const product *w, const weft_way *way)
{
    const weft_matrix2 t = weft_matrix2_of(w->caps, way->cut);
    const uint32_t each = t.tall * t.wide / t.threads;
    return (shape) { t.tall, t.wide, t.threads, each >= 128 ? 5 : each >= 64 ? 4.5 : each >= 32 ? 4 : 2.5 };
}

static weft_result emit_matrix2(product *w, weft_emit *e, const weft_way *way)
{
    const shape s = matrix2_shape(w, way);
    const bool a_eights = (w->g->trans_a ? w->g->m : w->g->k) % 8 == 0, b_eights = (w->g->trans_b ? w->g->k : w->g->n) % 8 == 0;
    int room = -1;
    WEFT_TRY(begin_parts(w, e, way->cut[PARTS], &room));
    w->p.row_tiles = (u32) ceil_div(w->p.m, s.rows), w->p.column_tiles = (u32) ceil_div(w->p.n, s.columns);
    w->d.subgroup = w->caps->matrix_subgroup;
    WEFT_TRY(dispatch(w, e, "matmul_matrix2", groups_of(w, s) * w->p.parts, s.threads,
                      (const uint32_t[]) { w->a_turned, w->b_turned, w->a_wide + a_eights, w->b_wide + b_eights, w->g->n % 8 == 0, w->g->has_bias, room >= 0,
                                           s.rows, s.columns, s.threads, weft_matrix2_of(w->caps, way->cut).scope, weft_matrix_deep(w->caps) }, 12));
    return finish_parts(w, e, room);
}

// --- The choice. ---------------------------------------------------------------------------------------------

typedef struct choice {
    weft_way *list;
    double cost[WEFT_MAX_WAYS]; // sorted by it
    int count;
} choice;

static void add(choice *c, weft_way way, double cost)
{
    if (c->count == WEFT_MAX_WAYS) return;
    int at = c->count++;
    for (; at && c->cost[at - 1] > cost; at--) c->cost[at] = c->cost[at - 1], c->list[at] = c->list[at - 1];
    c->cost[at] = cost, c->list[at] = way;
}

static bool half_empty(const product *w, shape s) { return s.rows >= 2 * w->g->m || s.columns >= 2 * w->g->n; }

// With k whole and, where that would leave a large device idle or be too much for a loop, in parts. A step of 16 k is 19 turns.
static void add_cut(choice *c, const product *w, weft_way way, shape s, uint32_t shared)
{
    const int64_t least = ceil_div(w->g->k, weft_turns_most(w->caps, 1.2)), wanted = parts_of(w, s), parts = wanted > least ? wanted : least;
    if (parts > UINT8_MAX) return;
    const double software = w->caps->is_software ? 1e6 : 1, whole = cost_of(w, s, 1), split = cost_of(w, s, (uint32_t) parts);
    if (least == 1 && fits(w, s, shared, 1)) add(c, way, software * whole);
    way.cut[PARTS] = (uint8_t) parts;
    if (parts > 1 && (split < whole || least > 1) && fits(w, s, shared, (uint32_t) parts)) add(c, way, software * split);
}

// A cut that is half empty is left out, because a smaller one does it; the smallest one comes first.
static void add_tiles(choice *c, const product *w)
{
    static const uint8_t cuts[][4] = {
        { 8, 8, 1, 1 }, { 8, 8, 2, 2 }, { 16, 8, 2, 2 }, { 16, 16, 2, 2 }, { 8, 16, 2, 1 }, { 4, 16, 1, 1 }, { 16, 4, 1, 1 },
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        const weft_way way = { "matmul_tile", { cuts[i][0], cuts[i][1], cuts[i][2], cuts[i][3] } };
        const shape s = tile_shape(&way);
        if (w->caps->few_registers && cuts[i][ROW_QUADS] * cuts[i][COLUMN_QUADS] > 2) continue;
        if (!i || !half_empty(w, s)) add_cut(c, w, way, s, shared_of(s));
    }
}

static void add_matrices(choice *c, const product *w)
{
    static const uint8_t cuts[][4] = { { 2, 1, 1, 2 }, { 2, 2, 2, 2 }, { 2, 2, 4, 2 }, { 2, 4, 4, 2 }, { 2, 2, 4, 4 }, { 1, 4, 1, 2 }, { 4, 1, 2, 1 } };
    const size_t count = w->caps->is_software ? 2 : sizeof cuts / sizeof *cuts; // it takes half a minute to compile the others
    for (size_t i = 0; i < count; i++) {
        const weft_way way = { "matmul_matrix", { cuts[i][0], cuts[i][1], cuts[i][2], cuts[i][3] } };
        const shape s = matrix_shape(w, &way);
        const uint32_t shared = matrix_shared(w, &way);
        if (weft_matrix_fits(w->caps, way.cut, 4, shared) && (!i || !half_empty(w, s))) add_cut(c, w, way, s, shared);
    }
}

// Matrices as large as the tile, behind all else: nobody knows yet where they pay, a trial will tell.
static void add_matrices2(choice *c, const product *w)
{
    choice own = { .list = (weft_way[WEFT_MAX_WAYS]) { { 0 } } };
    for (int f = 0; f < WEFT_MATRIX_FORMS; f++)
        for (int i = 0, found = 0; i < WEFT_MATRIX2_TILES; i++) {
            const uint8_t *tile = weft_matrix2_tiles[i];
            const weft_way way = { "matmul_matrix2", { tile[0] / 8, tile[1] / 8, (uint8_t) (w->caps->matrix_form[f].threads / 8) } };
            const uint32_t shared = operands_shared(w, tile[0], tile[1]);
            if (!weft_matrix2_fits(w->caps, &w->caps->matrix_form[f], tile[0], tile[1], shared)) continue;
            const shape s = matrix2_shape(w, &way);
            if (!found++ || !half_empty(w, s)) add_cut(&own, w, way, s, shared);
        }
    for (int i = 0; i < own.count; i++) add(c, own.list[i], INFINITY);
}

// Software drivers: registers first, because shared memory is only more memory there.
static void add_rest(choice *c, const product *w)
{
    const weft_gemm *g = w->g;
    const bool software = w->caps->is_software, few = g->m <= 8;
    const double far = 1e300, each = w->flops / 2 / ENOUGH;
    const uint8_t columns = g->n > 16 ? 32 : g->n > 8 ? 16 : 8, wave = (uint8_t) weft_lanes(w->caps);
    const uint8_t rows = !wave || g->m > 3 * wave ? 4 : (uint8_t) ceil_div(g->m, wave);
    const bool by_subgroup = software && w->flops >= (rows > 1 ? LONG_WORK : LONG_WORK / 50) && wave >= 8 && g->m > 1;
    const bool by_rows = g->n >= 4 && (!must_pack(w) || g->m >= 16), in_fours = g->k <= weft_turns_most(w->caps, 0.25), one_by_one = g->k <= weft_turns_most(w->caps, 1);
    const bool rows_fit = a_fours(w) ? in_fours : one_by_one; // the loops of those that read a four k at once, or one
    if (can_vector(w) && g->k <= weft_turns_most(w->caps, 1.0 / 32)) add(c, (weft_way) { "matmul_vector", { 0 } }, software ? (few ? 5 : far) : few ? 0 : 8 * each); // it waits at barriers
    if (rows_fit && wave && rows * columns <= (w->caps->few_registers ? 64 : 128))
        add(c, (weft_way) { "matmul_subgroup", { rows, columns } }, by_subgroup ? 1 : far);
    if (rows_fit && wave && columns > 16) add(c, (weft_way) { "matmul_subgroup", { rows, 16 } }, by_subgroup ? 2 : far);
    if (rows_fit && g->n >= 4) add(c, (weft_way) { "matmul_rows", { 0 } }, software ? (by_rows ? 3 : far) : 8 * each);
    if (direct_wide(w) ? in_fours : one_by_one) add(c, (weft_way) { "matmul_direct", { 0 } }, software ? 4 : 32 * each);
}

int weft_gemm_ways(const weft_gemm *g, const weft_emit *e, weft_way list[WEFT_MAX_WAYS])
{
    choice c = { .list = list };
    product w;
    describe(&w, g, e);
    add_rest(&c, &w);
    if (weft_emit_half(e) && weft_matrix_serves(w.caps)) add_matrices(&c, &w);
    add_tiles(&c, &w);
    if (weft_emit_half(e)) add_matrices2(&c, &w);
    if (!c.count) add(&c, (weft_way) { "matmul_direct", { 0 } }, 0);
    return c.count;
}

static bool is(const weft_way *w, const char *kernel) { return !strcmp(w->kernel, kernel); }

weft_result weft_gemm_emit(const weft_gemm *g, weft_emit *e, const weft_way *way)
{
    weft_way list[WEFT_MAX_WAYS];
    product w;
    if (!way && weft_gemm_ways(g, e, list)) way = list;
    describe(&w, g, e);
    WEFT_TRY(fill_batch(g, g->m * g->k, g->k * g->n, &w.p));
    if (is(way, "matmul_vector")) return emit_vector(&w, e);
    if (is(way, "matmul_subgroup")) return emit_subgroup(&w, e, way);
    if (is(way, "matmul_rows")) return emit_rows(&w, e);
    if (is(way, "matmul_tile")) return emit_tile(&w, e, way);
    if (is(way, "matmul_matrix")) return emit_matrix(&w, e, way);
    if (is(way, "matmul_matrix2")) return emit_matrix2(&w, e, way);
    return emit_direct(&w, e);
}
