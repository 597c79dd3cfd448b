// SPDX-License-Identifier: MIT
// The library in a few lines: fill the hole of a picture.   hello MODEL PHOTO MASK OUT
#include <stdio.h>
#include <weft/edit.h>

int main(int argc, char **argv)
{
    weft_context *ctx = NULL;
    weft_device *device = NULL;
    weft_model *model = NULL;
    weft_image *photo = NULL, *mask = NULL, *filled = NULL;
    if (argc != 5) return fprintf(stderr, "usage: hello MODEL PHOTO MASK OUT\n"), 2;

    weft_result r = weft_context_create(NULL, &ctx);
    if (r == WEFT_OK) r = weft_device_open(ctx, NULL, &device); // a GPU if there is one
    if (r == WEFT_OK) r = weft_model_load(ctx, argv[1], &model);
    if (r == WEFT_OK) r = weft_image_load(ctx, argv[2], &photo);
    if (r == WEFT_OK) r = weft_image_load(ctx, argv[3], &mask);
    if (r == WEFT_OK) r = weft_inpaint(ctx, device, model, NULL, photo, mask, &filled);
    if (r == WEFT_OK) r = weft_image_save(filled, argv[4], NULL);
    if (r != WEFT_OK) fprintf(stderr, "hello: %s\n", weft_error_text());

    weft_image_destroy(&filled);
    weft_image_destroy(&mask);
    weft_image_destroy(&photo);
    weft_model_destroy(&model);
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return r != WEFT_OK;
}
