// SPDX-License-Identifier: MIT
// Physical devices: looking at them, ordering them, finding the one that is asked for.
#pragma once
#include "graph/op.h"
#include "vk/instance.h"
#include <weft/session.h>
#include <stdbool.h>

typedef struct weft_vk_candidate {
    VkPhysicalDevice physical;
    uint32_t family; // a queue family with compute
    int speed_class; // of its type; smaller is faster
    int rank;        // see weft_vk_driver_rank
    bool usable;
    bool memory_budget, int64;
    bool f16_arithmetic;
    uint32_t matrix[3]; // cooperative matrix m, n, k; 0: none
    weft_matrix_form matrix_form[WEFT_MATRIX_FORMS]; // and these, see weft_caps
    uint32_t matrix_most, matrix_reserved;
    bool matrix_reduces;
    uint32_t subgroup_sizes[2]; // the least and the largest that kernels can be sure of; 0: not known
    bool subgroup_control;    // kernels can ask for them; else there is no other
    bool full_subgroups;      // kernels can ask for no invocation of a subgroup to be missing
    bool shader_objects;      // VK_EXT_shader_object
    weft_device_info info; // its texts are the arrays below
    char name[256], driver[600], rejected[256];
} weft_vk_candidate;

// The order in which devices are listed and taken: by class, then by rank, then as they are. Sets what in `info` depends on the place.
void weft_vk_order(weft_vk_candidate *list, int count);

// All devices in that order; freed by weft_delete.
weft_result weft_vk_candidates(const weft_vk_instance *i, weft_vk_candidate **out, int *count);

// Where `name` (see weft_device_params) leads. WEFT_ERR_NO_DEVICE: why not, for every device.
weft_result weft_vk_choose(const weft_vk_candidate *list, int count, const char *name, const weft_vk_candidate **out);
