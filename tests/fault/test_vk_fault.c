// SPDX-License-Identifier: MIT
// Every call of the Vulkan driver fails, from opening a device to closing it: what a session with timing, kept values and a cache of pipelines does.
#include "../vk/small_net.h"
#include "vk_life.h"

static net_data want;
static weft_result learn_small_net(weft_context *ctx) { return net_learn(ctx, &want); }

static void hear(void *user, const weft_node_time *t) { *(double *) user += t->flops; }

static weft_result life_of_session(fault *f, weft_context *ctx, const char *cache)
{
    weft_device *dev = NULL;
    weft_model *model = NULL;
    weft_session *s = NULL;
    net_data got;
    double heard = 0;
    net_fill(&got);
    static float value[NET_COUNT];
    weft_value_info info;
    weft_result r = small_net(ctx, &model);
    ctx->outside = outside, ctx->outside_user = f;
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = cache, .validate = validate }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, &(weft_session_params) { .keep_values = 1, .timing = hear, .timing_user = &heard }, &s);
    for (int i = 0; i < 2 && r == WEFT_OK; i++) r = net_run(s, &got);
    if (r == WEFT_OK && !net_equal(&got, &want, 1e-5)) r = WEFT_ERR_NUMERIC;
    if (r == WEFT_OK) r = weft_session_value(s, 4, &info, value, NET_COUNT); // after two inputs and two weights
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

int main(int argc, char **argv) { return fault_test(learn_small_net, life_of_session, "a session", argc, argv); }
