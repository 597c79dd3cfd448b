// SPDX-License-Identifier: MIT
// Every call of the Vulkan driver fails while sessions are made beside another: what becomes of them does nothing to the first, whose
// weights they share.
#include "../vk/small_net.h"
#include "vk_life.h"

static net_data want;
static weft_result learn_small_net(weft_context *ctx) { return net_learn(ctx, &want); }

static weft_result life_beside(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *first = NULL, *same = NULL, *fast = NULL;
    net_data got;
    (void) cache;
    net_fill(&got);
    weft_result r = small_net(ctx, &model);
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .validate = validate }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &first);
    if (r != WEFT_OK) return weft_device_destroy(&dev), weft_model_destroy(&model), r;
    ctx->outside = outside, ctx->outside_user = f;
    r = weft_session_create(dev, model, NULL, &same);
    if (r == WEFT_OK) r = weft_session_create(dev, model, &(weft_session_params) { .precision = WEFT_FAST }, &fast);
    ctx->outside = NULL;
    char text[512]; // of the failure
    snprintf(text, sizeof text, "%s", weft_error_text());
    weft_session_destroy(&same);
    weft_session_destroy(&fast);
    const weft_result still = net_run(first, &got);
    if (still != WEFT_OK || !net_equal(&got, &want, 1e-5)) printf("the first session is broken: %s\n", weft_error_text()), r = WEFT_ERR_NUMERIC;
    else if (r != WEFT_OK) weft_fail(r, "%s", text);
    weft_session_destroy(&first);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

int main(int argc, char **argv) { return fault_test(learn_small_net, life_beside, "a session beside another", argc, argv); }
