// SPDX-License-Identifier: MIT
#include "ops/apart.h"
#include "ops/conv_emit.h"
#include "ops/divide.h"
#include "ops/part.h"
#include <string.h>

void weft_apart_start(weft_apart *p, const weft_node *whole, const char *op, int inputs)
{
    memset(p, 0, sizeof *p);
    p->out = whole->out[0], p->out_shape = whole->out_shape[0], p->out_layout = whole->out_layout[0];
    for (int i = 0; i < inputs; i++) p->in[i] = -1, p->in_dtype[i] = -1;
    p->node = (weft_node) { .op = weft_op_find(op), .name = whole->name, .in_count = inputs, .out_count = 1, .in = p->in, .out = &p->out,
                            .in_shape = p->in_shape, .out_shape = &p->out_shape, .in_dtype = p->in_dtype, .out_dtype = &p->out_dtype,
                            .in_layout = p->in_layout, .out_layout = &p->out_layout, .in_constant = p->in_constant };
}

void weft_apart_give(weft_apart *p, int slot, const weft_node *whole, int input)
{
    if (!weft_has(whole, input)) return;
    p->in[slot] = whole->in[input], p->in_shape[slot] = whole->in_shape[input], p->in_dtype[slot] = whole->in_dtype[input];
    p->in_layout[slot] = whole->in_layout[input], p->in_constant[slot] = whole->in_constant[input];
}

int64_t weft_band_rows(const weft_node *whole, int64_t bands, bool noise)
{
    const int64_t *y = whole->out_shape[0].dim, row = y[3] * (noise ? 1 : y[1]); // the shortest of those that are cut
    int64_t step = WEFT_PART_ALIGN;
    while (step > 1 && row * (step / 2) % WEFT_PART_ALIGN == 0) step /= 2;
    const int64_t rows = ceil_div(ceil_div(y[2], bands), step) * step;
    return y[0] == 1 && rows < y[2] ? rows : 0;
}

int64_t weft_band_count(const weft_caps *caps, int64_t bytes)
{
    const int64_t most = caps->range / 4;
    const int64_t bands = most > 0 ? ceil_div(bytes, most) : 2;
    return bands < 2 ? 2 : bands < 255 ? bands : 255;
}

void weft_band_add(weft_band *b, weft_value v, weft_shape s)
{
    const int64_t row = s.dim[1] * s.dim[3];
    b->list[b->count++] = (weft_stretch) { v, b->begin * row, b->rows * row };
}

int weft_apart_ways(const weft_emit *e, const weft_node *conv, bool far, const weft_apart_choice *own, weft_way list[WEFT_MAX_WAYS])
{
    weft_way theirs[WEFT_MAX_WAYS];
    const int one = own->count, cut = own->bands != NULL;
    int two = far && one + cut ? 0 : weft_conv_ways(conv, e, theirs);
    if (one + two + cut > WEFT_MAX_WAYS) two = WEFT_MAX_WAYS - one - cut;
    const bool cut_first = cut && far && weft_emit_caps(e)->is_software;
    if (cut) list[cut_first ? 0 : one + two] = *own->bands;
    list += cut_first;
    memcpy(list + (own->wins ? 0 : two), own->together, sizeof *list * (size_t) one);
    memcpy(list + (own->wins ? one : 0), theirs, sizeof *list * (size_t) two);
    return one + two + cut;
}
