// SPDX-License-Identifier: MIT
// pix2pix's U-Net with eight levels, for pictures whose sides are multiples of 256. Isola et al., Image-to-Image Translation with
// Conditional Adversarial Networks, 2017. The activation before each convolution works in place, so a skip carries
// its result. Variants: batch normalisation, the same with the picture's own statistics (what the published test script
// does unless told otherwise), instance normalisation.
#include "import/net.h"
#include <string.h>

enum { BATCH, BATCH_STATS, INSTANCE, LEVELS = 8 };

static weft_value normal(net *n, const char *name, weft_value x, int c)
{
    if (n->variant == INSTANCE) return instance_norm(n, NULL, x, 0);
    return batch_norm(n, name, x, c, n->variant == BATCH_STATS);
}

// A layer of level i: each level is an item of the list of the level around it.
static const char *layer(net *n, int i, int item)
{
    char name[NET_PATH] = "model.model.1";
    for (int k = 1; k < i; k++) strcat(name, ".model.3");
    return path(n, "%s.model.%d", name, item);
}

// Level i halves x, asks level i + 1, doubles the answer and puts x beside it.
static weft_value level(net *n, int i, weft_value x)
{
    static const int width[] = { 64, 128, 256, 512, 512, 512, 512, 512 };
    const int outer = width[i - 1], inner = width[i];
    const bool last = i == LEVELS - 1, no_bias = n->variant != INSTANCE;
    x = leaky_relu(n, x, 0.2);
    weft_value y = conv(n, layer(n, i, 1), x, outer, inner, 4, .stride = 2, .pads = { 1, 1, 1, 1 }, .no_bias = no_bias);
    if (!last) y = level(n, i + 1, normal(n, layer(n, i, 2), y, inner));
    y = conv_transpose(n, layer(n, i, last ? 3 : 5), relu(n, y), last ? inner : 2 * inner, outer, 4, .stride = 2, .pad = 1, .no_bias = no_bias);
    return cat(n, x, normal(n, layer(n, i, last ? 4 : 6), y, outer));
}

static void build(net *n)
{
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 256, 256), w = dim(n, "w", 256, 256);
    const int in = (int) length(n, "model.model.0.weight", 1), out = (int) length(n, "model.model.3.weight", 1);
    const weft_value image = input(n, "image", batch, in, h, w);
    weft_value y = conv(n, "model.model.0", image, in, 64, 4, .stride = 2, .pads = { 1, 1, 1, 1 }, .no_bias = n->variant != INSTANCE);
    y = level(n, 1, y);
    output(n, "output", net_tanh(n, conv_transpose(n, "model.model.3", relu(n, y), 128, out, 4, .stride = 2, .pad = 1)));
}

const arch arch_pix2pix_unet256 = {
    .name = "pix2pix-unet256", .doc = "pix2pix U-Net with 8 levels (Isola et al. 2017)", .variants = "batch|batch-stats|instance",
    .probe = "model.model.0.weight", .meta = (const char *const[]) { "task", "translate", "image.range", "-1..1", NULL }, .build = build,
};
