// SPDX-License-Identifier: MIT
#include "static/figures.h"
#include "vk/kernel.h"
#include <string.h>

const char *const figure_names[FIGURES] = { "subgroup", "registers", "scalars", "spills", "scratch", "shared", "code", "instructions", "waves", "latency" };

// What drivers call them. Names that begin with + are added up.
static const struct { const char *theirs; size_t offset; } names[] = {
#define FIGURE(theirs, ours) { theirs, offsetof(figures, ours) }
    // RADV
    FIGURE("VGPRs", registers), FIGURE("SGPRs", scalars), FIGURE("+Spilled VGPRs", spills), FIGURE("+Spilled SGPRs", spills),
    FIGURE("Scratch size", scratch), FIGURE("LDS size", shared), FIGURE("Code size", code), FIGURE("Instructions", instructions),
    FIGURE("Subgroups per SIMD", waves), FIGURE("Latency", latency),
    // NVK: its SLM is memory of an invocation; what it "spills to reg" are predicates and the like, which is what registers are for
    FIGURE("Number of GPRs", registers), FIGURE("+Spills to memory", spills), FIGURE("SLM size", scratch),
    FIGURE("Instruction count", instructions), FIGURE("Max warps/SM", waves), FIGURE("Static cycle count", latency),
    // ANV
    FIGURE("Max live registers", registers), FIGURE("+Spills", spills), FIGURE("Scratch Memory Size", scratch),
    FIGURE("Workgroup Memory Size", shared), FIGURE("Cycles", latency),
#undef FIGURE
};

static int64_t number(const VkPipelineExecutableStatisticKHR *s)
{
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (int64_t) s->value.u64;
    default: return (int64_t) s->value.f64;
    }
}

static void take(figures *f, const VkPipelineExecutableStatisticKHR *s)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const bool sum = *names[i].theirs == '+';
        int *at = (int *) ((char *) f + names[i].offset);
        if (strcmp(names[i].theirs + sum, s->name)) continue;
        *at = (int) number(s) + (sum && *at > 0 ? *at : 0);
    }
}

enum { MOST = 64 };
static weft_result read_executable(weft_vk_device *dev, VkPipeline pipeline, uint32_t index, bool raw, figures *f)
{
    const PFN_vkGetPipelineExecutableStatisticsKHR get =
        (PFN_vkGetPipelineExecutableStatisticsKHR) dev->vk.vkGetDeviceProcAddr(dev->device, "vkGetPipelineExecutableStatisticsKHR");
    const VkPipelineExecutableInfoKHR which = { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, index };
    VkPipelineExecutableStatisticKHR list[MOST];
    uint32_t count = MOST;
    for (int i = 0; i < MOST; i++) list[i] = (VkPipelineExecutableStatisticKHR) { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR };
    const VkResult r = get ? get(dev->device, &which, &count, list) : VK_ERROR_EXTENSION_NOT_PRESENT;
    if (r != VK_SUCCESS && r != VK_INCOMPLETE) return weft_vk_fail(r, "vkGetPipelineExecutableStatisticsKHR");
    for (uint32_t i = 0; i < count; i++) {
        if (raw) printf("    %s: %lld\n", list[i].name, (long long) number(&list[i]));
        take(f, &list[i]);
    }
    return WEFT_OK;
}

weft_result inspect(weft_vk_device *dev, const wanted *w, bool raw, figures *out, VkPipeline *pipeline)
{
    const PFN_vkGetPipelineExecutablePropertiesKHR get =
        (PFN_vkGetPipelineExecutablePropertiesKHR) dev->vk.vkGetDeviceProcAddr(dev->device, "vkGetPipelineExecutablePropertiesKHR");
    const weft_node node = { .op = weft_op_at(0), .name = w->from };
    weft_vk_want want = { &node, &w->dispatch, w->variant };
    VkPipelineExecutablePropertiesKHR list[8];
    uint32_t count = 8;
    weft_vk_pipeline made;
    memset(out, -1, sizeof *out);
    WEFT_TRY(weft_vk_kernels_get(dev->kernels, &want, 1, &made, NULL));
    *pipeline = made.made.pipeline;
    for (int i = 0; i < 8; i++) list[i] = (VkPipelineExecutablePropertiesKHR) { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR };
    const VkPipelineInfoKHR which = { VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, NULL, made.made.pipeline };
    const VkResult r = get ? get(dev->device, &which, &count, list) : VK_ERROR_EXTENSION_NOT_PRESENT;
    if (r != VK_SUCCESS && r != VK_INCOMPLETE) return weft_vk_fail(r, "vkGetPipelineExecutablePropertiesKHR");
    for (uint32_t i = 0; i < count; i++) {
        if (raw) printf("  %s: %s, subgroups of %u\n", list[i].name, list[i].description, list[i].subgroupSize);
        out->subgroup = (int) list[i].subgroupSize;
        WEFT_TRY(read_executable(dev, made.made.pipeline, i, raw, out));
    }
    return WEFT_OK;
}
