// SPDX-License-Identifier: MIT
#include "ops/apart.h"
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
