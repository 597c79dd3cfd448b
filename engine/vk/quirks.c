// SPDX-License-Identifier: MIT
#include "vk/quirks.h"
#include <string.h>

// "Mesa 22.3.6 (LLVM 15.0.6)" -> 22; lavapipe's driverVersion says nothing.
static int mesa_major(const char *info)
{
    int major = 0;
    if (strncmp(info, "Mesa ", 5)) return 0;
    for (info += 5; *info >= '0' && *info <= '9' && major < 1000; info++) major = major * 10 + (*info - '0');
    return major;
}

void weft_vk_quirks(weft_vk_device *dev, const VkPhysicalDeviceDriverProperties *driver)
{
    // Mesa 22's lavapipe leaves every loop after 65,535 turns (measured with 22.3.6; gone in 25.0.7). weft's own kernels have no
    // loop that long; said here for those who compare numbers.
    if (driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE && mesa_major(driver->driverInfo) < 23)
        weft_log(dev->ctx, WEFT_LOG_INFO, "vulkan: %s cuts loops of more than 65,535 turns: use a newer Mesa to compare results", dev->driver);
    // Intel's compiler spills 60 to 255 registers of every kernel with 64 sums per invocation and none of those with 32 (tgl, dg2, lnl, bmg with
    // Mesa 26.1: tools/static).
    dev->caps.few_registers = driver->driverID == VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA || driver->driverID == VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS;
}
