// SPDX-License-Identifier: MIT
// VGG-16 and VGG-19. Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014.
// Their activations make perceptual and style losses.
#include "import/arch/vgg.h"

typedef struct layers { int convs[VGG_TAPS], pool, pooled; } layers; // pooled: how many stages end with a pooling, if it is not the last
static const layers nets[] = {
    [VGG16] = { { 2, 2, 3, 3, 3 }, 2, 5 },
    [VGG19] = { { 2, 2, 4, 4, 4 }, 2, 5 },
    [ALEX] = { { 1, 1, 1, 1, 1 }, 3, 2 },
};

// Where a layer stands in each naming: stage and place in it from 1, number among all convolutions from 1, and place in
// torchvision's list, in which activations and poolings count.
typedef struct place { int stage, conv, number, item; } place;
static const char *name_of(net *n, place p)
{
    const char *const names[] = {
        path(n, "features.%d", p.item), path(n, "net.slice%d.%d", p.stage, p.item), path(n, "layers.conv%d", p.number),
        path(n, "conv%d_%d", p.stage, p.conv),
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has(n, path(n, "%s.weight", names[i]))) return names[i];
    return names[0]; // whose absence is then told
}

static weft_value convolve(net *n, vgg_net which, place p, weft_value x, int64_t *channels)
{
    const char *name = name_of(n, p), *w = path(n, "%s.weight", name);
    const int in = (int) length(n, w, 1), out = (int) length(n, w, 0), kernel = (int) length(n, w, 2), pad = kernel / 2;
    *channels = out;
    if (which == ALEX && p.number == 1) return conv(n, name, x, in, out, kernel, .stride = 4, .pads = { 2, 2, 2, 2 });
    return conv(n, name, x, in, out, kernel, .pads = { pad, pad, pad, pad });
}

void vgg(net *n, vgg_net which, weft_value x, bool every, vgg_tap taps[VGG_TAPS])
{
    const layers *l = &nets[which];
    place p = { 1, 1, 1, 0 };
    for (; p.stage <= VGG_TAPS; p.stage++) {
        vgg_tap *tap = &taps[p.stage - 1];
        for (p.conv = 1; p.conv <= l->convs[p.stage - 1]; p.conv++, p.number++, p.item += 2) {
            x = tap->x = relu(n, convolve(n, which, p, x, &tap->channels));
            if (every) output(n, path(n, "relu%d_%d", p.stage, p.conv), x);
        }
        if (p.stage > l->pooled || (p.stage == VGG_TAPS && !every)) continue;
        x = OPA(n, "max_pool2d", x, WEFT_NUM("kernel", l->pool), WEFT_NUM("stride", 2));
        p.item++;
        if (every) output(n, path(n, "pool%d", p.stage), x);
    }
}

static weft_value picture(net *n) { return input(n, "image", dim(n, "n", 1, 1), 3, dim(n, "h", 224, 1), dim(n, "w", 224, 1)); }

static void build(net *n, vgg_net which)
{
    vgg_tap taps[VGG_TAPS];
    const bool nvidia = has(n, "layers.fc1.weight");
    const char *const fc[] = { nvidia ? "layers.fc1" : "classifier.0", nvidia ? "layers.fc2" : "classifier.3", nvidia ? "layers.fc3" : "classifier.6" };
    entry(n, "features");
    vgg(n, which, picture(n), true, taps);
    if (!has(n, path(n, "%s.weight", fc[0]))) return;
    entry(n, "classifier");
    vgg(n, which, picture(n), false, taps);
    const int64_t c = taps[VGG_TAPS - 1].channels, flat = length(n, path(n, "%s.weight", fc[0]), 1);
    int64_t side = 1;
    while (side * side * c < flat) side++;
    weft_value x = OPA(n, "max_pool2d", taps[VGG_TAPS - 1].x, WEFT_NUM("kernel", 2), WEFT_NUM("stride", 2));
    x = OP1(n, "flatten", OPA(n, "adaptive_avg_pool2d", x, WEFT_NUM("size", (double) side)));
    for (int i = 0; i < 3; i++) {
        const int64_t out = length(n, path(n, "%s.weight", fc[i]), 0), in = length(n, path(n, "%s.weight", fc[i]), 1);
        x = linear(n, fc[i], x, (int) in, (int) out);
        if (i < 2) x = relu(n, x);
    }
    output(n, "logits", x);
}

static void build_vgg16(net *n) { build(n, VGG16); }
static void build_vgg19(net *n) { build(n, VGG19); }

#define PROBE "features.0.weight net.slice1.0.weight layers.conv1.weight conv1_1.weight"
static const char *const meta[] = { "task", "perceptual", "image.range", "0..1", "image.mean", "0.485,0.456,0.406", "image.std", "0.229,0.224,0.225", NULL };
const arch arch_vgg16 = { .name = "vgg16", .doc = "VGG-16, every activation (Simonyan and Zisserman 2014)", .probe = PROBE, .meta = meta, .build = build_vgg16 };
const arch arch_vgg19 = { .name = "vgg19", .doc = "VGG-19, every activation", .probe = PROBE, .meta = meta, .build = build_vgg19 };
