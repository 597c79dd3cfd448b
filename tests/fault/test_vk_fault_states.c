// SPDX-License-Identifier: MIT
// Every call of the Vulkan driver fails in the life of a session with states. Opening has its faults in test_vk_fault.
#include "../vk/state_net.h"
#include "vk_life.h"

static state_data want;

static weft_result learn_state_net(weft_context *ctx)
{
    weft_model *model = NULL;
    weft_result r = state_net(ctx, &model);
    if (r == WEFT_OK) r = state_reference(ctx, model, &want);
    weft_model_destroy(&model);
    return r;
}

static weft_result life_of_states(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *s = NULL;
    state_data got;
    (void) cache;
    weft_result r = state_net(ctx, &model);
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = validate }, &dev);
    ctx->outside = outside, ctx->outside_user = f;
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &s);
    if (r == WEFT_OK) r = state_run(s, &got);
    if (r == WEFT_OK && !state_equal(&got, &want)) r = WEFT_ERR_NUMERIC;
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

int main(int argc, char **argv) { return fault_test(learn_state_net, life_of_states, "states", argc, argv); }
