// SPDX-License-Identifier: MIT
// pix2pix's and CycleGAN's generator of nine residual blocks. Zhu et al., Unpaired Image-to-Image Translation using
// Cycle-Consistent Adversarial Networks, 2017, after Johnson et al. 2016.
#include "import/net.h"

enum { INSTANCE, BATCH, BATCH_STATS, BLOCKS = 9 };

static weft_value normal(net *n, const char *name, weft_value x, int c)
{
    if (n->variant != INSTANCE) return batch_norm(n, name, x, c, n->variant == BATCH_STATS);
    ignore(n, path(n, "%s.running_mean", name)); // old checkpoints hold what instance normalisation never used
    ignore(n, path(n, "%s.running_var", name));
    ignore(n, path(n, "%s.num_batches_tracked", name));
    return instance_norm(n, NULL, x, 0);
}

static weft_value block(net *n, int i, weft_value x)
{
    const bool no_bias = n->variant != INSTANCE;
    weft_value y = conv(n, path(n, "model.%d.conv_block.1", i), x, 256, 256, 3, .pad_mode = "reflect", .no_bias = no_bias);
    y = relu(n, normal(n, path(n, "model.%d.conv_block.2", i), y, 256));
    y = conv(n, path(n, "model.%d.conv_block.5", i), y, 256, 256, 3, .pad_mode = "reflect", .no_bias = no_bias);
    return add(n, x, normal(n, path(n, "model.%d.conv_block.6", i), y, 256));
}

static void build(net *n)
{
    const bool no_bias = n->variant != INSTANCE;
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 256, 4), w = dim(n, "w", 256, 4);
    const int in = (int) length(n, "model.1.weight", 1), out = (int) length(n, "model.26.weight", 0);
    weft_value x = input(n, "image", batch, in, h, w);
    x = relu(n, normal(n, "model.2", conv(n, "model.1", x, in, 64, 7, .pad_mode = "reflect", .no_bias = no_bias), 64));
    x = relu(n, normal(n, "model.5", conv(n, "model.4", x, 64, 128, 3, .stride = 2, .no_bias = no_bias), 128));
    x = relu(n, normal(n, "model.8", conv(n, "model.7", x, 128, 256, 3, .stride = 2, .no_bias = no_bias), 256));
    for (int i = 0; i < BLOCKS; i++) x = block(n, 10 + i, x);
    x = conv_transpose(n, "model.19", x, 256, 128, 3, .stride = 2, .pad = 1, .output_pad = 1, .no_bias = no_bias);
    x = conv_transpose(n, "model.22", relu(n, normal(n, "model.20", x, 128)), 128, 64, 3, .stride = 2, .pad = 1, .output_pad = 1, .no_bias = no_bias);
    x = relu(n, normal(n, "model.23", x, 64));
    output(n, "output", net_tanh(n, conv(n, "model.26", x, 64, out, 7, .pad_mode = "reflect")));
}

const arch arch_pix2pix_resnet9 = {
    .name = "pix2pix-resnet9", .doc = "pix2pix and CycleGAN generator of 9 residual blocks (Zhu et al. 2017)", .variants = "instance|batch|batch-stats",
    .probe = "model.1.weight", .meta = (const char *const[]) { "task", "translate", "image.range", "-1..1", NULL }, .build = build,
};
