// SPDX-License-Identifier: MIT
#include "vk/aliases.h"

void weft_vk_place_aliases(const weft_program *p, weft_vk_place *places)
{
    for (int b = 0; b < p->buffer_count; b++) {
        if (p->buffers[b].same_as < 0) continue;
        places[b] = places[weft_program_root(p, b)];
        places[b].offset += weft_program_begin(p, b);
        places[b].bytes = p->buffers[b].bytes;
    }
}
