// SPDX-License-Identifier: MIT
#include "vk/quirks.h"

void weft_vk_quirks(weft_vk_device *dev, const VkPhysicalDeviceDriverProperties *driver, uint32_t driver_version)
{
    // Mesa 22's lavapipe leaves every loop after 65,535 turns (measured with 22.3.6; gone in 25.0.7). weft's own kernels have no
    // loop that long; said here for those who compare numbers.
    if (driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE && VK_API_VERSION_MAJOR(driver_version) < 23)
        weft_log(dev->ctx, WEFT_LOG_INFO, "vulkan: %s cuts loops of more than 65,535 turns: use a newer Mesa to compare results", dev->driver);
}
