// SPDX-License-Identifier: MIT
// What tools/demo shows: the bundled pictures filled by the bundled model on the best device, figures beside those of
// model-free filling, and one sheet of all of them.   demo MODEL PICTURES OUT
// PICTURES holds NAME.png and NAME.mask.png (white: hole).
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/edit.h>

enum { MOST = 64, GAP = 8 };
typedef struct row { // of the sheet
    char name[128];
    weft_image *photo, *mask, *filled;
} row;

static weft_context *ctx;
static row rows[MOST];
static int row_count;

static void need(weft_result r)
{
    if (r == WEFT_OK) return;
    fprintf(stderr, "demo: %s\n", weft_error_text());
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

// "folder/name" + ending, until the next call.
static const char *path_of(const char *folder, const char *name, const char *ending)
{
    static char path[1024];
    const int n = snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    if (n >= 0 && n < (int) sizeof path) return path;
    fprintf(stderr, "demo: the path of %s is too long\n", name);
    exit(1);
}

static int by_name(const void *a, const void *b) { return strcmp(((const row *) a)->name, ((const row *) b)->name); }

static void load_pictures(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d) {
        fprintf(stderr, "demo: there is no folder %s\n", folder);
        exit(1);
    }
    for (struct dirent *e; row_count < MOST && (e = readdir(d));) {
        const char *end = strstr(e->d_name, ".mask.png");
        if (end && end - e->d_name < (long) sizeof rows->name)
            snprintf(rows[row_count++].name, sizeof rows->name, "%.*s", (int) (end - e->d_name), e->d_name);
    }
    closedir(d);
    qsort(rows, (size_t) row_count, sizeof *rows, by_name);
    for (int i = 0; i < row_count; i++) {
        need(weft_image_load(ctx, path_of(folder, rows[i].name, ".png"), &rows[i].photo));
        need(weft_image_load(ctx, path_of(folder, rows[i].name, ".mask.png"), &rows[i].mask));
    }
}

static weft_metrics measure(const row *r, const weft_image *filled)
{
    weft_metrics hole;
    need(weft_compare(r->photo, filled, r->mask, WEFT_MASK_HOLE, NULL, &hole));
    return hole;
}

static void fill_all(weft_device *device, const weft_model *model, const char *out)
{
    weft_inpainter *with_model, *without;
    weft_metrics sum[2] = { { 0 } };
    need(weft_inpainter_create(ctx, device, model, NULL, &with_model));
    need(weft_inpainter_create(ctx, NULL, NULL, NULL, &without));
    printf("%-14s %9s %8s   %s\n", "picture", "size", "time", "inside the hole: PSNR, SSIM, l1 (fast marching: PSNR, SSIM, l1)");
    for (int i = 0; i < row_count; i++) {
        row *r = &rows[i];
        weft_image *plain;
        const double begin = seconds();
        need(weft_inpainter_run(with_model, r->photo, r->mask, &r->filled, NULL));
        const double took = seconds() - begin;
        need(weft_inpainter_run(without, r->photo, r->mask, &plain, NULL));
        const weft_metrics m[2] = { measure(r, r->filled), measure(r, plain) };
        const weft_image_info *info = weft_image_get_info(r->photo);
        printf("%-14s %4dx%-4d %6.2f s   %5.2f dB  %.3f  %5.2f %%   (%5.2f dB  %.3f  %5.2f %%)\n", r->name, info->width, info->height, took,
               m[0].psnr_db, m[0].ssim, m[0].l1_percent, m[1].psnr_db, m[1].ssim, m[1].l1_percent);
        fflush(stdout);
        for (int k = 0; k < 2; k++) {
            sum[k].psnr_db += m[k].psnr_db / row_count;
            sum[k].ssim += m[k].ssim / row_count;
            sum[k].l1_percent += m[k].l1_percent / row_count;
        }
        need(weft_image_save(r->filled, path_of(out, r->name, ".png"), NULL));
        weft_image_destroy(&plain);
    }
    printf("%-14s %9s %8s   %5.2f dB  %.3f  %5.2f %%   (%5.2f dB  %.3f  %5.2f %%)\n", "mean", "", "", sum[0].psnr_db, sum[0].ssim,
           sum[0].l1_percent, sum[1].psnr_db, sum[1].ssim, sum[1].l1_percent);
    weft_inpainter_destroy(&with_model);
    weft_inpainter_destroy(&without);
}

// One picture on the software driver too: the Vulkan path is shown on every machine.
static void show_vulkan(const weft_model *model)
{
    weft_device *device;
    weft_image *filled;
    if (weft_device_open(ctx, &(weft_device_params) { .name = "vulkan" }, &device) != WEFT_OK) {
        printf("no Vulkan device: %s\n", weft_error_text());
        return;
    }
    const double begin = seconds();
    need(weft_inpaint(ctx, device, model, NULL, rows[0].photo, rows[0].mask, &filled));
    const weft_image_info *info = weft_image_get_info(filled);
    const unsigned char *a = weft_image_view(filled), *b = weft_image_view(rows[0].filled);
    int most = 0;
    for (long i = 0; i < (long) info->width * info->height * info->channels; i++)
        if (abs(a[i] - b[i]) > most) most = abs(a[i] - b[i]);
    printf("the same through Vulkan on %s: '%s' in %.1f s, largest difference %d of 255\n", weft_device_get_info(device)->name, rows[0].name,
           seconds() - begin, most);
    weft_image_destroy(&filled);
    weft_device_destroy(&device);
}

// Puts `from` at (left, top) of the RGB sheet. With a mask: its hole is painted over.
static void paste(weft_image *sheet, int left, int top, const weft_image *from, const weft_image *mask)
{
    const weft_image_info *s = weft_image_get_info(sheet), *f = weft_image_get_info(from);
    const weft_image_info *m = mask ? weft_image_get_info(mask) : NULL;
    unsigned char *to = weft_image_data(sheet);
    const unsigned char *data = weft_image_view(from), *hole = mask ? weft_image_view(mask) : NULL;
    for (int y = 0; y < f->height && top + y < s->height; y++)
        for (int x = 0; x < f->width && left + x < s->width; x++)
            for (int c = 0; c < 3; c++) {
                const int in_hole = m && hole[((long) (y * m->height / f->height) * m->width + x * m->width / f->width) * m->channels] > 127;
                static const unsigned char paint[3] = { 236, 64, 122 };
                to[((long) (top + y) * s->width + left + x) * 3 + c] =
                    in_hole ? paint[c] : data[((long) y * f->width + x) * f->channels + (f->channels >= 3 ? c : 0)];
            }
}

static void write_sheet(const char *out)
{
    weft_image *sheet;
    int width = 0, height = GAP;
    for (int i = 0; i < row_count; i++) {
        const weft_image_info *info = weft_image_get_info(rows[i].photo);
        if (info->width > width) width = info->width;
        height += info->height + GAP;
    }
    need(weft_image_create(ctx, 4 * (width + GAP) + GAP, height, 3, 8, &sheet));
    const weft_image_info *s = weft_image_get_info(sheet);
    memset(weft_image_data(sheet), 255, (size_t) s->width * (size_t) s->height * 3);
    for (int i = 0, top = GAP; i < row_count; top += weft_image_get_info(rows[i].photo)->height + GAP, i++) {
        const row *r = &rows[i];
        paste(sheet, GAP, top, r->photo, r->mask);
        paste(sheet, GAP + width + GAP, top, r->mask, NULL);
        paste(sheet, GAP + 2 * (width + GAP), top, r->filled, NULL);
        paste(sheet, GAP + 3 * (width + GAP), top, r->photo, NULL);
    }
    need(weft_image_save(sheet, path_of(out, "sheet", ".png"), NULL));
    weft_image_destroy(&sheet);
    printf("pictures: %s, all of them side by side (hole, mask, filled, original): %s/sheet.png\n", out, out);
}

int main(int argc, char **argv)
{
    weft_device *device;
    weft_model *model;
    if (argc != 4) return fprintf(stderr, "usage: demo MODEL PICTURES OUT\n"), 2;
    need(weft_context_create(NULL, &ctx));
    need(weft_device_open(ctx, NULL, &device));
    need(weft_model_load(ctx, argv[1], &model));
    load_pictures(argv[2]);
    if (!row_count) return fprintf(stderr, "demo: %s holds no NAME.mask.png\n", argv[2]), 1;

    const weft_device_info *info = weft_device_get_info(device);
    printf("device: %s (%s)\n", info->name, info->driver);
    fill_all(device, model, argv[3]);
    if (info->kind != WEFT_DEVICE_VULKAN) show_vulkan(model);
    write_sheet(argv[3]);

    for (int i = 0; i < row_count; i++) {
        weft_image_destroy(&rows[i].photo);
        weft_image_destroy(&rows[i].mask);
        weft_image_destroy(&rows[i].filled);
    }
    weft_model_destroy(&model);
    weft_device_destroy(&device);
    weft_context_destroy(&ctx);
    return 0;
}
