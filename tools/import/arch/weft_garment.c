// SPDX-License-Identifier: MIT
// The bundled inpainting network; tools/train/network.py is its definition.
#include "import/net.h"

typedef struct layer { int in, out, kernel, stride, dilation; } layer;
static weft_value gated(net *n, const char *name, weft_value x, layer l)
{
    x = conv(n, path(n, "%s.conv", name), x, l.in, 2 * l.out, l.kernel, .stride = l.stride, .dilation = l.dilation);
    return OPA(n, "gate", x, WEFT_TEXT("act", "elu"), WEFT_NUM("a", 1));
}

static weft_value middle(net *n, const char *stage, weft_value x, int width)
{
    for (int i = 0; i < 4; i++) x = add(n, x, gated(n, path(n, "%s.middle.%d", stage, i), x, (layer) { width, width, 3, 1, 1 << i }));
    return x;
}

static void build(net *n)
{
    static const char *const keys[] = { "query", "key", "value" };
    const int64_t batch = dim(n, "n", 1, 1), h = dim(n, "h", 256, 8), w = dim(n, "w", 256, 8);
    const weft_value image = input(n, "image", batch, 3, h, w), mask = input(n, "mask", batch, 1, h, w);

    const weft_value known = mul(n, image, OPA(n, "affine", mask, WEFT_NUM("a", -1), WEFT_NUM("b", 1)));
    weft_value x = gated(n, "coarse.down1", cat(n, known, mask), (layer) { 4, 16, 5, 2, 1 });
    weft_value quarter = gated(n, "coarse.down2", x, (layer) { 16, 32, 3, 2, 1 });
    x = middle(n, "coarse", gated(n, "coarse.down3", quarter, (layer) { 32, 48, 3, 2, 1 }), 48);
    x = gated(n, "coarse.up1", cat(n, up2(n, x), quarter), (layer) { 80, 24, 3, 1, 1 });
    x = conv(n, "coarse.head", x, 24, 3, 3, 0);
    const weft_value coarse = net_tanh(n, OPA(n, "resize", x, WEFT_NUM("scale", 4), WEFT_TEXT("mode", "bilinear")));

    const weft_value full = cat(n, add(n, known, mul(n, coarse, mask)), mask);
    const weft_value half = gated(n, "fine.down1", full, (layer) { 4, 16, 5, 2, 1 });
    quarter = gated(n, "fine.down2", half, (layer) { 16, 32, 3, 2, 1 });
    x = middle(n, "fine", gated(n, "fine.down3", quarter, (layer) { 32, 64, 3, 2, 1 }), 64);
    x = self_attention(n, "fine.attention", x, 64, 16, keys);
    x = add(n, x, gated(n, "fine.last", x, (layer) { 64, 64, 3, 1, 1 }));
    x = gated(n, "fine.up1", cat(n, up2(n, x), quarter), (layer) { 96, 32, 3, 1, 1 });
    x = gated(n, "fine.up2", cat(n, up2(n, x), half), (layer) { 48, 16, 3, 1, 1 });
    x = gated(n, "fine.up3", cat(n, up2(n, x), full), (layer) { 20, 8, 3, 1, 1 });
    output(n, "coarse", coarse);
    output(n, "fine", net_tanh(n, conv(n, "fine.head", x, 8, 3, 3, 0)));
}

const arch arch_weft_garment = {
    .name = "weft-garment", .doc = "the bundled inpainting network (tools/train/network.py)", .probe = "coarse.down1.conv.weight",
    .meta = (const char *const[]) {
        "task", "inpaint", "image.range", "-1..1", "mask.hole", "1", "port.output", "fine", "author", "the weft project", "licence", "MIT",
        "description", "Gated convolutions in two stages with self-attention, trained on pictures of garments that a program drew.", NULL },
    .build = build,
};
