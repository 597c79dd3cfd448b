// SPDX-License-Identifier: MIT
// Which barrier a step needs: byte ranges that earlier steps touched and no barrier has separated yet. Plain data.
#pragma once
#include "base/context.h"

typedef struct weft_vk_range {
    int block;
    size_t begin, end;
    bool writes;
} weft_vk_range;

typedef struct weft_vk_hazards {
    weft_vk_range *pending;
    int count, room;
} weft_vk_hazards;

typedef enum weft_vk_barrier {
    WEFT_VK_NO_BARRIER,
    WEFT_VK_ORDER,   // the step overwrites what earlier ones read: they must be done, nothing need be made visible
    WEFT_VK_VISIBLE, // the step reads or overwrites what earlier ones wrote
} weft_vk_barrier;

weft_vk_barrier weft_vk_hazard_check(const weft_vk_hazards *h, const weft_vk_range *touched, int count);
void weft_vk_hazard_passed(weft_vk_hazards *h, weft_vk_barrier recorded); // forgets what that barrier separated
weft_result weft_vk_hazard_add(weft_context *ctx, weft_vk_hazards *h, const weft_vk_range *touched, int count);
void weft_vk_hazard_free(weft_context *ctx, weft_vk_hazards *h);
