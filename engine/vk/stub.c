// SPDX-License-Identifier: MIT
// Placeholder until the Vulkan floor lands: no devices.
#include "vk/run.h"

weft_result weft_vk_list(weft_context *ctx, void (*each)(void *, const weft_device_info *), void *user) { (void) ctx, (void) each, (void) user; return WEFT_OK; }
weft_result weft_vk_open(weft_context *ctx, const weft_device_params *p, weft_vk_device **out) { (void) ctx, (void) p, (void) out; return weft_fail(WEFT_ERR_NO_DEVICE, "no Vulkan device"); }
void weft_vk_close(weft_vk_device *dev) { (void) dev; }
const weft_device_info *weft_vk_info(const weft_vk_device *dev) { (void) dev; return NULL; }
weft_result weft_vk_run_create(weft_vk_device *d, const weft_graph *b, const weft_session_params *p, weft_vk_run **o) { (void) d, (void) b, (void) p, (void) o; return WEFT_ERR_UNSUPPORTED; }
void weft_vk_run_destroy(weft_vk_run *run) { (void) run; }
weft_result weft_vk_run_go(weft_vk_run *r, const void *const *in, void *const *out) { (void) r, (void) in, (void) out; return WEFT_ERR_UNSUPPORTED; }
void weft_vk_run_measure(const weft_vk_run *run, weft_session_facts *facts) { (void) run, (void) facts; }
