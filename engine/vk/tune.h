// SPDX-License-Identifier: MIT
// Which way was fastest: a table per device, kept in a text file beside the pipeline cache.
#pragma once
#include "graph/program.h"
#include "vk/inside.h"

// Reads the file. Nothing in it can fail a device: what is damaged or was measured with another driver or other kernels costs a
// warning and is forgotten.
weft_result weft_vk_tuner_create(weft_vk_device *dev, bool measure, weft_vk_tuner **out);
// Writes the file where something new was measured; that it cannot be written costs a warning, once.
void weft_vk_tuner_save(weft_vk_tuner *t);
void weft_vk_tuner_destroy(weft_vk_tuner *t); // saves; NULL is fine

// What the driver does not compile is no way for nodes of this key any more; for this device, and never written down. False: it was not before.
bool weft_vk_tuner_refuse(weft_vk_tuner *t, const char *key, const char *way);

// A weft_chooser's, of the ways that are not refused: the one the table has for the key; else, where the device was opened to tune, the one that trials show to be
// fastest, which is noted; else the first. Callable from any thread.
typedef struct weft_vk_tuning {
    weft_vk_tuner *tuner;
    const weft_graph *physical; // of the nodes that are asked for
} weft_vk_tuning;
int weft_vk_tuner_choose(void *tuning, const weft_node *n, const char *key, const weft_way *ways, int count);
