// SPDX-License-Identifier: MIT
// Pictures from generators: latents from seeds, mapping, truncation, synthesis.
//
// What a generator is, told by its entries and metadata (`n` is a named dimension; every entry but the first may be missing):
//
//   synthesis          ws [n, layers, w] -> image [n, 1 or 3, height, width], with the checkpoint's own noise
//   synthesis_noise    the same with an input per noise map after ws, each [h, w] and shared by the batch
//   synthesis_none     the same without noise
//   mapping            z [n, z] and, with classes, c [n, classes] -> ws [n, layers, w]
//   average            no inputs -> the mean of w, [w] or [layers, w]: what truncation goes towards
//   styles             ws -> what the modulated layers get, an output [n, channels] for each
//   synthesis_styles   those, in order -> image
//   task           generate (or not said)
//   image.range    -1..1 (default), or another: what black and white are
//   generator.layers, .w, .z, .classes, .size   where they are said, they must agree with the ports
#ifndef WEFT_GENERATE_H
#define WEFT_GENERATE_H

#include <weft/image.h>
#include <weft/random.h>
#include <weft/session.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_generator weft_generator;

typedef struct weft_generator_params {
    weft_precision precision;
    int batch;         // pictures per run, at most; 0: 1. A model with a fixed n takes that
    size_t max_bytes;  // memory for one run; 0: no limit
    int (*progress)(void *user, double done); // as in weft_session_params
    void *progress_user;
} weft_generator_params;

typedef struct weft_generator_info {
    int z, classes;      // numbers of a z; classes (0: not conditional). z is 0 without a mapping
    int layers, w;       // a latent "ws" is [layers, w]: one w, often the same, for each layer
    int channels, height, width;
    int noise_count;     // noise maps; 0: the model does not take any
    int style_count;     // modulated layers; 0: the model does not give styles
    int style_numbers;   // of all layers together
    int has_none, has_average; // it can go without noise; it has a mean
} weft_generator_info;

// Checks the model's entries and makes sessions when they are first needed. `dev` and `model` must outlive it. Use from one
// thread at a time. Errors: WEFT_ERR_ARGUMENT for a model that is no generator, WEFT_ERR_FORMAT for one that contradicts itself.
WEFT_API weft_result weft_generator_create(weft_context *ctx, weft_device *dev, const weft_model *model,
                                           const weft_generator_params *params, weft_generator **out);
WEFT_API void weft_generator_destroy(weft_generator **g);
WEFT_API const weft_generator_info *weft_generator_get_info(const weft_generator *g);

// --- Latents. --------------------------------------------------------------------------------------------------

// The z of a seed as published programs have it: RandomState(seed).randn(1, z).
WEFT_API void weft_generator_seed(const weft_generator *g, uint32_t seed, float *z);

// z [count, z] -> ws [count, layers, w], not truncated. classes: of each, or NULL where the generator has none.
WEFT_API weft_result weft_generator_map(weft_generator *g, int count, const float *z, const int *classes, float *ws);

// The mean of w, as [layers, w]. WEFT_ERR_UNSUPPORTED where the model has none.
WEFT_API weft_result weft_generator_average(weft_generator *g, float *ws);

// Moves the first `cutoff` layers (negative: all) of ws [count, layers, w] to mean + psi (ws - mean). psi 1 changes nothing.
WEFT_API weft_result weft_generator_truncate(weft_generator *g, int count, float *ws, double psi, int cutoff);

// --- Pictures. -------------------------------------------------------------------------------------------------

typedef enum weft_noise_mode {
    WEFT_NOISE_CONST,  // as the checkpoint has it
    WEFT_NOISE_RANDOM, // drawn from `random`, picture after picture, map after map
    WEFT_NOISE_NONE,
    WEFT_NOISE_MAPS,   // `maps`, in the order of the entry's inputs, for all pictures
} weft_noise_mode;
typedef struct weft_noise {
    weft_noise_mode mode;
    weft_random_state *random; // moves on
    const float *const *maps;
} weft_noise;
// Name and size of noise map `index`; false past the end.
WEFT_API int weft_generator_noise(const weft_generator *g, int index, const char **name, int *height, int *width);

// ws [count, layers, w] -> image [count, channels, height, width] in the model's range. noise NULL: constant.
// Errors: WEFT_ERR_UNSUPPORTED where the model has no entry for that noise, WEFT_ERR_VRAM, WEFT_ERR_CANCELLED.
WEFT_API weft_result weft_generator_run(weft_generator *g, int count, const float *ws, const weft_noise *noise, float *image);

// Styles are kept layer after layer, each as [count, channels]: count * style_numbers numbers.
// Name and channels of layer `index`; false past the end.
WEFT_API int weft_generator_style(const weft_generator *g, int index, const char **name, int *channels);
WEFT_API weft_result weft_generator_styles(weft_generator *g, int count, const float *ws, float *styles);
WEFT_API weft_result weft_generator_run_styles(weft_generator *g, int count, const float *styles, float *image);

// One picture [channels, height, width] as an image of 8 or 16 bits. 8 bits are as in published programs: x * 127.5 + 128, cut
// to 0 ... 255, the fraction dropped; 16 bits are x * 32767.5 + 32768 likewise. WEFT_ERR_NUMERIC for NaN and infinity.
WEFT_API weft_result weft_generator_picture(const weft_generator *g, const float *image, int bits, weft_image **out);

#ifdef __cplusplus
}
#endif
#endif // WEFT_GENERATE_H
