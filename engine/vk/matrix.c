// SPDX-License-Identifier: MIT
#include "vk/matrix.h"

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
