// SPDX-License-Identifier: MIT
#include "graph/plan.h"
#include <string.h>

static bool together(const weft_life *a, const weft_life *b) { return a->first <= b->last && b->first <= a->last; }

// The first place from `at` on where `bytes` do not cross a multiple of `cut`.
static size_t within_block(size_t at, size_t bytes, size_t cut)
{
    return bytes <= cut && at / cut != (at + bytes - 1) / cut ? (at / cut + 1) * cut : at;
}

// The lowest offset of the tightest gap that holds lives[t] between those already placed (sorted by offset).
static size_t place(const weft_life *lives, const int *placed, int placed_count, int t, size_t bytes, size_t cut)
{
    size_t end = 0, best = 0, best_gap = SIZE_MAX;
    for (int i = 0; i < placed_count; i++) {
        const weft_life *l = &lives[placed[i]];
        if (!together(l, &lives[t])) continue;
        const size_t at = within_block(end, bytes, cut);
        if (l->offset > at && l->offset - at >= bytes && l->offset - at < best_gap) best = at, best_gap = l->offset - at;
        if (l->offset + l->bytes > end) end = l->offset + l->bytes;
    }
    return best_gap == SIZE_MAX ? within_block(end, bytes, cut) : best;
}

// Larger first; of equal size the earlier one, so that the plan does not depend on the sort.
static bool goes_before(const weft_life *lives, int a, int b)
{
    return lives[a].bytes != lives[b].bytes ? lives[a].bytes > lives[b].bytes : a < b;
}

static void sort_by_size(const weft_life *lives, int *order, int *spare, int count)
{
    for (int width = 1; width < count; width *= 2) {
        for (int at = 0; at < count; at += 2 * width) {
            int a = at, b = at + width;
            const int a_end = b < count ? b : count, b_end = at + 2 * width < count ? at + 2 * width : count;
            for (int k = at; k < b_end; k++)
                spare[k] = b >= b_end || (a < a_end && goes_before(lives, order[a], order[b])) ? order[a++] : order[b++];
        }
        memcpy(order, spare, sizeof *order * (size_t) count);
    }
}

static size_t largest_live_set(const weft_life *lives, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) { // the sum can only grow where a life begins
        size_t sum = 0;
        for (int k = 0; k < count; k++)
            if (lives[i].first <= lives[i].last && lives[k].first <= lives[i].first && lives[i].first <= lives[k].last) sum += lives[k].bytes;
        if (sum > most) most = sum;
    }
    return most;
}

weft_result weft_plan_memory(weft_context *ctx, weft_life *lives, int count, size_t align, weft_plan *out)
{
    return weft_plan_blocks(ctx, lives, count, align, SIZE_MAX, out);
}

weft_result weft_plan_blocks(weft_context *ctx, weft_life *lives, int count, size_t align, size_t cut, weft_plan *out)
{
    *out = (weft_plan) { 0 };
    int *order = weft_new(ctx, sizeof *order * 3 * (size_t) (count + 1));
    if (!order) return WEFT_ERR_MEMORY;
    int *placed = order + count, placed_count = 0;
    for (int i = 0; i < count; i++) {
        order[i] = i;
        lives[i].bytes = (lives[i].bytes + align - 1) & ~(align - 1);
    }
    sort_by_size(lives, order, placed, count);
    for (int i = 0; i < count; i++) {
        weft_life *l = &lives[order[i]];
        l->offset = 0;
        if (l->first > l->last || !l->bytes) continue;
        l->offset = place(lives, placed, placed_count, order[i], l->bytes, cut);
        int k = placed_count++; // keep `placed` sorted by offset
        for (; k > 0 && lives[placed[k - 1]].offset > l->offset; k--) placed[k] = placed[k - 1];
        placed[k] = order[i];
        if (l->offset + l->bytes > out->bytes) out->bytes = l->offset + l->bytes;
    }
    out->least = largest_live_set(lives, count);
    weft_delete(ctx, order);
    return WEFT_OK;
}
