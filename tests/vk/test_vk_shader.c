// SPDX-License-Identifier: MIT
// Kernels as shader objects, whose binaries weft keeps: made from SPIR-V once and from the binary in later runs, and anew where the driver, the
// file or another weft says so. Where the driver has none, shader objects are stood in for by pipelines: what is tested is what weft does.
#include "vk/cache.h"
#include "vk/kernel.h"
#include "vk/small_product.h"
#include <stdlib.h>
#include <unistd.h>

static weft_vk_device *dev; // of the calls below
static int from_words, from_binaries, refuse_binaries, no_data;

// --- A stand-in: its binaries are the SPIR-V, each bit turned. ---------------------------------------------------------

typedef struct object {
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkShaderModule module;
    size_t bytes;
    uint8_t *binary;
} object;

static object *object_of(VkShaderEXT shader)
{
    object *o;
    memcpy(&o, &shader, sizeof o);
    return o;
}

static VKAPI_ATTR void VKAPI_CALL destroy(VkDevice device, VkShaderEXT shader, const VkAllocationCallbacks *host)
{
    object *o = object_of(shader);
    dev->vk.vkDestroyPipeline(device, o->pipeline, host);
    dev->vk.vkDestroyPipelineLayout(device, o->layout, host);
    dev->vk.vkDestroyShaderModule(device, o->module, host);
    free(o->binary);
    free(o);
}

static VKAPI_ATTR VkResult VKAPI_CALL create(VkDevice device, uint32_t count, const VkShaderCreateInfoEXT *info, const VkAllocationCallbacks *host,
                                             VkShaderEXT *out)
{
    object *o = calloc(1, sizeof *o);
    assert_true(count == 1 && o && info->nextStage == 0 && info->setLayoutCount == 1);
    o->bytes = info->codeSize, o->binary = malloc(o->bytes);
    const bool binary = info->codeType == VK_SHADER_CODE_TYPE_BINARY_EXT;
    assert_true(!binary || (uintptr_t) info->pCode % 16 == 0);
    uint8_t *words = malloc(o->bytes);
    for (size_t i = 0; i < o->bytes; i++) {
        const uint8_t c = ((const uint8_t *) info->pCode)[i];
        words[i] = binary ? (uint8_t) ~c : c, o->binary[i] = binary ? c : (uint8_t) ~c;
    }
    const VkShaderModuleCreateInfo module = { VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, NULL, 0, o->bytes, (const uint32_t *) (const void *) words };
    const VkPipelineLayoutCreateInfo layout = { VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, info->pSetLayouts, 1, info->pPushConstantRanges };
    assert_int_equal(dev->vk.vkCreateShaderModule(device, &module, host, &o->module), VK_SUCCESS);
    assert_int_equal(dev->vk.vkCreatePipelineLayout(device, &layout, host, &o->layout), VK_SUCCESS);
    const VkComputePipelineCreateInfo pipeline = { VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, NULL, VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        { VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, info->pNext,
          info->flags & VK_SHADER_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
          info->stage, o->module, info->pName, info->pSpecializationInfo }, o->layout, VK_NULL_HANDLE, -1 };
    const VkResult r = dev->vk.vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &pipeline, host, &o->pipeline);
    free(words);
    memset(out, 0, sizeof *out);
    memcpy(out, &o, sizeof o);
    return r;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_data(VkDevice device, VkShaderEXT shader, size_t *bytes, void *data)
{
    (void) device;
    if (data) memcpy(data, object_of(shader)->binary, object_of(shader)->bytes);
    *bytes = object_of(shader)->bytes;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL bind(VkCommandBuffer cmd, uint32_t count, const VkShaderStageFlagBits *stages, const VkShaderEXT *shaders)
{
    assert_true(count == 1 && *stages == VK_SHADER_STAGE_COMPUTE_BIT);
    dev->vk.vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, object_of(*shaders)->pipeline);
}

// --- What is counted, and what fails. ------------------------------------------------------------------------------------

static PFN_vkCreateShadersEXT create_below;
static PFN_vkGetShaderBinaryDataEXT get_below;

static VKAPI_ATTR VkResult VKAPI_CALL count_and_create(VkDevice device, uint32_t count, const VkShaderCreateInfoEXT *info, const VkAllocationCallbacks *host,
                                                       VkShaderEXT *out)
{
    const bool binary = info->codeType == VK_SHADER_CODE_TYPE_BINARY_EXT;
    ++*(binary ? &from_binaries : &from_words);
    return binary && refuse_binaries ? VK_INCOMPATIBLE_SHADER_BINARY_EXT : create_below(device, count, info, host, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_or_not(VkDevice device, VkShaderEXT shader, size_t *bytes, void *data)
{
    return no_data ? VK_ERROR_OUT_OF_HOST_MEMORY : get_below(device, shader, bytes, data);
}

// A device that is told to make shader objects, as one that has been opened so.
static weft_result open_with_objects(weft_context *ctx, const char *path)
{
    WEFT_TRY(weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev));
    weft_vk_kernels_destroy(dev->kernels);
    dev->kernels = NULL;
    dev->cache_path = weft_strdup(ctx, path);
    assert_non_null(dev->cache_path);
    if (!dev->shader_objects) {
        dev->vk.vkCreateShadersEXT = create, dev->vk.vkDestroyShaderEXT = destroy;
        dev->vk.vkGetShaderBinaryDataEXT = get_data, dev->vk.vkCmdBindShadersEXT = bind;
        dev->shader_objects = true;
    }
    create_below = dev->vk.vkCreateShadersEXT, dev->vk.vkCreateShadersEXT = count_and_create;
    get_below = dev->vk.vkGetShaderBinaryDataEXT, dev->vk.vkGetShaderBinaryDataEXT = get_or_not;
    return weft_vk_kernels_create(dev, &dev->kernels);
}

static char folder[] = "/tmp/weft-shader-XXXXXX", path[64];
static bool no_device;
static weft_context *ctx;
static seen said;

// One life: a product, right, with these lines in the log, made so often from SPIR-V and from binaries.
static void live(int warnings, bool words, bool binaries)
{
    static float a[SIZE * SIZE], y[SIZE * SIZE];
    from_words = from_binaries = 0;
    said.warnings = 0;
    if (no_device) skip();
    assert_int_equal(open_with_objects(ctx, path), WEFT_OK);
    whole_numbers(a, y);
    assert_int_equal(multiply(dev, &said, NULL, WEFT_EXACT, a, y), WEFT_OK);
    assert_square(a, y);
    weft_vk_close(dev);
    assert_int_equal(said.warnings, warnings);
    assert_int_equal(from_words > 0, words);
    assert_int_equal(from_binaries > 0, binaries);
}

// Writes these bytes in the place of the binaries.
static void put(const void *data, size_t bytes)
{
    assert_int_equal(open_with_objects(ctx, path), WEFT_OK);
    weft_vk_cache_write(dev, WEFT_VK_BINARIES, data, bytes);
    weft_vk_close(dev);
}

static size_t take(uint8_t *data, size_t most)
{
    weft_vk_kept kept;
    assert_int_equal(open_with_objects(ctx, path), WEFT_OK);
    weft_vk_cache_open(dev, WEFT_VK_BINARIES, &kept);
    const size_t bytes = kept.bytes;
    assert_true(bytes > 0 && bytes < most);
    memcpy(data, kept.data, bytes);
    weft_vk_cache_close(&kept);
    weft_vk_close(dev);
    return bytes;
}

static void made_once(void **state)
{
    (void) state;
    live(0, true, false);
    for (int i = 0; i < 2; i++) live(0, false, true);
}

static void refused_by_the_driver(void **state)
{
    (void) state;
    refuse_binaries = 1;
    live(0, true, true); // and kept anew
    refuse_binaries = 0;
    live(0, false, true);
}

static void not_given_out(void **state)
{
    (void) state;
    remove(path);
    no_data = 1;
    live(1, true, false);
    no_data = 0;
    live(0, true, false);
    live(0, false, true);
}

static void what_is_in_the_file(void **state)
{
    (void) state;
    static uint8_t data[1 << 20], less[1 << 20];
    if (no_device) skip();
    live(0, false, true);
    const size_t bytes = take(data, sizeof data);
    memcpy(less, data, bytes);
    less[0] ^= 1; // the kernels of another weft
    put(less, bytes);
    live(0, true, false);
    put(data, bytes);
    live(0, false, true);
    put(data, bytes - 1); // a whole section, whose last binary is not
    live(1, true, false);
    put(data, 3);
    live(0, true, false);
}

static int set_up(void **state)
{
    (void) state;
    const weft_context_params params = { .log = log_line, .log_user = &said, .log_level = WEFT_LOG_WARN };
    if (weft_context_create(&params, &ctx) || !mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/cache", folder);
    no_device = weft_vk_open(ctx, &(weft_device_params) { .name = "auto" }, &dev) != WEFT_OK;
    if (no_device) puts("skip: no device");
    else weft_vk_close(dev);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    remove(path);
    rmdir(folder);
    weft_context_destroy(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once), cmocka_unit_test(refused_by_the_driver), cmocka_unit_test(not_given_out), cmocka_unit_test(what_is_in_the_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
