// SPDX-License-Identifier: MIT
#include "vk/slice.h"

enum { ROW = 32768 }; // workgroups in a row of a folded one-dimensional grid: LINEAR_ID in shaders/glsl/tensor.glsl

static const double BYTE_COST = 4;      // moving a byte against a flop: elementwise work is bound by memory
static const double DISPATCH_COST = 1e5;

static uint32_t groups_of(uint32_t invocations, uint32_t group) { return invocations / group + (invocations % group != 0); }

static weft_result grid_of(const weft_step *s, const uint32_t most[3], uint32_t groups[3])
{
    const weft_dispatch *d = &s->dispatch;
    for (int k = 0; k < 3; k++) groups[k] = groups_of(d->grid[k], d->group[k]);
    if (groups[1] == 1 && groups[2] == 1 && groups[0] > ROW) {
        groups[1] = groups_of(groups[0], ROW);
        groups[0] = ROW;
    }
    for (int k = 0; k < 3; k++)
        if (groups[k] > most[k]) {
            weft_node_fail(s->node, "%u workgroups in dimension %d of kernel %s are more than the device's %u", groups[k], k, d->kernel, most[k]);
            return WEFT_ERR_UNSUPPORTED;
        }
    return WEFT_OK;
}

static double cost_of(const weft_program *p, const weft_step *s)
{
    double bytes = 0;
    for (int i = 0; i < s->dispatch.bind_count; i++) bytes += (double) p->buffers[s->dispatch.bind[i].index].bytes;
    const double moved = bytes * BYTE_COST;
    return DISPATCH_COST + (s->flops > moved ? s->flops : moved);
}

static weft_result add(weft_arena *arena, weft_vk_slices *out, weft_vk_piece piece, double limit, double *sum)
{
    weft_vk_piece *pieces = weft_arena_grow(arena, out->pieces, out->piece_count, sizeof *pieces);
    if (!pieces) return WEFT_ERR_MEMORY;
    piece.starts_chunk = !out->piece_count || *sum + piece.cost > limit;
    if (piece.starts_chunk) *sum = 0, out->chunk_count++;
    *sum += piece.cost;
    out->pieces = pieces;
    out->pieces[out->piece_count++] = piece;
    return WEFT_OK;
}

weft_result weft_vk_slice(const weft_program *p, double limit, const uint32_t most[3], weft_arena *arena, weft_vk_slices *out)
{
    double sum = 0;
    *out = (weft_vk_slices) { 0 };
    for (int i = 0; i < p->step_count; i++) {
        weft_vk_piece all = { .step = i, .cost = cost_of(p, &p->steps[i]) };
        WEFT_TRY(grid_of(&p->steps[i], most, all.size));
        const int along = all.size[2] > 1 ? 2 : all.size[1] > 1 ? 1 : 0; // the slowest dimension that has turns
        const double wanted = all.cost / limit + 1;
        const uint32_t whole = all.size[along], count = wanted < whole ? (uint32_t) wanted : whole;
        all.sliced = count > 1;
        for (uint32_t k = 0; k < count; k++) {
            weft_vk_piece piece = all;
            piece.base[along] = (uint32_t) ((uint64_t) whole * k / count);
            piece.size[along] = (uint32_t) ((uint64_t) whole * (k + 1) / count) - piece.base[along];
            piece.cost = all.cost / count;
            WEFT_TRY(add(arena, out, piece, limit, &sum));
        }
    }
    return WEFT_OK;
}
