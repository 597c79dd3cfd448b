// SPDX-License-Identifier: MIT
#include "graph/plan.h"
#include "base/random.h"
#include <string.h>

// Which greedy order packs best differs between networks: all are tried, and the best is shaken until it is close to what no plan
// can beat, or the work that this is worth is done.
enum { SIZE, AREA, BREADTH, LENGTH, START, ORDERS };
static const double CLOSE = 1.02, EASY = 4e6, FAR = 1.08, HARD = 4e7; // work in comparisons: some 5 and 50 milliseconds

typedef struct packer {
    weft_life *lives;
    int count; // of those that take room
    size_t cut;
    size_t *alive, least;  // per step, from `first` on: the sum of sizes; the largest of them
    int first;
    size_t bytes, *offset; // of the best plan so far
    int *order, *best;     // in which lives are placed: now, and in the best plan
    int *spare, *placed;
    double *rank, work;    // of every life, higher first; done so far
} packer;

static bool together(const weft_life *a, const weft_life *b) { return a->first <= b->last && b->first <= a->last; }

// The first place from `at` on where `bytes` do not cross a multiple of `cut`.
static size_t within_block(size_t at, size_t bytes, size_t cut)
{
    return bytes <= cut && at / cut != (at + bytes - 1) / cut ? (at / cut + 1) * cut : at;
}

// The lowest offset of the tightest gap that holds lives[t] between those already placed (sorted by offset).
static size_t place(const packer *p, int placed_count, int t)
{
    const size_t bytes = p->lives[t].bytes;
    size_t end = 0, best = 0, best_gap = SIZE_MAX;
    for (int i = 0; i < placed_count; i++) {
        const weft_life *l = &p->lives[p->placed[i]];
        if (!together(l, &p->lives[t])) continue;
        const size_t at = within_block(end, bytes, p->cut);
        if (l->offset > at && l->offset - at >= bytes && l->offset - at < best_gap) best = at, best_gap = l->offset - at;
        if (l->offset + l->bytes > end) end = l->offset + l->bytes;
    }
    return best_gap == SIZE_MAX ? within_block(end, bytes, p->cut) : best;
}

// Places all in p->order; gives the bytes taken, and keeps the plan if it is the best.
static size_t pack(packer *p)
{
    size_t end = 0;
    for (int i = 0; i < p->count; i++) {
        weft_life *l = &p->lives[p->order[i]];
        l->offset = place(p, i, p->order[i]);
        int k = i; // keep `placed` sorted by offset
        for (; k > 0 && p->lives[p->placed[k - 1]].offset > l->offset; k--) p->placed[k] = p->placed[k - 1];
        p->placed[k] = p->order[i];
        if (l->offset + l->bytes > end) end = l->offset + l->bytes;
    }
    p->work += 0.5 * p->count * p->count;
    if (end >= p->bytes) return end;
    p->bytes = end;
    for (int i = 0; i < p->count; i++) p->best[i] = p->order[i], p->offset[i] = p->lives[p->order[i]].offset;
    return end;
}

static double rank(const packer *p, int by, const weft_life *l)
{
    const double length = (double) l->last - l->first + 1;
    size_t most = 0;
    if (by == SIZE) return (double) l->bytes;
    if (by == AREA) return (double) l->bytes * length;
    if (by == LENGTH) return length;
    if (by == START) return -l->first;
    for (int i = l->first; i <= l->last; i++) // BREADTH: what lives when most is alive comes first
        if (p->alive[i - p->first] > most) most = p->alive[i - p->first];
    return (double) most;
}

// Of equal rank the larger; of equal size the earlier one, so that the plan does not depend on the sort.
static bool goes_before(const packer *p, int a, int b)
{
    if (p->rank[a] != p->rank[b]) return p->rank[a] > p->rank[b];
    return p->lives[a].bytes != p->lives[b].bytes ? p->lives[a].bytes > p->lives[b].bytes : a < b;
}

static void sort(packer *p)
{
    for (int width = 1; width < p->count; width *= 2) {
        for (int at = 0; at < p->count; at += 2 * width) {
            int a = at, b = at + width;
            const int a_end = b < p->count ? b : p->count, b_end = at + 2 * width < p->count ? at + 2 * width : p->count;
            for (int k = at; k < b_end; k++)
                p->spare[k] = b >= b_end || (a < a_end && goes_before(p, p->order[a], p->order[b])) ? p->order[a++] : p->order[b++];
        }
        memcpy(p->order, p->spare, sizeof *p->order * (size_t) p->count);
    }
}

static bool is_good_enough(const packer *p)
{
    const double ratio = (double) p->bytes / ((double) p->least + 1);
    return ratio <= CLOSE || p->work > HARD || (p->work > EASY && ratio <= FAR);
}

static void try_orders(packer *p)
{
    for (int by = 0; by < ORDERS && !is_good_enough(p); by++) {
        for (int i = 0; i < p->count; i++) p->rank[p->order[i]] = rank(p, by, &p->lives[p->order[i]]);
        sort(p);
        pack(p);
    }
}

// Of the lives that reach the top, one is placed before one that it had to make room for.
static bool shake(packer *p, weft_random *r, size_t end)
{
    int top = -1, seen = 0, with = -1;
    for (int i = 0; i < p->count; i++)
        if (p->lives[p->order[i]].offset + p->lives[p->order[i]].bytes == end && weft_random_u32(r) % (uint32_t) ++seen == 0) top = i;
    seen = 0;
    for (int i = 0; i < top; i++)
        if (together(&p->lives[p->order[i]], &p->lives[p->order[top]]) && weft_random_u32(r) % (uint32_t) ++seen == 0) with = i;
    if (with < 0) return false;
    const int life = p->order[top];
    memmove(&p->order[with + 1], &p->order[with], sizeof *p->order * (size_t) (top - with));
    p->order[with] = life;
    return true;
}

static void improve(packer *p)
{
    weft_random r = { 1 }; // the same plan every time
    size_t end = p->bytes;
    memcpy(p->order, p->best, sizeof *p->order * (size_t) p->count);
    for (int i = 0; i < p->count; i++) p->lives[p->order[i]].offset = p->offset[i];
    while (!is_good_enough(p) && shake(p, &r, end)) {
        const size_t got = pack(p);
        end = got;
        if (got <= p->bytes + p->bytes / 16) continue; // it may get a little worse on the way
        memcpy(p->order, p->best, sizeof *p->order * (size_t) p->count);
        end = pack(p);
    }
}

// Sums of what is alive, step by step.
static weft_result sum_up(weft_context *ctx, packer *p)
{
    int last = 0;
    for (int i = 0; i < p->count; i++) {
        const weft_life *l = &p->lives[p->order[i]];
        if (!i || l->first < p->first) p->first = l->first;
        if (!i || l->last > last) last = l->last;
    }
    if (!(p->alive = weft_new(ctx, sizeof *p->alive * ((size_t) ((int64_t) last - p->first) + 2)))) return WEFT_ERR_MEMORY;
    for (int i = 0; i < p->count; i++) {
        const weft_life *l = &p->lives[p->order[i]];
        p->alive[l->first - p->first] += l->bytes; // differences, which wrap around, at first
        p->alive[l->last - p->first + 1] -= l->bytes;
    }
    for (int i = 0; p->count && i <= last - p->first; i++) {
        if (i) p->alive[i] += p->alive[i - 1];
        if (p->alive[i] > p->least) p->least = p->alive[i];
    }
    return WEFT_OK;
}

static weft_result plan(weft_context *ctx, packer *p, weft_plan *out)
{
    WEFT_TRY(sum_up(ctx, p));
    try_orders(p);
    improve(p);
    for (int i = 0; i < p->count; i++) p->lives[p->best[i]].offset = p->offset[i];
    *out = (weft_plan) { p->count ? p->bytes : 0, p->least };
    return WEFT_OK;
}

weft_result weft_plan_memory(weft_context *ctx, weft_life *lives, int count, size_t align, weft_plan *out)
{
    return weft_plan_blocks(ctx, lives, count, align, SIZE_MAX, out);
}

weft_result weft_plan_blocks(weft_context *ctx, weft_life *lives, int count, size_t align, size_t cut, weft_plan *out)
{
    packer p = { .lives = lives, .cut = cut, .bytes = SIZE_MAX };
    const size_t n = (size_t) count + 1;
    *out = (weft_plan) { 0 };
    unsigned char *room = weft_new(ctx, n * (sizeof *p.offset + sizeof *p.rank + 4 * sizeof *p.order));
    if (!room) return WEFT_ERR_MEMORY;
    p.offset = (size_t *) (void *) room, p.rank = (double *) (void *) (p.offset + n);
    p.order = (int *) (void *) (p.rank + n), p.best = p.order + n, p.spare = p.best + n, p.placed = p.spare + n;
    for (int i = 0; i < count; i++) {
        lives[i].bytes = (lives[i].bytes + align - 1) & ~(align - 1);
        lives[i].offset = 0;
        if (lives[i].first <= lives[i].last && lives[i].bytes) p.order[p.count++] = i;
    }
    const weft_result r = plan(ctx, &p, out);
    weft_delete(ctx, p.alive);
    weft_delete(ctx, room);
    return r;
}
