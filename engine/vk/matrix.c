// SPDX-License-Identifier: MIT
#include "vk/matrix.h"
#include "graph/graph.h"
#include "vk/run.h"
#include <string.h>

typedef struct matrix_properties { // VkCooperativeMatrixPropertiesKHR
    VkStructureType type;
    void *next;
    uint32_t m, n, k;
    int32_t a, b, c, result; // VkComponentTypeKHR
    VkBool32 saturating;
    int32_t scope; // VkScopeKHR
} matrix_properties;
enum { TYPE_MATRIX_PROPERTIES = 1000506001, COMPONENT_F16 = 0, COMPONENT_F32 = 1, SCOPE_SUBGROUP = 3, MOST = 64 };
typedef VkResult (VKAPI_PTR *get_properties)(VkPhysicalDevice device, uint32_t *count, matrix_properties *list);

void weft_vk_matrix_shape(const weft_vk_instance *i, VkPhysicalDevice device, uint32_t shape[3])
{
    const get_properties get = (get_properties) i->vk.vkGetInstanceProcAddr(i->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    matrix_properties list[MOST];
    uint32_t count = MOST;
    shape[0] = shape[1] = shape[2] = 0;
    for (int k = 0; k < MOST; k++) list[k] = (matrix_properties) { .type = (VkStructureType) TYPE_MATRIX_PROPERTIES };
    if (!get) return;
    const VkResult r = get(device, &count, list);
    if (r != VK_SUCCESS && r != VK_INCOMPLETE) return;
    for (uint32_t k = 0; k < count; k++) {
        const matrix_properties *p = &list[k];
        if (p->a != COMPONENT_F16 || p->b != COMPONENT_F16 || p->c != COMPONENT_F32 || p->result != COMPONENT_F32 || p->scope != SCOPE_SUBGROUP) continue;
        if ((uint64_t) p->m * p->n * p->k <= (uint64_t) shape[0] * shape[1] * shape[2]) continue;
        shape[0] = p->m, shape[1] = p->n, shape[2] = p->k;
    }
}

void weft_vk_matrix_drop(weft_vk_device *dev)
{
    memset(dev->caps.matrix, 0, sizeof dev->caps.matrix);
    memset(dev->info.matrix, 0, sizeof dev->info.matrix);
    dev->info.matrix_units = 0;
}

// Whole numbers whose sums f16 holds, edges on all sides, more than a step of k; and in the first row and column 2048 + 1 + .. + 1 - 2048,
// which is right in f32 alone.
enum { ROWS = 69, COLUMNS = 44, DEEP = 72 };

static float a_at(int i, int k) { return i ? (float) ((i * 5 + k * 3) % 7 - 3) : k == 0 ? 64 : k == DEEP - 1 ? -64 : 1; }
static float b_at(int k, int j) { return j ? (float) ((k * 4 + j * 9) % 5 - 2) : k == 0 || k == DEEP - 1 ? 32 : 1; }

static bool is_product(const float *y)
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            float sum = 0;
            for (int k = 0; k < DEEP; k++) sum += a_at(i, k) * b_at(k, j);
            if (y[i * COLUMNS + j] != sum) return false;
        }
    return true;
}

static weft_result try_product(weft_vk_device *dev, weft_arena *arena, bool *right)
{
    weft_graph g;
    weft_vk_run *run;
    float *a = weft_arena_new(arena, sizeof *a * ROWS * DEEP), *b = weft_arena_new(arena, sizeof *b * DEEP * COLUMNS);
    float *y = weft_arena_new(arena, sizeof *y * ROWS * COLUMNS);
    if (!a || !b || !y) return WEFT_ERR_MEMORY;
    for (int i = 0; i < ROWS * DEEP; i++) a[i] = a_at(i / DEEP, i % DEEP);
    for (int i = 0; i < DEEP * COLUMNS; i++) b[i] = b_at(i / COLUMNS, i % COLUMNS);
    weft_graph_init(&g, arena);
    g.bound = true;
    const weft_value va = weft_graph_input(&g, "a", WEFT_F32, (weft_shape) WEFT_SHAPE(ROWS, DEEP));
    const weft_value vb = weft_graph_input(&g, "b", WEFT_F32, (weft_shape) WEFT_SHAPE(DEEP, COLUMNS));
    weft_graph_output(&g, "y", weft_graph_call(&g, "matmul", WEFT_V(va, vb), NULL));
    WEFT_TRY(weft_graph_status(&g));
    WEFT_TRY(weft_vk_run_create_forced(dev, &g, &(weft_session_params) { .precision = WEFT_FAST }, "matmul_matrix", &run));
    const weft_result r = weft_vk_run_go(run, (const void *const[]) { a, b }, (void *const[]) { y });
    weft_vk_run_destroy(run);
    *right = r == WEFT_OK && !dev->matrix_spoiled && is_product(y);
    return r;
}

weft_result weft_vk_matrix_check(weft_vk_device *dev, bool *right)
{
    weft_result r = WEFT_OK;
    pthread_mutex_lock(&dev->matrix_lock);
    if (dev->matrix == WEFT_VK_MATRIX_UNKNOWN) {
        weft_arena arena = { .ctx = dev->ctx };
        bool is_right = false;
        r = try_product(dev, &arena, &is_right);
        weft_arena_free(&arena);
        if (r == WEFT_OK) dev->matrix = is_right ? WEFT_VK_MATRIX_RIGHT : WEFT_VK_MATRIX_WRONG;
        if (r == WEFT_OK && !is_right)
            weft_log(dev->ctx, WEFT_LOG_WARN, "vulkan: %s computes products wrongly on its matrix units, so they are not used: a newer driver than "
                     "%s may help", dev->name, dev->driver);
    }
    *right = dev->matrix == WEFT_VK_MATRIX_RIGHT;
    pthread_mutex_unlock(&dev->matrix_lock);
    return r;
}
