// SPDX-License-Identifier: MIT
#include "vk/quirks.h"
#include "vk/matrix.h"
#include <string.h>

// "Mesa 22.3.6 (LLVM 15.0.6)" -> 22; lavapipe's driverVersion says nothing.
static int mesa_major(const char *info)
{
    int major = 0;
    if (strncmp(info, "Mesa ", 5)) return 0;
    for (info += 5; *info >= '0' && *info <= '9' && major < 1000; info++) major = major * 10 + (*info - '0');
    return major;
}

// Software drivers beside each other on two busy cores, a product of 1024 x 1024 matrices, and a 3x3 convolution of 256 channels by its input:
// lavapipe of Mesa 26.1 0.16 and 0.38 s, of 25.0 0.95 and 0.55 s, of 22.3 0.77 and 2.5 s; SwiftShader 28 s, and it has no f16.
int weft_vk_driver_rank(const VkPhysicalDeviceDriverProperties *driver)
{
    enum { FIRST = 0, UNKNOWN_SOFTWARE = 1000, LAST = 2000 };
    switch (driver->driverID) {
    case VK_DRIVER_ID_MESA_LLVMPIPE: return UNKNOWN_SOFTWARE - mesa_major(driver->driverInfo); // the newer, the faster
    case VK_DRIVER_ID_GOOGLE_SWIFTSHADER: return LAST;
    default: return FIRST;
    }
}

// Why a device's matrix units are better left alone; NULL: they are not.
static const char *matrix_trouble(const weft_vk_device *dev, const VkPhysicalDeviceDriverProperties *driver, uint32_t vendor, uint32_t id)
{
    enum { AMD = 0x1002, INTEL = 0x8086, NVIDIA = 0x10de };
    VkPhysicalDeviceShaderIntegerDotProductProperties dot = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES };
    VkPhysicalDeviceProperties2 props = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &dot };
    switch (vendor) {
    case AMD: // RDNA 3 is the first to have them, and the first whose packed integer products of mixed signs are accelerated
        dev->vk.vkGetPhysicalDeviceProperties2(dev->physical, &props);
        if (!dot.integerDotProduct4x8BitPackedMixedSignednessAccelerated)
            return "both Mesa and the vendor's driver emulate them before RDNA 3, slower than kernels without";
        return NULL;
    case INTEL: // Xe 2 and later run subgroups of 16 at least, everything before of 8
        return dev->caps.matrix_subgroup < 16 ? "Arc Alchemist has been seen to run them up to 1000 times slower than kernels without" : NULL;
    case NVIDIA: // Turing: TU102 to TU106 and TU117, TU116
        if (driver->driverID == VK_DRIVER_ID_NVIDIA_PROPRIETARY && ((id >= 0x1e00 && id < 0x2000) || (id >= 0x2180 && id < 0x2200)))
            return "the driver has been seen to compile kernels of matrices wrongly for Turing";
        return NULL;
    default: return NULL;
    }
}

void weft_vk_quirks(weft_vk_device *dev, const VkPhysicalDeviceDriverProperties *driver, uint32_t vendor, uint32_t id)
{
    const char *trouble = dev->caps.matrix[0] ? matrix_trouble(dev, driver, vendor, id) : NULL;
    if (trouble) {
        weft_log(dev->ctx, WEFT_LOG_INFO, "vulkan: %s: no use is made of its matrix units: %s", dev->name, trouble);
        weft_vk_matrix_drop(dev);
    }
    // Mesa 22's lavapipe ends all loops of an invocation after 65,535 turns together (measured with 22.3.6; gone in 25.0.7). Most of weft's kernels
    // stay below (ops/turns.h); said here for those who compare numbers.
    if (driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE && mesa_major(driver->driverInfo) < 23)
        weft_log(dev->ctx, WEFT_LOG_INFO, "vulkan: %s ends loops after 65,535 turns of an invocation: use a newer Mesa to compare results", dev->driver);
    // lavapipe's pipeline cache is empty, while the binaries of its shader objects are what it has made of SPIR-V before it makes machine code,
    // and six times as fast to begin with (25.0.7). Other drivers keep more in pipeline caches.
    dev->shader_objects &= driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE;
    // Intel's compiler spills 60 to 255 registers of every kernel with 64 sums per invocation and none of those with 32 (tgl, dg2, lnl, bmg with
    // Mesa 26.1: tools/static).
    dev->caps.few_registers = driver->driverID == VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA || driver->driverID == VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS;
}
