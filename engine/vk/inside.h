// SPDX-License-Identifier: MIT
// What an open device is, for the files of this floor.
#pragma once
#include "graph/op.h"
#include "vk/device.h"
#include "vk/instance.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct weft_vk_kernels weft_vk_kernels;
typedef struct weft_vk_tuner weft_vk_tuner;
typedef struct weft_vk_weights weft_vk_weights;

// Matrices of a subgroup and of a fixed shape (caps.matrix), as large as a workgroup's tile (caps.matrix_form), and such that are reduced
// (caps.matrix_reduces). Where one kind is wrong, so are those behind it.
typedef enum weft_vk_matrix_kind { WEFT_VK_MATRIX_FIXED, WEFT_VK_MATRIX_WHOLE, WEFT_VK_MATRIX_REDUCED, WEFT_VK_MATRIX_KINDS } weft_vk_matrix_kind;

struct weft_vk_device {
    weft_context *ctx;
    weft_vk_instance instance;
    weft_vk_calls vk; // all of them
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
    bool f16_arithmetic;     // kernels may compute in f16
    uint32_t stamp_bits;     // of timestamps in its queues; 0: it has none
    pthread_mutex_t queue_lock; // a queue is used by one thread at a time
    weft_device_info info;
    char name[256], driver[600], rejected[256];
    weft_caps caps;
    bool subgroup_control;   // pipelines can ask for a subgroup size; else all have the one that is known
    bool full_subgroups;     // and for no invocation to be missing
    pthread_mutex_t matrix_lock; // of what follows
    enum { WEFT_VK_MATRIX_UNKNOWN, WEFT_VK_MATRIX_RIGHT, WEFT_VK_MATRIX_WRONG } matrix[WEFT_VK_MATRIX_KINDS]; // what a product on the matrix units gave
    bool matrix_spoiled[WEFT_VK_MATRIX_KINDS]; // for tests: it gave something else
    VkPhysicalDeviceLimits limits;
    uint64_t max_allocation; // bytes of one vkAllocateMemory
    VkPhysicalDeviceMemoryProperties memory;
    bool memory_budget;      // VK_EXT_memory_budget answers
    weft_vk_kernels *kernels;
    weft_vk_tuner *tuner;
    weft_vk_weights *weights;
    char *cache_path;        // NULL: none
    _Atomic double rate;     // flops per second, guessed at first, then measured
    bool rate_fixed;         // for tests: not measured
    bool shader_objects;     // kernels are such (VK_EXT_shader_object); else pipelines
    bool inspected;          // pipelines keep the compiler's statistics
    bool texts;              // and what it compiled to, as text
};
