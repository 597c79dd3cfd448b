// SPDX-License-Identifier: MIT
#include "ops/divide.h"
#include "ops/lines.h"
#include "ops/turns.h"

enum { KEPT = 16, LEAST = 32, USUAL = 128, LARGEST = 512, BUSY = 64 }; // numbers kept; invocations of a workgroup; workgroups
enum { TURN = 8, PASSES = 2 }; // numbers of a turn where none are kept; loops over a line
// More than LARGEST invocations leave each half the registers: 64 on GCN and NVIDIA, 32 on Intel, where gradients would spill.

static uint32_t power_of_two(int64_t least, uint32_t most) // at least so many, if there are so many
{
    uint32_t p = 1;
    while (p < most && p < least) p *= 2;
    return p;
}

static weft_way way_of(const weft_line_set *l, const char *kernel, uint32_t group, uint32_t lines)
{
    const int64_t each = ceil_div(l->count * lines, group);
    return (weft_way) { kernel, { (uint8_t) (group / LEAST), (uint8_t) lines, (uint8_t) (each <= KEPT ? each : 0), l->beside } };
}

static bool listed(const weft_way *list, int count, const weft_way *w)
{
    for (int i = 0; i < count; i++)
        if (list[i].cut[0] == w->cut[0] && list[i].cut[1] == w->cut[1] && list[i].kernel == w->kernel) return true;
    return false;
}

// Invocations of a workgroup of `lines` lines: enough to keep all numbers without being idle, of at most `most`.
static uint32_t group_for(const weft_line_set *l, uint32_t lines, uint32_t most)
{
    const uint32_t few = power_of_two(l->count, LEAST) * lines, full = power_of_two((l->count * lines + KEPT / 2 - 1) / (KEPT / 2), most);
    const uint32_t group = few > full ? few : full;
    return group < LEAST ? LEAST : group > most ? most : group;
}

static uint32_t most_group(const weft_caps *caps) { return caps->max_group < LARGEST ? power_of_two(caps->max_group / 2 + 1, LARGEST) : LARGEST; }

// On a processor a line is best shared by one subgroup, which needs no barrier: at a barrier all that others keep goes to memory.
static int software_ways(const weft_caps *caps, const weft_line_set *l, const char *const kernel[2], weft_way *list)
{
    const uint32_t size = caps->subgroup_size > 1 && caps->subgroup_size < LEAST ? caps->subgroup_size : LEAST;
    const int64_t least = ceil_div(l->count, weft_turns_most(caps, (double) PASSES / TURN)); // invocations of a line
    uint32_t lines = l->beside ? 8 : LEAST / size, group = LEAST;
    while (lines > 1 && (lines > l->lines || group / lines < least)) lines /= 2;
    while (group < most_group(caps) && group < least) group *= 2;
    int count = 0;
    for (int i = !caps->subgroup_add; i < 2; i++) list[count++] = way_of(l, kernel[i], group, lines);
    return count;
}

int weft_line_ways(const weft_emit *e, const weft_line_set *l, const char *const kernel[2], weft_way list[WEFT_LINE_WAYS])
{
    const weft_caps *caps = weft_emit_caps(e);
    if (caps->is_software) return software_ways(caps, l, kernel, list);
    const char *best = kernel[!caps->subgroup_add];
    const uint32_t most = most_group(caps);
    uint32_t lines = 1;
    if (l->beside) lines = power_of_two(l->lines, 8);
    else while (lines < USUAL / 2 && lines * power_of_two(l->count, LEAST) < USUAL && l->lines / (lines * 2) >= BUSY) lines *= 2;
    const uint32_t usual = group_for(l, lines, USUAL), large = group_for(l, lines, most);
    const weft_way candidates[WEFT_LINE_WAYS] = {
        way_of(l, best, l->count * lines > KEPT * usual ? large : usual, lines),
        way_of(l, best, usual, lines),
        way_of(l, kernel[1], usual, lines),
        way_of(l, best, group_for(l, lines > 1 ? lines / 2 : 1, USUAL), lines > 1 ? lines / 2 : 1),
        way_of(l, best, group_for(l, lines * 2, most), lines * 2),
    };
    int count = 0;
    for (int i = 0; i < WEFT_LINE_WAYS; i++)
        if (!listed(list, count, &candidates[i])) list[count++] = candidates[i];
    return count;
}

void weft_line_dispatch(const weft_way *way, int64_t lines, weft_dispatch *d)
{
    const uint32_t group = way->cut[0] * (uint32_t) LEAST, spec[WEFT_LINE_SPEC] = { group, way->cut[1], way->cut[2], way->cut[3] };
    for (int i = 0; i < WEFT_LINE_SPEC; i++) d->spec[i] = spec[i];
    d->kernel = way->kernel, d->spec_count = WEFT_LINE_SPEC;
    d->group[0] = group, d->grid[0] = group * (uint32_t) ((lines + way->cut[1] - 1) / way->cut[1]);
}
