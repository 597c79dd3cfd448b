// SPDX-License-Identifier: MIT
// One node alone on the device, made in one of its ways, to see how long it takes.
#pragma once
#include "graph/program.h"
#include "vk/inside.h"

// Seconds of a run of the node in this way, the least of several; what its tensors hold does not matter. Where the first run shows that it
// takes more than `enough` (INFINITY: no limit), that is all that is measured. `physical`: the node's graph. Allocates, compiles and waits.
weft_result weft_vk_trial(weft_vk_device *dev, const weft_graph *physical, const weft_node *n, const weft_way *way, double enough, double *seconds);
