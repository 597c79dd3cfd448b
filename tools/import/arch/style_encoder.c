// SPDX-License-Identifier: MIT
// Encoders of pictures into StyleGAN's W+: pSp (Richardson et al., Encoding in Style, 2020), e4e (Tov et al., Designing an
// Encoder for StyleGAN Image Manipulation, 2021), and ReStyle's simpler forms of both (Alaluf et al. 2021), whose picture
// has six channels: the picture itself and what was made of it so far.
#include "import/arch/irse.h"
#include <math.h>

enum { LEVELS = 3 }; // of the pyramid: stages 4, 3 and 2 of the trunk, of 1/16, 1/8 and 1/4 of the size

// A style's convolutions halve a level down to one pixel, so their count tells the level.
static int convolutions(net *n, int style)
{
    int count = 0;
    while (has(n, path(n, "styles.%d.convs.%d.weight", style, 2 * count))) count++;
    return count;
}

static int styles(net *n)
{
    int count = 0;
    while (has(n, path(n, "styles.%d.convs.0.weight", count))) count++;
    return count;
}

// A code [n, 1, width] from one level.
static weft_value style(net *n, int i, weft_value x)
{
    int64_t c = length(n, path(n, "styles.%d.convs.0.weight", i), 1);
    for (int k = 0, count = convolutions(n, i); k < count; k++) {
        const int64_t out = length(n, path(n, "styles.%d.convs.%d.weight", i, 2 * k), 0);
        x = leaky_relu(n, conv(n, path(n, "styles.%d.convs.%d", i, 2 * k), x, (int) c, (int) out, 3, .stride = 2), 0.01);
        c = out;
    }
    const int64_t width = length(n, path(n, "styles.%d.linear.weight", i), 0);
    const weft_value w = weight(n, path(n, "styles.%d.linear.weight", i), (weft_shape) WEFT_SHAPE(width, c));
    const weft_value b = weight(n, path(n, "styles.%d.linear.bias", i), (weft_shape) WEFT_SHAPE(width));
    weft_build_name(n->b, path(n, "styles.%d.linear", i));
    x = OPA(n, "reshape", x, WEFT_NUM("shape", 0, (double) c)); // fits where one pixel is left
    x = op(n, "linear", (weft_value[]) { x, scaled(n, w, 1 / sqrt((double) c)), b }, 3, NULL, 0);
    return OPA(n, "reshape", x, WEFT_NUM("shape", 0, 1, (double) width));
}

// The level above, enlarged, plus a stage of the trunk through `name`.
static weft_value lateral(net *n, const char *name, weft_value above, irse_stage stage, int channels)
{
    const weft_value y = conv(n, name, stage.x, stage.channels, channels, 1, 0);
    const weft_value large = op(n, "resize", (weft_value[]) { above, y }, 2,
                                (const weft_attr_arg[]) { WEFT_TEXT("mode", "bilinear"), WEFT_TEXT("coordinates", "align_corners") }, 2);
    return add(n, large, y);
}

static weft_value encode(net *n, bool offsets)
{
    enum { MOST = 32 };
    const int count = styles(n), coarse = convolutions(n, 0);
    const int64_t size = (int64_t) 16 << coarse;
    irse_stage stage[IRSE_STAGES];
    weft_value level[LEVELS], codes[MOST];
    const weft_value image = input(n, "image", dim(n, "n", 1, 1), length(n, "input_layer.0.weight", 1), size, size);
    if (irse_trunk(n, image, stage) < 4) net_fail(n, WEFT_ERR_FORMAT, "the trunk has less than four stages");
    if (count > MOST) net_fail(n, WEFT_ERR_UNSUPPORTED, "more than %d styles", MOST);
    if (n->failed) return WEFT_NONE;
    level[0] = stage[3].x;
    if (has(n, "latlayer1.weight")) level[1] = lateral(n, "latlayer1", level[0], stage[2], stage[3].channels);
    if (has(n, "latlayer2.weight")) level[2] = lateral(n, "latlayer2", level[1], stage[1], stage[3].channels);
    for (int i = 0; i < count; i++) {
        const int above = convolutions(n, i) - coarse;
        const bool there = above == 0 || (above > 0 && above < LEVELS && has(n, path(n, "latlayer%d.weight", above)));
        if (!there) net_fail(n, WEFT_ERR_FORMAT, "'%sstyles.%d' has %d convolutions: there is no level for it", n->prefix, i, coarse + above);
        if (n->failed) return WEFT_NONE;
        codes[i] = style(n, i, level[above]);
        if (offsets && i) codes[i] = add(n, codes[0], codes[i]);
    }
    weft_build_name(n->b, "codes");
    return op(n, "concat", codes, count, (const weft_attr_arg[]) { WEFT_NUM("axis", 1) }, 1);
}

// Where the mean of the latent space is, which codes are differences from: with the encoder, or beside it. NULL: nowhere.
static const char *average_prefix(net *n)
{
    const char *own = n->prefix;
    if (has(n, "latent_avg")) return own;
    n->prefix = "";
    const bool beside = has(n, "latent_avg");
    n->prefix = own;
    return beside ? "" : NULL;
}

static weft_value average(net *n, const char *prefix, int64_t width)
{
    const char *own = n->prefix;
    n->prefix = prefix;
    weft_shape shape = WEFT_SHAPE(width);
    if (rank_of(n, "latent_avg") > 1) shape = (weft_shape) WEFT_SHAPE(length(n, "latent_avg", 0), width);
    const weft_value mean = weight(n, "latent_avg", shape);
    n->prefix = own;
    return mean;
}

static void build(net *n, bool offsets)
{
    const char *prefix = average_prefix(n);
    weft_build_meta(n->b, "image.size", path(n, "%d", 16 << convolutions(n, 0)));
    entry(n, "main");
    output(n, "codes", encode(n, offsets));
    if (!prefix) return;
    entry(n, "encode");
    const weft_value codes = encode(n, offsets);
    output(n, "codes", add(n, codes, average(n, prefix, length(n, "styles.0.linear.weight", 0))));
}

static void build_e4e(net *n) { build(n, true); }
static void build_psp(net *n) { build(n, false); }

static const char *const meta[] = { "task", "encoder", "image.range", "-1..1", NULL };
const arch arch_e4e = {
    .name = "e4e", .doc = "e4e, an encoder into W+: a code and differences from it (Tov et al. 2021)", .probe = "styles.0.convs.0.weight",
    .meta = meta, .build = build_e4e,
};
const arch arch_psp = {
    .name = "psp", .doc = "pSp, an encoder into W+ (Richardson et al. 2020), also ReStyle's", .probe = "styles.0.convs.0.weight",
    .meta = meta, .build = build_psp,
};
