// SPDX-License-Identifier: MIT
// Buffers of a program that lie within others.
#pragma once
#include "graph/program.h"
#include "vk/upload.h"

// Gives them the memory of what they lie in, once that has its place.
void weft_vk_place_aliases(const weft_program *p, weft_vk_place *places);
