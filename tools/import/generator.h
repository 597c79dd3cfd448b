// SPDX-License-Identifier: MIT
// The entries of a style-based generator, whoever named its tensors. An architecture says how latents become styles and styles an
// image; what follows from that - one entry per way to call it - is here, with the layers that StyleGAN and StyleGAN2 share.
#pragma once
#include "import/net.h"

enum { GENERATOR_LAYERS = 40, GENERATOR_NAME = 64 }; // 1024 pixels have 26 modulated layers and 18 noise maps

typedef struct generator generator;
struct generator {
    net *n;
    int64_t z, w, classes; // of the latents; classes 0: unconditional
    int64_t layers, size;  // of ws [n, layers, w]; of the image
    int modulated, maps;
    struct { char name[GENERATOR_NAME]; int ws; int64_t channels; } layer[GENERATOR_LAYERS]; // in order: which latent it takes, numbers of its style
    struct { char name[GENERATOR_NAME]; int64_t size; bool made; } map[GENERATOR_LAYERS];
    bool has_styles;                                                       // styles are vectors per channel: entries of their own
    void *user;                                                            // the architecture's

    weft_value (*mapping)(generator *g, weft_value z, weft_value c);       // w [n, w]; NULL: the checkpoint has none. z or c may be none
    weft_value (*style)(generator *g, int layer, weft_value w);            // [n, ..] from w [n, w]
    weft_value (*noise)(generator *g, int map);                            // the constant, [.., size, size]; NULL: `fixed_noise`
    weft_value (*synthesis)(generator *g, const weft_value *styles, const weft_value *noise); // noise: [1, 1, h, w] each, or NULL
    weft_value (*average)(generator *g);                                   // NULL: the checkpoint has none
    weft_value (*discriminator)(generator *g, weft_value image, weft_value c); // logits [n, 1]; NULL: none
    int64_t colours, discriminator_classes;                                // of the image; 0: unconditional
};

void generator_layer(generator *g, const char *name, int ws, int64_t channels);
void generator_map(generator *g, const char *name, int64_t size);
void generator_build(generator *g);

// --- Layers. ----------------------------------------------------------------------------------------------------

weft_value shaped(net *n, weft_value x, int rank, const double *shape); // 0: as it is, one -1: the rest
#define SHAPED(n, x, ...) shaped(n, x, (int) (sizeof((double[]){ __VA_ARGS__ }) / sizeof(double)), (double[]){ __VA_ARGS__ })
weft_value whole(net *n, const char *name);             // a weight in whatever shape the checkpoint has it
weft_value batch_of(net *n, weft_value one, weft_value like); // one [1, c, h, w] for every row of like [n, c]

// x times gain * weight plus bias_gain * bias; act: then leaky_relu of slope 0.2 and the root of two.
typedef struct linear_gains { double weight, bias; bool act; } linear_gains;
weft_value scaled_linear(net *n, const char *weight, const char *bias, weft_value x, linear_gains gain);

weft_value fir(net *n, const char *name); // a filter as [fh, fw], also where only one row of a separable one is stored
// The filter NAME over x: to twice the size, to half of it, or (SMOOTH) what comes before a convolution of stride 2; `pad` more zeros
// on every side for a convolution that follows.
enum { UP, DOWN, SMOOTH };
weft_value resampled(net *n, weft_value x, const char *name, int how, int pad, double gain);

// --- Layers of the first StyleGAN. -------------------------------------------------------------------------------

// Twice the size and a 3x3 convolution: nearest neighbour, then w [co, ci, 3, 3]; fused, w [ci, co, 3, 3]: one transposed convolution
// whose 4x4 weights are sums of w over boxes, times `gain`.
weft_value doubled_conv(net *n, weft_value x, weft_value w, weft_value bias, bool fused, double gain);
// Noise times strength [1, c, 1, 1] added, leaky_relu, instance norm, scale and shift from style [n, 2c]; the scale counts from `one`.
weft_value style_epilogue(net *n, weft_value x, weft_value noise, weft_value strength, weft_value style, double one);
