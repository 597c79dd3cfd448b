// SPDX-License-Identifier: MIT
// Rows that look at lines of numbers as wholes - norms, softmax: how workgroups share lines (shaders/glsl/lines.glsl).
#pragma once
#include "graph/op.h"

// `lines` lines of `count` numbers; beside: neighbours in memory are of different lines.
typedef struct weft_line_set { int64_t lines, count; bool beside; } weft_line_set;

// Ways to share them, with kernel[0] by subgroup operations and kernel[1] through shared memory. A way's cut: invocations of a
// workgroup / 32, lines of a workgroup, numbers that an invocation keeps (0: it reads them again), 1: neighbours are of different lines.
enum { WEFT_LINE_WAYS = 5 };
int weft_line_ways(const weft_emit *e, const weft_line_set *l, const char *const kernel[2], weft_way list[WEFT_LINE_WAYS]);

enum { WEFT_LINE_SPEC = 4 };
void weft_line_dispatch(const weft_way *way, int64_t lines, weft_dispatch *d); // kernel, workgroups and the first WEFT_LINE_SPEC constants
