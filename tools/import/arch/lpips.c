// SPDX-License-Identifier: MIT
// LPIPS, the distance of two pictures as weighted differences of a classifier's activations. Zhang, Isola, Efros, Shechtman
// and Wang, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018; version 0.1.
// vgg16-lpips: VGG's as one vector per picture, as StyleGAN2's projector takes it (Karras et al. 2020), so that the squared
// distance of two vectors is LPIPS.
#include "import/arch/vgg.h"

static const float shift[] = { -.030f, -.088f, -.188f }, scale[] = { .458f, .448f, .450f };
#define PLANES (weft_shape) WEFT_SHAPE(1, 3, 1, 1)

// -1..1 to what the classifier was trained on.
static weft_value scaling(net *n, weft_value x)
{
    const bool own = has(n, "scaling_layer.shift");
    const weft_value a = own ? weight(n, "scaling_layer.shift", PLANES) : constant(n, "scaling_layer.shift", PLANES, shift);
    const weft_value b = own ? weight(n, "scaling_layer.scale", PLANES) : constant(n, "scaling_layer.scale", PLANES, scale);
    weft_build_name(n->b, "scaling_layer");
    return OP2(n, "div", OP2(n, "sub", x, a), b);
}

// f divided by its length over the channels, which the method keeps from 0 by 1e-10. Where f is 0 it stays that, also in
// half precision, in which 1e-10 is 0.
static weft_value unit(net *n, weft_value f)
{
    const weft_value length = OPA(n, "l2_norm", f, WEFT_NUM("axes", 1), WEFT_NUM("keep", 1));
    const weft_value some = OPA(n, "affine", length, WEFT_NUM("b", 1e-10)), one = n->failed ? WEFT_NONE : weft_build_scalar(n->b, 1);
    return OP2(n, "div", f, op(n, "where", (weft_value[]) { length, some, one }, 3, NULL, 0));
}

// The weights of a tap's channels, [1, c, 1, 1], none of them negative.
static weft_value lin(net *n, int k, int64_t c)
{
    const char *const names[] = { // the lpips package's, its copies of them, plain ones, and those beside NVIDIA's layers
        path(n, "lin%d.model.1.weight", k), path(n, "lins.%d.model.1.weight", k), path(n, "lin%d.weight", k), path(n, "lin%d", k), path(n, "lpips%d", k),
    };
    const size_t count = sizeof names / sizeof *names;
    size_t i = 0;
    while (i < count && !has(n, names[i])) i++;
    if (i == 0) ignore(n, names[1]);
    const char *name = names[i < count ? i : 0];
    if (rank_of(n, name) != 1) return weight(n, name, (weft_shape) WEFT_SHAPE(1, c, 1, 1));
    return OPA(n, "reshape", weight(n, name, (weft_shape) WEFT_SHAPE(c)), WEFT_NUM("shape", 1, (double) c, 1, 1));
}

// The classifier, which torchvision's and NVIDIA's files go on with.
static void ignore_classifier(net *n)
{
    for (int i = 0; i <= 6; i++) {
        ignore(n, path(n, "classifier.%d.weight", i));
        ignore(n, path(n, "classifier.%d.bias", i));
        ignore(n, path(n, "layers.fc%d.weight", i));
        ignore(n, path(n, "layers.fc%d.bias", i));
    }
}

static void unit_taps(net *n, vgg_net which, weft_value x, vgg_tap taps[VGG_TAPS])
{
    vgg(n, which, x, false, taps);
    weft_build_name(n->b, "unit");
    for (int k = 0; k < VGG_TAPS; k++) taps[k].x = unit(n, taps[k].x);
}

// So that the sum of squared differences is the distance: times the roots of the weights, over that of the count of pixels.
static weft_value weighted(net *n, int k, vgg_tap t)
{
    const weft_value one = n->failed ? WEFT_NONE : weft_build_scalar(n->b, 1), w = OP1(n, "sqrt", lin(n, k, t.channels));
    weft_build_name(n->b, path(n, "tap%d", k + 1));
    const weft_value pixels = OPA(n, "sum", op(n, "expand", (weft_value[]) { one, channels(n, t.x, 0, 1) }, 2, NULL, 0), WEFT_NUM("axes", 2, 3), WEFT_NUM("keep", 1));
    return mul(n, t.x, mul(n, w, OP1(n, "rsqrt", pixels)));
}

static weft_value picture(net *n, const char *name, int size) { return input(n, name, dim(n, "n", 1, 1), 3, dim(n, "h", size, 1), dim(n, "w", size, 1)); }

static void build(net *n, vgg_net which)
{
    vgg_tap x[VGG_TAPS], y[VGG_TAPS];
    weft_value sum = WEFT_NONE;
    ignore_classifier(n);
    entry(n, "main");
    const weft_value a = picture(n, "x", 256), b = picture(n, "y", 256);
    unit_taps(n, which, scaling(n, a), x);
    unit_taps(n, which, scaling(n, b), y);
    for (int k = 0; k < VGG_TAPS; k++) {
        const weft_value w = lin(n, k, x[k].channels);
        weft_build_name(n->b, path(n, "lin%d", k));
        const weft_value d = OP2(n, "conv2d", OP1(n, "square", OP2(n, "sub", x[k].x, y[k].x)), w);
        const weft_value mean = OPA(n, "mean", d, WEFT_NUM("axes", 2, 3), WEFT_NUM("keep", 1));
        sum = k ? add(n, sum, mean) : mean;
    }
    output(n, "distance", sum);
    entry(n, "features");
    unit_taps(n, which, scaling(n, picture(n, "x", 256)), x);
    for (int k = 0; k < VGG_TAPS; k++) output(n, path(n, "tap%d", k + 1), weighted(n, k, x[k]));
}

static void build_lpips_vgg(net *n) { build(n, VGG16); }
static void build_lpips_alex(net *n) { build(n, ALEX); }

static void build_vector(net *n)
{
    vgg_tap taps[VGG_TAPS];
    weft_value parts[VGG_TAPS];
    ignore_classifier(n);
    const weft_value x = picture(n, "image", 256);
    unit_taps(n, VGG16, scaling(n, OPA(n, "affine", x, WEFT_NUM("a", 1 / 127.5), WEFT_NUM("b", -1))), taps);
    for (int k = 0; k < VGG_TAPS; k++) parts[k] = OP1(n, "flatten", weighted(n, k, taps[k]));
    output(n, "features", op(n, "concat", parts, VGG_TAPS, NULL, 0));
}

const arch arch_lpips_vgg = {
    .name = "lpips-vgg", .doc = "LPIPS on VGG-16 (Zhang et al. 2018)", .probe = "net.slice1.0.weight features.0.weight conv1_1.weight",
    .meta = (const char *const[]) { "task", "perceptual", "image.range", "-1..1", NULL }, .build = build_lpips_vgg,
};
const arch arch_lpips_alex = {
    .name = "lpips-alex", .doc = "LPIPS on AlexNet", .probe = "net.slice1.0.weight features.0.weight",
    .meta = (const char *const[]) { "task", "perceptual", "image.range", "-1..1", NULL }, .build = build_lpips_alex,
};
const arch arch_vgg16_lpips = {
    .name = "vgg16-lpips", .doc = "VGG-16 with LPIPS' weights as one vector (StyleGAN2's projector)",
    .probe = "layers.conv1.weight features.0.weight net.slice1.0.weight conv1_1.weight",
    .meta = (const char *const[]) { "task", "perceptual", "image.range", "0..255", NULL }, .build = build_vector,
};
