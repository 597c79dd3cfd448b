// SPDX-License-Identifier: MIT
// What an inversion makes small, as options say it: terms with weights, and the files of the networks they need.
#pragma once
#include "npy.h"
#include <weft/invert.h>

typedef struct loss_options {
    text_list losses;
    const char *lpips, *perceptual, *style, *identity, *clip; // files
    const char *perceptual_taps, *style_taps, *clip_target, *clip_tokens;
    int pyramid, size;
} loss_options;
#define LOSS_OPTIONS(T)                                                                                                                       \
    { "loss", 'l', OPTION_LIST, "NAME[=WEIGHT]", offsetof(T, loss.losses),                                                                     \
      "a term: l1, l2, smooth-l1, charbonnier, tv, perceptual, style, lpips, identity, clip, latent-mean, latent-l2, latent-spread; may be given again. " \
      "Default: each network that is given, or l1=0.5 and l2=0.5 of the pixels where none is" },                                              \
    { "lpips", 0, OPTION_TEXT, "MODEL", offsetof(T, loss.lpips), "network of lpips: `weft import` with --arch lpips-alex, lpips-vgg or vgg16-lpips (the projector's)" }, \
    { "perceptual", 0, OPTION_TEXT, "MODEL", offsetof(T, loss.perceptual), "network of perceptual: --arch vgg16 or vgg19" },                    \
    { "perceptual-taps", 0, OPTION_TEXT, "NAMES", offsetof(T, loss.perceptual_taps), "its layers; default relu1_2,relu2_2,relu3_3,relu4_3" }, \
    { "style", 0, OPTION_TEXT, "MODEL", offsetof(T, loss.style), "network of style (Gram matrices): --arch vgg16 or vgg19" },                  \
    { "style-taps", 0, OPTION_TEXT, "NAMES", offsetof(T, loss.style_taps), "its layers, as above" },                                           \
    { "identity", 0, OPTION_TEXT, "MODEL", offsetof(T, loss.identity), "network of identity: --arch arcface-irse50" },                         \
    { "clip", 0, OPTION_TEXT, "MODEL", offsetof(T, loss.clip), "network of clip: --arch clip-vit-b32 or clip-rn50" },                          \
    { "clip-target", 0, OPTION_TEXT, "FILE.npy", offsetof(T, loss.clip_target), "clip: the embedding to come close to; default: the photo's own" }, \
    { "clip-tokens", 0, OPTION_TEXT, "FILE.npy", offsetof(T, loss.clip_tokens), "clip: the tokens [77] of a sentence to come close to" },     \
    { "pyramid", 0, OPTION_INT, "LEVELS", offsetof(T, loss.pyramid), "sizes at which pixels are compared, each half of the one before; default: l1 at the full size, others down to 8 pixels", 1, 16 }, \
    { "loss-size", 0, OPTION_INT, "PIXELS", offsetof(T, loss.size), "networks see pictures of at most this side; default 256", 16, 8192 }

enum { LOSSES_MOST = 32, TAPS_MOST = 16, NETWORKS_MOST = 5 };
typedef struct loss_set {
    weft_loss losses[LOSSES_MOST];
    int count;
    weft_model *networks[NETWORKS_MOST];
    char *words[2];                         // the lists of taps, cut up
    const char *taps[2][TAPS_MOST];
    int tap_count[2];
    float *embedding;
    size_t embedding_count;
} loss_set;

// `dev` turns tokens into an embedding. CODE_OK or an exit code, with the failure printed; loss_set_free in any case.
int loss_set_make(const call *c, const loss_options *o, weft_device *dev, loss_set *out);
void loss_set_free(loss_set *s);
