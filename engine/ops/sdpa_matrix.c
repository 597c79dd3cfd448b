// SPDX-License-Identifier: MIT
#include "ops/sdpa_matrix.h"
#include "ops/divide.h"
#include "ops/matrix.h"
#include <string.h>

enum { SUBGROUPS, OTHER, COLUMNS }; // of a cut
enum { MOST_DEEP = 128, ENOUGH = 64 };

static uint32_t deep_of(const weft_caps *caps, const weft_sdpa_sizes *z) { return ceil_div((uint32_t) z->d, caps->matrix[2]) * caps->matrix[2]; }

static uint32_t shared_bytes(const weft_caps *caps, const weft_sdpa_sizes *z, const uint8_t *cut) // see shaders/sdpa_matrix.comp
{
    const uint32_t own = cut[SUBGROUPS] * caps->matrix[0], other = cut[OTHER], wide = cut[COLUMNS] * caps->matrix[1], deep = deep_of(caps, z);
    const uint32_t q = own * (deep / 4 + 2), kv = other * (deep / 4 + 2 + wide / 4 + 2);
    const uint32_t rows = deep / caps->matrix[2] > 4 ? q + kv : q > kv ? q : kv;
    return 8 * (rows + own * (other / 4 + 2)) + 16 * own * (other / 4 + 1) + 4 * (cut[SUBGROUPS] * caps->matrix_subgroup + own);
}

static bool fits(const weft_caps *caps, const weft_sdpa_sizes *z, const uint8_t *cut)
{
    const uint32_t m = caps->matrix[0], n = caps->matrix[1], k = caps->matrix[2], lanes = caps->matrix_subgroup, side = lanes > m ? lanes / m : 1;
    const uint32_t loads = cut[OTHER] * (deep_of(caps, z) + cut[COLUMNS] * n) / 4 / (cut[SUBGROUPS] * lanes); // that an invocation keeps in registers
    if (loads > (lanes < 32 ? 8u : 32u) && !caps->is_software) return false; // more spill on Intel
    if (cut[OTHER] % n || cut[OTHER] % k || cut[OTHER] % (4 * side) || (m % lanes && lanes % m)) return false;
    return cut[SUBGROUPS] * lanes <= caps->max_group && shared_bytes(caps, z, cut) <= caps->shared_bytes;
}

// As many columns as there are, within registers. Few queries in all: few subgroups, so that there are workgroups for a whole device.
void weft_sdpa_matrix_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t subgroups[] = { 4, 2, 1 };
    const weft_caps *caps = weft_emit_caps(e);
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    if (!weft_emit_half(e) || !weft_matrix_serves(caps) || z.d > MOST_DEEP) return;
    const uint32_t all = ceil_div((uint32_t) z.e, caps->matrix[1]), most = caps->matrix_subgroup < 32 ? 2 : 8;
    const uint32_t tiles = ceil_div(all, most), columns = ceil_div(all, tiles);
    const uint8_t other = caps->matrix_subgroup < 32 ? 16 : 32;
    for (int enough = 1; enough >= 0; enough--)
        for (int i = 0; i < 3; i++) {
            const weft_way way = { "sdpa_matrix", { subgroups[enough ? i : 2 - i], other, (uint8_t) columns } };
            const uint32_t own = way.cut[SUBGROUPS] * caps->matrix[0];
            const double groups = (double) z.batch * tiles * ceil_div((uint32_t) z.l, own);
            if ((groups >= ENOUGH) == enough && fits(caps, &z, way.cut) && *count < WEFT_MAX_WAYS) list[(*count)++] = way;
        }
}

// --- Matrices as large as the tile. --------------------------------------------------------------------------

typedef struct tile2 { // of a workgroup, see shaders/sdpa_matrix2.comp
    uint32_t own, other, wide, threads, deep;
} tile2;

static tile2 tile2_of(const weft_sdpa_sizes *z, const weft_matrix_form *f, const uint8_t *cut)
{
    const uint32_t least = f->k > 4 ? f->k : 4; // they are loaded in fours
    return (tile2) { 8u * cut[0], 8u * cut[1], 8u * cut[2], 8u * cut[3], ceil_div((uint32_t) z->d, least) * least };
}

static const weft_matrix_form *form_of(const weft_caps *caps, uint32_t threads)
{
    const weft_matrix_form *f = caps->matrix_form;
    while (f->threads != threads) f++; // a way's
    return f;
}

// Six matrices of scores and one of sums are in registers at once.
static uint32_t most_sums(const weft_caps *caps) { return caps->is_software || caps->few_registers ? 16 : 64; } // processors compile long

static bool tile2_fits(const weft_caps *caps, const weft_matrix_form *f, const tile2 *t)
{
    const uint32_t each = t->own * t->other / f->threads, sums = t->own * t->wide / f->threads, most = caps->matrix_most;
    const uint32_t q = t->own * (t->deep / 4 + 2), kv = t->other * (t->deep / 4 + 2 + t->wide / 4 + 2), shared = 8 * (q > kv ? q : kv);
    const uint32_t loads = t->other * (t->deep + t->wide) / 4 / f->threads; // that an invocation keeps in registers
    if (t->own % f->m || t->other % f->n || t->other % f->k || t->wide % f->n || t->own > most || t->other > most || t->wide > most || t->deep > most) return false;
    if (each < 8 || each > (caps->few_registers ? 8 : 16) || sums > most_sums(caps) || (loads > 32 && !caps->is_software)) return false;
    return f->threads <= caps->max_group && shared + caps->matrix_reserved <= caps->shared_bytes;
}

void weft_sdpa_matrix2_ways(const weft_node *n, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count)
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    if (!weft_emit_half(e) || !weft_matrix_serves(caps) || !caps->matrix_reduces || z.d > MOST_DEEP) return;
    for (const weft_matrix_form *f = caps->matrix_form; f < caps->matrix_form + WEFT_MATRIX_FORMS && f->threads; f++) {
        const uint32_t least = f->n > 8 ? f->n : 8;
        for (uint32_t own = 128; own >= 8 && f->threads % 8 == 0; own /= 2) {
            const uint32_t all = ceil_div((uint32_t) z.e, least), most = most_sums(caps) * f->threads / own / least, side = most < 128 / least ? most : 128 / least;
            if (!side) continue;
            const uint32_t wide = ceil_div(all, ceil_div(all, side)) * least; // as few tiles side by side as registers allow
            for (uint32_t other = 64; other >= 16; other /= 2) {
                const weft_way way = { "sdpa_matrix2", { (uint8_t) (own / 8), (uint8_t) (other / 8), (uint8_t) (wide / 8), (uint8_t) (f->threads / 8) } };
                const tile2 t = tile2_of(&z, f, way.cut);
                if (other >= 2 * z.s && other > 16) continue;
                if (tile2_fits(caps, f, &t) && *count < WEFT_MAX_WAYS) list[(*count)++] = way;
            }
        }
    }
}

static void dispatch2(const weft_node *n, const weft_emit *e, weft_dispatch *d, struct sdpa_params *p)
{
    const weft_caps *caps = weft_emit_caps(e);
    const weft_way *way = weft_emit_way(e);
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    const weft_matrix_form *f = form_of(caps, 8u * way->cut[3]);
    const tile2 t = tile2_of(&z, f, way->cut);
    const uint32_t spec[] = { z.d % 4 == 0, z.e % 4 == 0, (uint32_t) ((const weft_sdpa_attrs *) n->attrs)->causal, weft_has(n, WEFT_SDPA_MASK),
                              t.own, t.other, t.wide, t.deep, t.threads, f->scope, z.e % 8 == 0 };
    p->tiles = ceil_div(p->own, t.own), p->column_tiles = ceil_div(p->e, t.wide);
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
    d->params = p, d->params_bytes = sizeof *p, d->subgroup = caps->matrix_subgroup;
    d->group[0] = t.threads, d->grid[0] = t.threads * p->tiles * p->column_tiles * p->batch;
}

void weft_sdpa_matrix_dispatch(const weft_node *n, const weft_emit *e, weft_dispatch *d, struct sdpa_params *p)
{
    if (!strcmp(weft_emit_way(e)->kernel, "sdpa_matrix2")) {
        dispatch2(n, e, d, p);
        return;
    }
    const weft_caps *caps = weft_emit_caps(e);
    const uint8_t *cut = weft_emit_way(e)->cut;
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, 0);
    const uint32_t spec[] = { z.d % 4 == 0, z.e % 4 == 0, (uint32_t) ((const weft_sdpa_attrs *) n->attrs)->causal, weft_has(n, WEFT_SDPA_MASK),
                              cut[SUBGROUPS], cut[OTHER], cut[COLUMNS], deep_of(caps, &z), caps->matrix[0], caps->matrix[1], caps->matrix[2],
                              caps->matrix_subgroup };
    p->tiles = ceil_div(p->own, cut[SUBGROUPS] * caps->matrix[0]), p->column_tiles = ceil_div(p->e, cut[COLUMNS] * caps->matrix[1]);
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
    d->params = p, d->params_bytes = sizeof *p, d->subgroup = caps->matrix_subgroup;
    d->group[0] = cut[SUBGROUPS] * caps->matrix_subgroup, d->grid[0] = d->group[0] * p->tiles * p->column_tiles * p->batch;
}

// --- The gradient. -------------------------------------------------------------------------------------------

static uint32_t padded(const weft_caps *caps, int64_t width) // to whole matrices both ways
{
    const uint32_t n = caps->matrix[1], k = caps->matrix[2], least = n > k ? n : k; // powers of two
    return (uint32_t) ceil_div(width, least) * least;
}

static bool grad_fits(const weft_caps *caps, const weft_sdpa_sizes *z, const uint8_t *cut) // see shaders/sdpa_grad_matrix.comp
{
    const uint32_t lanes = caps->matrix_subgroup, own = cut[SUBGROUPS] * caps->matrix[0], other = cut[OTHER];
    const uint32_t both = padded(caps, z->d) + padded(caps, z->e), loads = other * both / 4 / (cut[SUBGROUPS] * lanes);
    const uint32_t halves = (own + other) * (both / 4 + 4) + 2 * own * (other / 4 + 2), shared = 8 * halves + 2 * 16 * own * (other / 4 + 1);
    if (loads > (lanes < 32 ? 8u : 32u) && !caps->is_software) return false; // more spill on Intel
    return other % caps->matrix[1] == 0 && other % caps->matrix[2] == 0 && cut[SUBGROUPS] * lanes <= caps->max_group && shared <= caps->shared_bytes;
}

void weft_sdpa_grad_matrix_ways(const weft_node *n, int first, const weft_emit *e, weft_way list[WEFT_MAX_WAYS], int *count)
{
    static const uint8_t subgroups[] = { 4, 2, 1 };
    const weft_caps *caps = weft_emit_caps(e);
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    if (!weft_emit_half(e) || !weft_matrix_serves(caps) || z.d > MOST_DEEP || z.e > MOST_DEEP) return;
    const uint32_t all = ceil_div((uint32_t) (z.d > z.e ? z.d : z.e), caps->matrix[1]), most = caps->matrix_subgroup < 32 ? 2 : 4;
    const uint32_t tiles = ceil_div(all, most);
    for (int enough = 1; enough >= 0; enough--)
        for (int i = 0; i < 3; i++) {
            const weft_way way = { "sdpa_grad_matrix", { subgroups[enough ? i : 2 - i], caps->matrix_subgroup < 32 ? 16 : 32, (uint8_t) ceil_div(all, tiles) } };
            const uint32_t own = way.cut[SUBGROUPS] * caps->matrix[0];
            const double groups = (double) z.batch * tiles * ceil_div((uint32_t) (z.l < z.s ? z.l : z.s), own);
            if ((groups >= ENOUGH) == enough && grad_fits(caps, &z, way.cut) && *count < WEFT_MAX_WAYS) list[(*count)++] = way;
        }
}

weft_result weft_sdpa_grad_matrix_dispatch(const weft_node *n, int first, const weft_emit *e, bool keys, weft_dispatch *d, struct sdpa_params *p)
{
    const weft_caps *caps = weft_emit_caps(e);
    const uint8_t *cut = weft_emit_way(e)->cut;
    const weft_sdpa_sizes z = weft_sdpa_sizes_of(n, first);
    const uint32_t spec[] = { z.d % 4 == 0, z.e % 4 == 0, (uint32_t) ((const weft_sdpa_attrs *) n->attrs)->causal, weft_has(n, first + WEFT_SDPA_MASK),
                              cut[SUBGROUPS], cut[OTHER], cut[COLUMNS], padded(caps, z.d), padded(caps, z.e), caps->matrix[0], caps->matrix[1],
                              caps->matrix[2], caps->matrix_subgroup, keys };
    WEFT_TRY(weft_sdpa_fill(n, first, keys, p));
    const uint32_t columns = keys && z.e > z.d ? (uint32_t) z.e : (uint32_t) z.d;
    p->tiles = ceil_div(p->own, cut[SUBGROUPS] * caps->matrix[0]), p->column_tiles = ceil_div(columns, cut[COLUMNS] * caps->matrix[1]);
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) d->spec[d->spec_count++] = spec[i];
    d->params = p, d->params_bytes = sizeof *p, d->subgroup = caps->matrix_subgroup;
    d->group[0] = cut[SUBGROUPS] * caps->matrix_subgroup, d->grid[0] = d->group[0] * p->tiles * p->column_tiles * p->batch;
    return WEFT_OK;
}
