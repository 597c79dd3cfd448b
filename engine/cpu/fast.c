// SPDX-License-Identifier: MIT
// The table of library-backed operators. Without oneDNN at build time it is empty, and the truth runs everywhere.
#include "cpu/fast.h"
#include <string.h>

extern const weft_cpu_fast weft_cpu_fast_conv2d, weft_cpu_fast_conv_transpose2d, weft_cpu_fast_matmul, weft_cpu_fast_linear,
    weft_cpu_fast_lstm;

static const weft_cpu_fast *const table[] = {
#ifdef WEFT_DNNL
    &weft_cpu_fast_conv2d,
    &weft_cpu_fast_conv_transpose2d,
    &weft_cpu_fast_matmul,
    &weft_cpu_fast_linear,
    &weft_cpu_fast_lstm,
#endif
    NULL
};

const weft_cpu_fast *weft_cpu_fast_find(const char *op)
{
    for (int i = 0; table[i]; i++)
        if (!strcmp(table[i]->op, op)) return table[i];
    return NULL;
}
