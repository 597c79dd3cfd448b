// SPDX-License-Identifier: MIT
// Editing pictures: filling holes, and measuring how well that went.
#ifndef WEFT_EDIT_H
#define WEFT_EDIT_H

#include <weft/image.h>
#include <weft/session.h>

#ifdef __cplusplus
extern "C" {
#endif

// --- Holes. ----------------------------------------------------------------------------------------------------
// A mask is a picture of any size; it is stretched to the photo by nearest neighbour. Its brightness (the mean of
// its colours, alpha left aside) counts as white above 127 of 255.

typedef enum weft_mask_mode {
    WEFT_MASK_HOLE,  // white is filled
    WEFT_MASK_KEEP,  // white is kept, the rest is filled
    WEFT_MASK_ALPHA, // where the mask's alpha is 127 of 255 or less is filled; filled pixels become opaque
} weft_mask_mode;

// --- Inpainting. -----------------------------------------------------------------------------------------------
// What an inpainting model must be, told by its ports and its metadata:
//
//   ports      one entry with an input [1, c, h, w] for the picture, an input [1, 1 or 3, h, w] for the mask, and an
//              output [1, 3 or 1, h, w]. They are called `image`, `mask` and `output`, or as the keys `port.image`,
//              `port.mask` and `port.output` say. A model without a mask input gets the mask as a plane (below).
//              h and w are named dimensions, or numbers: then it works on windows of exactly that size.
//   task           inpaint
//   image.range    -1..1 (default), 0..1 or 0..255: what black and white are to the model
//   image.mean, image.std   three numbers with commas: (x - mean) / std after image.range
//   image.planes   what the channels of the picture input are, joined by commas: `image` (3 or 1 channels), `one` (a plane of ones),
//                  `mask`. Default: image. DeepFill has image,one,mask.
//   image.hole     what the picture input holds inside the hole, in the model's numbers, or `keep`. Default: 0.
//   mask.hole      1 (default) or 0: what the mask input and plane hold inside the hole
//   output.range   default: image.range. The output must be the whole picture; only the hole is used.
typedef struct weft_inpainter weft_inpainter;

enum { WEFT_CONTEXT_AUTO = 0, WEFT_CONTEXT_FULL = -1 };
typedef struct weft_inpaint_params {
    const char *entry;       // of the model; NULL: the first
    weft_precision precision;
    weft_mask_mode mask_mode;
    // How much of the picture the model sees: all of it, a window this many pixels larger than each hole, or
    // (WEFT_CONTEXT_AUTO) all of it if that fits the memory and attention over it does not take most of the time, and
    // otherwise windows of 128 pixels, or as much as fits.
    int context;
    size_t max_bytes;        // memory for one run; 0: three quarters of what the device has
    int radius;              // of Telea's method: pixels looked at, 1 to 64; 0: 4
    int (*progress)(void *user, double done); // as in weft_session_params
    void *progress_user;
} weft_inpaint_params;

// Makes sessions as pictures need them and keeps the last one for pictures of the same size. `dev` and `model` must
// outlive it; both NULL: fills without a model, by fast marching (Telea, 2004). Use from one thread at a time.
WEFT_API weft_result weft_inpainter_create(weft_context *ctx, weft_device *dev, const weft_model *model,
                                           const weft_inpaint_params *params, weft_inpainter **out);
WEFT_API void weft_inpainter_destroy(weft_inpainter **p);

typedef struct weft_inpaint_facts { // of the last run
    int64_t hole_pixels;
    int windows, sessions; // how many the model ran on; how many were made anew
    int64_t session_ns, run_ns;
    weft_session_facts session; // of the last session
} weft_inpaint_facts;

// Gives the photo with its hole filled: same size, depth, alpha and profile; every sample outside the hole is the
// photo's own. Errors: WEFT_ERR_NUMERIC when the model gave NaN, infinity or one flat colour, WEFT_ERR_VRAM when it
// does not fit (the text says what is needed and what there is), WEFT_ERR_ARGUMENT for a model that is not one for
// inpainting, WEFT_ERR_CANCELLED. A mask without a hole gives a copy. facts: NULL or filled.
WEFT_API weft_result weft_inpainter_run(weft_inpainter *p, const weft_image *photo, const weft_image *mask,
                                        weft_image **out, weft_inpaint_facts *facts);

// One picture, all in one.
WEFT_API weft_result weft_inpaint(weft_context *ctx, weft_device *dev, const weft_model *model,
                                  const weft_inpaint_params *params, const weft_image *photo, const weft_image *mask,
                                  weft_image **out);

// --- Metrics. --------------------------------------------------------------------------------------------------

typedef struct weft_metrics { // of values scaled to 0..1, over all colour channels; alpha is left aside
    int64_t pixels;
    double l1_percent; // 100 x mean |a - b|
    double l2_percent; // 100 x mean (a - b)^2
    double psnr_db;    // -10 log10 of mean (a - b)^2; infinity for equal pictures
    double ssim;       // Wang et al. 2004: Gaussian window of 11x11, sigma 1.5, K1 0.01, K2 0.03, mean over channels
} weft_metrics;

// Compares pictures of one size; depths may differ, and a grey one stands for three equal colours. `all`: the whole
// picture, with SSIM over the pixels whose window lies inside it (all pixels, where none does). `hole`: only the
// hole of `mask`, with SSIM over its pixels and windows mirrored at the picture's border. mask and hole may be NULL.
WEFT_API weft_result weft_compare(const weft_image *a, const weft_image *b, const weft_image *mask,
                                  weft_mask_mode mask_mode, weft_metrics *all, weft_metrics *hole);

// --- Stitching. ------------------------------------------------------------------------------------------------
// Puts an edited region back into the photo it was taken from.

typedef enum weft_blend {
    WEFT_BLEND_ALPHA,   // a weighted mean; the mask's greys are soft, and `feather` makes a ramp at its border
    WEFT_BLEND_POISSON, // the edit's gradients between the photo's borders: Perez, Gangnet, Blake 2003, eq. 7 and 11
    WEFT_BLEND_MIXED,   // the same with the larger of the photo's and the edit's gradient at each place, eq. 12
} weft_blend;

typedef struct weft_region { int x, y, width, height; } weft_region; // of a photo, in pixels

typedef struct weft_stitch_params {
    weft_blend blend;
    weft_mask_mode mask_mode; // with a hole meaning: shows the edit
    double feather;           // of alpha blending: the ramp's width in pixels, inside the mask
    weft_region region;       // where in the photo the edit belongs; width 0: all of it
    double tolerance;         // of Poisson blending: of the residual's length; 0: 1e-9
} weft_stitch_params;
typedef struct weft_stitch_facts {
    int64_t pixels; // that show the edit
    int iterations; // of the solver, over all colours
} weft_stitch_facts;

// Gives the photo with the edit where the mask says: size, depth, colours and alpha are the photo's, and so is every sample outside
// the mask. The edit is resized to the region. facts: NULL or filled. Errors: WEFT_ERR_ARGUMENT for a region that is not in the photo
// and for Poisson blending without a border.
WEFT_API weft_result weft_stitch(const weft_image *photo, const weft_image *edit, const weft_image *mask, const weft_stitch_params *params,
                                 weft_image **out, weft_stitch_facts *facts);

#ifdef __cplusplus
}
#endif
#endif // WEFT_EDIT_H
