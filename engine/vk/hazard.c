// SPDX-License-Identifier: MIT
#include "vk/hazard.h"

static weft_vk_barrier between(const weft_vk_range *earlier, const weft_vk_range *later)
{
    if (earlier->block != later->block || earlier->end <= later->begin || later->end <= earlier->begin) return WEFT_VK_NO_BARRIER;
    return earlier->writes ? WEFT_VK_VISIBLE : later->writes ? WEFT_VK_ORDER : WEFT_VK_NO_BARRIER;
}

weft_vk_barrier weft_vk_hazard_check(const weft_vk_hazards *h, const weft_vk_range *touched, int count)
{
    weft_vk_barrier most = WEFT_VK_NO_BARRIER;
    for (int i = 0; i < h->count && most != WEFT_VK_VISIBLE; i++)
        for (int k = 0; k < count; k++) {
            const weft_vk_barrier b = between(&h->pending[i], &touched[k]);
            if (b > most) most = b;
        }
    return most;
}

void weft_vk_hazard_passed(weft_vk_hazards *h, weft_vk_barrier recorded)
{
    int kept = 0;
    if (recorded == WEFT_VK_NO_BARRIER) return;
    for (int i = 0; i < h->count; i++) // mere order does not make earlier writes visible
        if (recorded == WEFT_VK_ORDER && h->pending[i].writes) h->pending[kept++] = h->pending[i];
    h->count = kept;
}

weft_result weft_vk_hazard_add(weft_context *ctx, weft_vk_hazards *h, const weft_vk_range *touched, int count)
{
    if (h->count + count > h->room) {
        weft_vk_range *more = weft_resize(ctx, h->pending, sizeof *more * (size_t) (2 * h->room + count + 32));
        if (!more) return WEFT_ERR_MEMORY;
        h->pending = more, h->room = 2 * h->room + count + 32;
    }
    for (int k = 0; k < count; k++) h->pending[h->count++] = touched[k];
    return WEFT_OK;
}

void weft_vk_hazard_free(weft_context *ctx, weft_vk_hazards *h)
{
    weft_delete(ctx, h->pending);
    *h = (weft_vk_hazards) { 0 };
}
