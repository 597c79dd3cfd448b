// SPDX-License-Identifier: MIT
// Inversion: the latents with which a generator makes a given picture, found by gradient descent. What one step does -
// generator, losses, backward pass, optimiser - is one recorded graph; the latents stay on the device.
#ifndef WEFT_INVERT_H
#define WEFT_INVERT_H

#include <weft/edit.h>
#include <weft/generate.h>

#ifdef __cplusplus
extern "C" {
#endif

// A generator is what <weft/generate.h> says it is. Needed are `synthesis` and, for the mean latent, `mapping` or `average`; for space z
// `mapping`, for space s `styles`, `synthesis_styles` and `mapping`, for other noise than the checkpoint's synthesis_noise or synthesis_none.

typedef enum weft_space {
    WEFT_SPACE_WPLUS, // a w of its own for every layer
    WEFT_SPACE_W,     // one w for all
    WEFT_SPACE_Z,
    WEFT_SPACE_S,     // the styles of the modulated layers
} weft_space;

typedef enum weft_maps { // the generator's noise maps
    WEFT_MAPS_CONST,    // as the checkpoint has them
    WEFT_MAPS_NONE,
    WEFT_MAPS_OPTIMIZE, // they are found too, and made of mean 0 and variance 1 after every step
} weft_maps;

// --- What is made small: a weighted sum of terms. ----------------------------------------------------------------
// Pictures are compared in -1..1 at the generator's size. Networks see them as their metadata say (image.range,
// image.mean, image.std, image.size), made smaller to at most `most` pixels a side where they do not fix the size.

typedef enum weft_loss_kind {
    // Of the pixels, on a pyramid of `levels` (0: until a side is 8) pictures, each half as large; the mean over the levels.
    WEFT_LOSS_L1, WEFT_LOSS_L2, WEFT_LOSS_SMOOTH_L1, WEFT_LOSS_CHARBONNIER,
    WEFT_LOSS_TOTAL_VARIATION, // of the picture that is made
    // Of networks' features at `taps` (outputs of the entry "features"; none: relu1_2, relu2_2, relu3_3 and relu4_3).
    WEFT_LOSS_PERCEPTUAL,      // sum over taps of the mean squared difference
    WEFT_LOSS_STYLE,           // sum over taps of the squared differences of Gram matrices
    WEFT_LOSS_LPIPS,           // an LPIPS model: squared differences of all its features, summed
    WEFT_LOSS_IDENTITY,        // 1 - cosine of face embeddings: cut to [35:223, 32:220] of 256, and shrunk to 112
    WEFT_LOSS_CLIP,            // 1 - cosine with `embedding`; without one, with that of the photo
    // Of the latents.
    WEFT_LOSS_LATENT_MEAN,     // mean of ((w - mean) / std)^2, ChunkyGAN's form; std is one number
    WEFT_LOSS_LATENT_L2,       // mean of (w - mean)^2
    WEFT_LOSS_LATENT_SPREAD,   // mean of (w_0 - w_i)^2, i > 0: FICE's form; nothing where there is one w
    WEFT_LOSS_NOISE,           // the projector's regularisation of noise maps; comes by itself with WEFT_MAPS_OPTIMIZE
    WEFT_LOSS_KINDS,
} weft_loss_kind;
WEFT_API const char *weft_loss_name(weft_loss_kind kind); // "l2", "lpips", ...; NULL past the end

typedef struct weft_loss {
    weft_loss_kind kind;
    double weight;                 // 0: 1
    int levels;                    // of pixel losses
    double width;                  // beta of smooth l1 (0: 0.1), eps of Charbonnier (0: 0.001)
    const weft_model *model;       // of those with a network; must outlive the inverter
    const char *const *taps;
    int tap_count;
    int most;                      // pixels a side; 0: 256
    const float *embedding;        // CLIP: to come close to, of any length
    size_t embedding_count;
} weft_loss;

// --- How it is done. Defaults are those of StyleGAN2's projector. Where 0 means a default, a negative number means none. ---

typedef struct weft_invert_facts weft_invert_facts;
typedef struct weft_invert_progress {
    int step, steps;        // done so far
    int tuning;             // 1: of the generator's weights
    int loss_count;         // the sum, then the terms as they were given, before their weights
    const char *const *loss_names;
    const float *losses;    // of the last step
    double steps_per_second;
} weft_invert_progress;

typedef struct weft_invert_params {
    weft_space space;
    weft_maps maps;
    weft_precision precision;
    const weft_loss *losses;
    int loss_count;           // 0: L1 and L2 of the pixels, half and half
    int steps;                // 0: 1000
    double rate;              // of Adam, 0: 0.1
    double rampup, rampdown;  // shares of the steps, 0: 0.05 and 0.25
    double latent_noise;      // in standard deviations of w, 0: 0.05
    double latent_noise_ramp; // it has vanished after this share of the steps, 0: 0.75
    double noise_weight;      // of the noise regularisation, 0: 1e5
    double clip_norm;         // of the gradients together, 0: no limit
    int samples;              // for mean and deviation of w, 0: 10000, from RandomState(123)
    uint32_t seed;            // of the noise on the latents
    int class_index;          // of a generator with classes
    double stop_loss;         // stop when the sum falls below it; 0: never
    int patience;             // stop when the sum has not fallen by a thousandth in so many steps; 0: never
    int tune;                 // then so many steps on the generator's own weights (pivotal tuning), 0: none
    double tune_rate;         // 0: 3e-4
    double tune_stop_loss;    // end the tuning when the sum falls below it; 0: never
    int check_every;          // steps between looks at the losses, 0: 25
    int checkpoint_every;     // 0: 100
    int frames;               // of the contact sheet, 0: 16, negative: no sheet
    size_t max_bytes;         // memory for the step; 0: no limit
    int stretch;              // 1: the photo is stretched to the generator's shape; 0: cut at its middle
    // Called at least every `check_every` steps. Non-zero: stop; a checkpoint is written then.
    int (*progress)(void *user, const weft_invert_progress *p);
    void *progress_user;
} weft_invert_params;

typedef struct weft_inverter weft_inverter;
// `dev` and `generator` must outlive it. Sessions are kept for further photos. One thread at a time.
WEFT_API weft_result weft_inverter_create(weft_context *ctx, weft_device *dev, const weft_model *generator,
                                          const weft_invert_params *params, weft_inverter **out);
WEFT_API void weft_inverter_destroy(weft_inverter **p);

// --- One photo. --------------------------------------------------------------------------------------------------

typedef struct weft_array { // f32
    const char *name;
    weft_shape shape;
    const float *data;
} weft_array;

typedef struct weft_invert_job {
    const weft_image *photo;
    const weft_image *mask;          // NULL: all of it counts; otherwise its hole does not
    weft_mask_mode mask_mode;
    int fill;                        // 1: the result is the photo with its hole filled
    // Soft masks of any size: a latent for each, blended by them; where they leave something, the photo stays (ChunkyGAN).
    const weft_image *const *segments;
    int segment_count;               // at most 16
    // Where to start; none: the mean latent. "w" [L, D], [1, D] or [D], with a dimension of segments before that if they differ; "z"
    // [Z]; styles and noise maps by their names. Styles are made of w where there are none.
    const weft_array *start;
    int start_count;
    const weft_model *encoder;       // of task encoder: gives the start
    const char *checkpoint;          // a file that is written now and then, atomically; NULL: none
    int resume;                      // 1: go on from it where it is there; on the same device the result is the same bits
} weft_invert_job;

struct weft_invert_facts {
    int steps, tune_steps;           // done in all, before a resumption too
    int stopped;                     // 1: early, by stop_loss or patience
    int64_t build_ns, run_ns;        // of this run alone
    double steps_per_second;
    size_t bytes;                    // weights, workspace and state of the step
    int dispatches, submissions;     // of a step
    int crop[4];                     // x, y, width, height of the photo's part
};

typedef struct weft_inversion weft_inversion;
// Errors: WEFT_ERR_NUMERIC when a loss is not finite (the text names the step; the last checkpoint stays), WEFT_ERR_CANCELLED,
// WEFT_ERR_ARGUMENT for a generator or network that is not one, WEFT_ERR_VRAM.
WEFT_API weft_result weft_inverter_run(weft_inverter *p, const weft_invert_job *job, weft_inversion **out);
WEFT_API void weft_inversion_destroy(weft_inversion **v);

WEFT_API const weft_invert_facts *weft_inversion_get_facts(const weft_inversion *v);
// As the generator makes it (blended, with segments), at its size; filled: of the photo's size; target: what was aimed at; sheet:
// the picture over time. NULL where there is none.
WEFT_API const weft_image *weft_inversion_image(const weft_inversion *v);
WEFT_API const weft_image *weft_inversion_filled(const weft_inversion *v);
WEFT_API const weft_image *weft_inversion_target(const weft_inversion *v);
WEFT_API const weft_image *weft_inversion_sheet(const weft_inversion *v);
// "w" [segments, L, D] (not for space s), "z", styles, noise maps that were optimised. Gives the count.
WEFT_API int weft_inversion_arrays(const weft_inversion *v, const weft_array **arrays);
// [steps, count] losses, and their names. Gives the steps. Those of tuning come after the others.
WEFT_API int weft_inversion_log(const weft_inversion *v, const char *const **names, int *count, const float **rows);
// The tuned generator; it shares what it can with the other. NULL without tuning.
WEFT_API const weft_model *weft_inversion_generator(const weft_inversion *v);

#ifdef __cplusplus
}
#endif
#endif // WEFT_INVERT_H
