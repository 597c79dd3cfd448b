// SPDX-License-Identifier: MIT
// Description-aware fashion image inpainting: a coarse network that reads a description, a refining one that does not, and
// the reader of descriptions alone. Kinli et al., Description-Aware Fashion Image Inpainting with Convolutional Neural
// Networks in Coarse-to-Fine Manner, 2020.
#include "import/net.h"

enum { TOKENS = 32, SIZE = 256 }; // a description's length; the only size, because the bottleneck is 8 x 8

// --- The reader: embedding, LSTM of three layers in both directions, its last step. -----------------------------------

static weft_value read_text(net *n, const char *prefix, weft_value tokens)
{
    enum { WIDTH = 32, HIDDEN = 1024, LAYERS = 3 };
    const char *table = path(n, "%sembedding.weight", prefix);
    const int64_t words = length(n, table, 0); // the vocabulary is the user's
    weft_build_name(n->b, table);
    weft_value y = op(n, "embedding", (weft_value[]) { weight(n, table, (weft_shape) WEFT_SHAPE(words, WIDTH)), tokens }, 2, NULL, 0);
    y = lstm(n, path(n, "%slstm", prefix), y, WIDTH, HIDDEN, LAYERS);
    y = OPA(n, "slice", y, WEFT_NUM("starts", TOKENS - 1), WEFT_NUM("ends", TOKENS), WEFT_NUM("axes", 1));
    y = OPA(n, "reshape", y, WEFT_NUM("shape", 0, 2 * HIDDEN));
    return relu(n, linear(n, path(n, "%slinear_1", prefix), y, 2 * HIDDEN, 128));
}

static weft_value tokens_input(net *n, int64_t batch)
{
    return weft_build_input(n->b, "tokens", WEFT_I32, (weft_shape) { 2, { batch, TOKENS } });
}

// --- The U-Net. ---------------------------------------------------------------------------------------------------------

static weft_value down(net *n, int block, weft_value x, int in, int out, int kernel)
{
    const weft_value y = conv(n, path(n, "block_%d.0", block), x, in, out, kernel, .stride = 2);
    return leaky_relu(n, instance_norm(n, path(n, "block_%d.1", block), y, out), 0.2);
}

static weft_value up(net *n, int block, weft_value x, int in, int out)
{
    const weft_value y = conv_transpose(n, path(n, "block_%d.0", block), x, in, out, 4, .stride = 2, .pad = 1);
    return leaky_relu(n, instance_norm(n, path(n, "block_%d.1", block), y, out), 0.2);
}

static weft_value mix(net *n, int block, weft_value x, int in, int out)
{
    return leaky_relu(n, conv(n, path(n, "_1x1conv_%d.0", block), x, in, out, 1, 0), 0.01);
}

static weft_value residual(net *n, int i, weft_value x)
{
    weft_value y = conv(n, path(n, "dilated_res_blocks.%d.conv_1", i), x, 128, 128, 5, .dilation = 2);
    y = conv(n, path(n, "dilated_res_blocks.%d.conv_2", i), relu(n, instance_norm(n, NULL, y, 0)), 128, 128, 1, 0);
    return relu(n, add(n, instance_norm(n, NULL, y, 0), x));
}

static void build_unet(net *n, bool coarse)
{
    const int seen = coarse ? 128 : 256, wide = coarse ? 16 : 32; // channels of block 5; and of block 6
    const int64_t batch = dim(n, "n", 1, 1);
    const weft_value image = input(n, "image", batch, 3, SIZE, SIZE), tokens = coarse ? tokens_input(n, batch) : WEFT_NONE;
    const weft_value x1 = down(n, 1, image, 3, 32, 7), x2 = down(n, 2, x1, 32, 64, 5), x3 = down(n, 3, x2, 64, 128, 5);
    weft_value d = x3;
    for (int i = 0; i < 4; i++) d = residual(n, i, d);
    const weft_value attention = self_attention(n, "self_attention", d, 128, 16, NULL);
    const weft_value x4 = down(n, 4, coarse ? x3 : d, 128, 64, 5), x5 = down(n, 5, x4, 64, seen, 5);

    weft_build_name(n->b, "embedding");
    weft_value e = OPA(n, "mean", x5, WEFT_NUM("axes", 2, 3));
    if (coarse) e = cat(n, e, read_text(n, "lstm_block.0.", tokens));
    e = OPA(n, "reshape", e, WEFT_NUM("shape", 0, 16, 4, 4));
    weft_value y = mix(n, 6, cat(n, x5, up(n, 6, e, 16, wide)), seen + wide, 2 * wide);
    y = cat(n, x4, up(n, 7, y, 2 * wide, 2 * wide));
    if (coarse) y = mix(n, 7, y, 96, 128);
    y = mix(n, 8, cat(n, x3, up(n, 8, y, 128, 128), attention), 384, 64);
    y = mix(n, 9, cat(n, x2, up(n, 9, y, 64, 64)), 128, 32);
    y = cat(n, x1, up(n, 10, y, 32, 32));
    output(n, "output", net_tanh(n, conv_transpose(n, "block_11.0", y, 64, 3, 2, .stride = 2)));
}

static void build_coarse(net *n) { build_unet(n, true); }
static void build_refine(net *n) { build_unet(n, false); }
static void build_text(net *n) { output(n, "embedding", read_text(n, "", tokens_input(n, dim(n, "n", 1, 1)))); }

const arch arch_dafii_coarse = {
    .name = "dafii-coarse", .doc = "description-aware fashion inpainting, first network (Kinli et al. 2020)", .probe = "block_1.0.weight",
    .meta = (const char *const[]) { "image.range", "-1..1", "tokens", "32 word numbers, padded at the end", NULL },
    .build = build_coarse,
};
const arch arch_dafii_refine = {
    .name = "dafii-refine", .doc = "description-aware fashion inpainting, second network", .probe = "block_1.0.weight",
    .meta = (const char *const[]) { "image.range", "-1..1", NULL },
    .build = build_refine,
};
const arch arch_dafii_text = {
    .name = "dafii-text", .doc = "description-aware fashion inpainting, the reader of descriptions", .probe = "embedding.weight",
    .meta = (const char *const[]) { "tokens", "32 word numbers, padded at the end", NULL },
    .build = build_text,
};
