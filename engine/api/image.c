// SPDX-License-Identifier: MIT
// Bodies of <weft/image.h>.
#include "edit/image.h"

weft_result weft_image_create(weft_context *ctx, int width, int height, int channels, int bits, weft_image **out)
{
    if (!ctx || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_create: an argument is NULL");
    if (channels < 1 || channels > 4) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_create: %d channels, not 1 to 4", channels);
    if (bits != 8 && bits != 16) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_create: %d bits, not 8 or 16", bits);
    if (width < 1 || height < 1 || weft_image_check_size((uint64_t) width, (uint64_t) height) != WEFT_OK)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_create: a size of %d x %d", width, height);
    return weft_image_new(ctx, width, height, channels, bits, out);
}

weft_result weft_image_copy(const weft_image *image, weft_image **out)
{
    if (!image || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_copy: an argument is NULL");
    return weft_image_duplicate(image, out);
}

weft_result weft_image_resize(const weft_image *image, int width, int height, weft_image **out)
{
    if (!image || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_resize: an argument is NULL");
    if (width < 1 || height < 1 || weft_image_check_size((uint64_t) width, (uint64_t) height) != WEFT_OK)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_resize: a size of %d x %d", width, height);
    return weft_image_scale(image, width, height, out);
}

weft_result weft_image_crop(const weft_image *image, int x, int y, int width, int height, weft_image **out)
{
    if (!image || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_crop: an argument is NULL");
    if (width < 1 || height < 1 || x < 0 || y < 0 || width > image->info.width - x || height > image->info.height - y)
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_crop: %d x %d at %d, %d is not inside %d x %d", width, height, x, y, image->info.width, image->info.height);
    return weft_image_part(image, x, y, width, height, out);
}

void weft_image_destroy(weft_image **image)
{
    if (!image) return;
    weft_image_free(*image);
    *image = NULL;
}

const weft_image_info *weft_image_get_info(const weft_image *image) { return &image->info; }
void *weft_image_data(weft_image *image) { return image->data; }
const void *weft_image_view(const weft_image *image) { return image->data; }

weft_result weft_image_load_memory(weft_context *ctx, const void *data, size_t bytes, const char *name, weft_image **out)
{
    if (!ctx || (!data && bytes) || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_load_memory: an argument is NULL");
    const weft_result r = weft_image_decode(ctx, data, bytes, out);
    return r == WEFT_OK ? r : weft_fail_prefix(r, "%s: ", name ? name : "memory");
}

weft_result weft_image_load(weft_context *ctx, const char *path, weft_image **out)
{
    if (!ctx || !path || !out) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_load: an argument is NULL");
    weft_mapping map;
    WEFT_TRY(weft_file_map(path, &map));
    const weft_result r = weft_image_load_memory(ctx, map.data, map.bytes, path, out);
    weft_file_unmap(&map);
    return r;
}

weft_result weft_image_save(const weft_image *image, const char *path, const weft_image_save_params *params)
{
    if (!image || !path) return weft_fail(WEFT_ERR_ARGUMENT, "weft_image_save: an argument is NULL");
    return weft_image_encode(image, path, params);
}
