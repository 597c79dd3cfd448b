// SPDX-License-Identifier: MIT
// Constants on the device: each uploaded once, and shared by all sessions that read the same numbers in the same form.
#pragma once
#include "vk/upload.h"

typedef struct weft_vk_weight weft_vk_weight;

typedef struct weft_vk_held { // what one session uses
    weft_vk_weight **list;
    int count;
    size_t bytes, shared_bytes; // of all, and of those that were there already
} weft_vk_held;

weft_result weft_vk_weights_create(weft_vk_device *dev, weft_vk_weights **out);
void weft_vk_weights_destroy(weft_vk_weights *w); // all must have been given back; NULL is fine

// Uploads those constants of the physical graph that are not there, waits, and fills places[value] of each. What cannot be told apart by
// its bytes and form is the same, whichever model it came from. Callable from any thread; the list of `held` is in the arena.
weft_result weft_vk_weights_take(weft_vk_weights *w, weft_vk_queue *q, const weft_graph *physical, weft_arena *arena, weft_vk_place *places,
                                 weft_vk_held *held);
void weft_vk_weights_give_back(weft_vk_weights *w, weft_vk_held *held); // an empty one is fine

size_t weft_vk_weights_room(const weft_vk_device *dev, const weft_graph *physical); // bytes of all its constants, shared or not
