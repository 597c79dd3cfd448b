// SPDX-License-Identifier: MIT
// The table of library-backed operators.
#include "cpu/fast.h"
#include <string.h>

static const weft_cpu_fast *const table[] = { NULL };

const weft_cpu_fast *weft_cpu_fast_find(const char *op)
{
    for (int i = 0; table[i]; i++)
        if (!strcmp(table[i]->op, op)) return table[i];
    return NULL;
}
