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

typedef struct form_properties { // VkCooperativeMatrixFlexibleDimensionsPropertiesNV
    VkStructureType type;
    void *next;
    uint32_t m, n, k; // granularity
    int32_t a, b, c, result;
    VkBool32 saturating;
    int32_t scope;
    uint32_t threads; // of the workgroup, where that is the scope
} form_properties;
typedef struct matrix2_properties { // VkPhysicalDeviceCooperativeMatrix2PropertiesNV
    VkStructureType type;
    void *next;
    uint32_t most_threads, most_dimension, reserved;
} matrix2_properties;
enum { TYPE_FORM_PROPERTIES = 1000593001, TYPE_MATRIX2_PROPERTIES = 1000593002 };
typedef VkResult (VKAPI_PTR *get_forms)(VkPhysicalDevice device, uint32_t *count, form_properties *list);

// One form for each size of workgroups, that of the finest grain; the list is sorted as it came.
static void add_form(weft_vk_candidate *c, weft_matrix_form form)
{
    int at = 0;
    while (at < WEFT_MATRIX_FORMS && c->matrix_form[at].threads && c->matrix_form[at].threads != form.threads) at++;
    if (at == WEFT_MATRIX_FORMS) return;
    const weft_matrix_form *old = &c->matrix_form[at];
    if (!old->threads || (uint64_t) form.m * form.n * form.k < (uint64_t) old->m * old->n * old->k) c->matrix_form[at] = form;
}

void weft_vk_matrix_forms(const weft_vk_instance *i, bool workgroup_scope, weft_vk_candidate *c)
{
    const get_forms get = (get_forms) i->vk.vkGetInstanceProcAddr(i->instance, "vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV");
    const int32_t scope = workgroup_scope ? WEFT_VK_MATRIX_WORKGROUP : SCOPE_SUBGROUP;
    matrix2_properties most = { .type = (VkStructureType) TYPE_MATRIX2_PROPERTIES };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &most };
    form_properties list[MOST];
    uint32_t count = MOST;
    for (int k = 0; k < MOST; k++) list[k] = (form_properties) { .type = (VkStructureType) TYPE_FORM_PROPERTIES };
    if (!get) return;
    i->vk.vkGetPhysicalDeviceProperties2(c->physical, &props);
    const VkResult r = get(c->physical, &count, list);
    if (r != VK_SUCCESS && r != VK_INCOMPLETE) return;
    for (uint32_t k = 0; k < count; k++) {
        const form_properties *p = &list[k];
        const uint32_t threads = workgroup_scope ? p->threads : c->subgroup_sizes[0];
        if (p->a != COMPONENT_F16 || p->b != COMPONENT_F16 || p->c != COMPONENT_F32 || p->result != COMPONENT_F32) continue;
        if (p->saturating || p->scope != scope || !p->m || !p->n || !p->k || (workgroup_scope && threads > most.most_threads)) continue;
        add_form(c, (weft_matrix_form) { threads, (uint32_t) scope, p->m, p->n, p->k });
    }
    c->matrix_most = most.most_dimension, c->matrix_reserved = workgroup_scope ? most.reserved : 0;
}

void weft_vk_matrix_drop(weft_vk_device *dev)
{
    weft_vk_matrix_without(WEFT_VK_MATRIX_FIXED, &dev->caps);
    memset(dev->info.matrix, 0, sizeof dev->info.matrix);
    dev->info.matrix_units = dev->info.matrix_tiles = 0;
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

// A graph in f16 with its only node in this kernel.
static weft_result try_graph(weft_vk_device *dev, const weft_graph *g, const char *kernel, const void *const *in, float *y)
{
    weft_vk_run *run;
    WEFT_TRY(weft_graph_status(g));
    WEFT_TRY(weft_vk_run_create_forced(dev, g, &(weft_session_params) { .precision = WEFT_FAST }, kernel, &run));
    const weft_result r = weft_vk_run_go(run, in, (void *const[]) { y });
    weft_vk_run_destroy(run);
    return r;
}

static weft_result try_product(weft_vk_device *dev, const char *kernel, weft_arena *arena, bool *right)
{
    weft_graph g;
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
    const weft_result r = try_graph(dev, &g, kernel, (const void *const[]) { a, b }, y);
    *right = r == WEFT_OK && is_product(y);
    return r;
}

// Queries that by turns see all keys alike, and so the mean of the values, and one key so much more than all others that these are nothing: one
// of the last, while every stretch has some that stands out more than all before, or the first.
enum { QUERIES = 37, KEYS = 128, LONG = 24, WIDE = 20 };

static int score_at(int key) { return key * 77 % KEYS; }
static float v_at(int key, int c) { return (float) ((key * 5 + c * 3) % 17 - 8); }

static bool is_attention(const float *y)
{
    int last = 0;
    while (score_at(last) < KEYS - 1) last++;
    for (int i = 0; i < QUERIES; i++)
        for (int c = 0; c < WIDE; c++) {
            float sum = 0;
            for (int j = 0; j < KEYS; j++) sum += v_at(j, c);
            if (y[i * WIDE + c] != (i % 3 == 0 ? sum / KEYS : v_at(i % 3 == 1 ? last : 0, c))) return false;
        }
    return true;
}

static weft_result try_attention(weft_vk_device *dev, const char *kernel, weft_arena *arena, bool *right)
{
    weft_graph g;
    float *q = weft_arena_new(arena, sizeof *q * QUERIES * LONG), *k = weft_arena_new(arena, sizeof *k * KEYS * LONG);
    float *v = weft_arena_new(arena, sizeof *v * KEYS * WIDE), *y = weft_arena_new(arena, sizeof *y * QUERIES * WIDE);
    if (!q || !k || !v || !y) return WEFT_ERR_MEMORY;
    for (int i = 0; i < QUERIES * LONG; i++) q[i] = i % LONG < LONG - 1 ? 0 : (float[]) { 0, 160, -160 }[i / LONG % 3]; // by the square root of 24: 33 from key to key
    for (int i = 0; i < KEYS * LONG; i++) k[i] = i % LONG == LONG - 1 ? (float) score_at(i / LONG) : 1;
    for (int i = 0; i < KEYS * WIDE; i++) v[i] = v_at(i / WIDE, i % WIDE);
    weft_graph_init(&g, arena);
    g.bound = true;
    const weft_value in[] = {
        weft_graph_input(&g, "q", WEFT_F32, (weft_shape) WEFT_SHAPE(QUERIES, LONG)),
        weft_graph_input(&g, "k", WEFT_F32, (weft_shape) WEFT_SHAPE(KEYS, LONG)),
        weft_graph_input(&g, "v", WEFT_F32, (weft_shape) WEFT_SHAPE(KEYS, WIDE)),
    };
    weft_graph_output(&g, "y", weft_graph_call(&g, "sdpa", WEFT_V(in[0], in[1], in[2]), NULL));
    const weft_result r = try_graph(dev, &g, kernel, (const void *const[]) { q, k, v }, y);
    *right = r == WEFT_OK && is_attention(y);
    return r;
}

static const struct kind {
    const char *part;   // of the names of its kernels, and of no others
    const char *kernel; // that is tried
    weft_result (*try)(weft_vk_device *dev, const char *kernel, weft_arena *arena, bool *right);
    const char *with;
} kinds[WEFT_VK_MATRIX_KINDS] = {
    [WEFT_VK_MATRIX_FIXED] = { "_matrix", "matmul_matrix", try_product, "" },
    [WEFT_VK_MATRIX_WHOLE] = { "_matrix2", "matmul_matrix2", try_product, " with matrices of a whole workgroup" },
    [WEFT_VK_MATRIX_REDUCED] = { "sdpa_matrix2", "sdpa_matrix2", try_attention, " with matrices whose rows are reduced" },
};

bool weft_vk_matrix_is(weft_vk_matrix_kind kind, const char *kernel) { return strstr(kernel, kinds[kind].part) != NULL; }

void weft_vk_matrix_without(weft_vk_matrix_kind kind, weft_caps *caps)
{
    caps->matrix_reduces = false;
    if (kind <= WEFT_VK_MATRIX_WHOLE) memset(caps->matrix_form, 0, sizeof caps->matrix_form);
    if (kind <= WEFT_VK_MATRIX_FIXED) memset(caps->matrix, 0, sizeof caps->matrix);
}

static void warn(const weft_vk_device *dev, weft_vk_matrix_kind kind, const char *does, const char *why)
{
    weft_log(dev->ctx, WEFT_LOG_WARN, "vulkan: %s %s on its matrix units%s, so they are not used: a newer driver than %s may help%s%s", dev->name, does,
             kinds[kind].with, dev->driver, *why ? "; " : "", why);
}

weft_result weft_vk_matrix_check(weft_vk_device *dev, weft_vk_matrix_kind kind, bool *right)
{
    weft_result r = WEFT_OK;
    pthread_mutex_lock(&dev->matrix_lock);
    if (dev->matrix[kind] == WEFT_VK_MATRIX_UNKNOWN) {
        weft_arena arena = { .ctx = dev->ctx };
        bool is_right = false;
        r = kinds[kind].try(dev, kinds[kind].kernel, &arena, &is_right);
        is_right &= !dev->matrix_spoiled[kind];
        weft_arena_free(&arena);
        const bool refused = r == WEFT_ERR_UNSUPPORTED; // the driver does not compile it
        if (refused) warn(dev, kind, "cannot run products", weft_error_text()), r = WEFT_OK;
        else if (r == WEFT_OK && !is_right) warn(dev, kind, "computes products wrongly", "");
        if (r == WEFT_OK) dev->matrix[kind] = is_right ? WEFT_VK_MATRIX_RIGHT : WEFT_VK_MATRIX_WRONG;
    }
    *right = dev->matrix[kind] == WEFT_VK_MATRIX_RIGHT;
    pthread_mutex_unlock(&dev->matrix_lock);
    return r;
}
