// SPDX-License-Identifier: MIT
// weft metrics
#include "command.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

struct metrics_options { const char *mask; int mode, json; };
static const option metrics_options[] = {
    { "mask", 'm', OPTION_TEXT, "MASK", offsetof(struct metrics_options, mask), "measure the hole of this mask, too; of any size" },
    { "mask-mode", 0, OPTION_CHOICE, "hole|keep|alpha", offsetof(struct metrics_options, mode), "white is the hole (the default), white is kept, or transparent is the hole" },
    { "json", 0, OPTION_FLAG, NULL, offsetof(struct metrics_options, json), "one JSON object" },
    { 0 }
};

static void add_json(cJSON *top, const char *name, const weft_metrics *m)
{
    cJSON *o = cJSON_AddObjectToObject(top, name);
    cJSON_AddNumberToObject(o, "pixels", (double) m->pixels);
    cJSON_AddNumberToObject(o, "l1_percent", m->l1_percent);
    cJSON_AddNumberToObject(o, "l2_percent", m->l2_percent);
    if (isinf(m->psnr_db)) cJSON_AddNullToObject(o, "psnr_db"); // JSON has no infinity
    else cJSON_AddNumberToObject(o, "psnr_db", m->psnr_db);
    cJSON_AddNumberToObject(o, "ssim", m->ssim);
}

static void print_row(const char *name, const weft_metrics *m)
{
    printf("%-8s %10lld  %8.4f  %8.4f  %8.3f  %8.5f\n", name, (long long) m->pixels, m->l1_percent, m->l2_percent, m->psnr_db, m->ssim);
}

static void show(const struct metrics_options *o, const weft_metrics *all, const weft_metrics *hole)
{
    if (!o->json) {
        printf("%-8s %10s  %8s  %8s  %8s  %8s\n", "", "pixels", "l1 %", "l2 %", "PSNR dB", "SSIM");
        print_row("picture", all);
        if (o->mask) print_row("hole", hole);
        return;
    }
    cJSON *top = cJSON_CreateObject();
    add_json(top, "picture", all);
    if (o->mask) add_json(top, "hole", hole);
    char *text = cJSON_Print(top);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(top);
}

static int run_metrics(call *c)
{
    const struct metrics_options *o = c->options;
    weft_image *a = NULL, *b = NULL, *mask = NULL;
    weft_metrics all, hole;
    weft_result r = weft_image_load(c->ctx, c->args[0], &a);
    if (r == WEFT_OK) r = weft_image_load(c->ctx, c->args[1], &b);
    if (r == WEFT_OK && o->mask) r = weft_image_load(c->ctx, o->mask, &mask);
    if (r == WEFT_OK) r = weft_compare(a, b, mask, (weft_mask_mode) o->mode, &all, mask ? &hole : NULL);
    const int code = r == WEFT_OK ? CODE_OK : fail_input(c, r);
    if (!code) show(o, &all, &hole);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&mask);
    return code;
}

const command command_metrics = {
    .name = "metrics", .args = "A B [--mask MASK]", .summary = "measures how far two pictures are apart: l1, l2, PSNR, SSIM", .options = metrics_options,
    .option_bytes = sizeof(struct metrics_options), .least = 2, .most = 2, .run = run_metrics,
    .about = "l1 and l2 are means over colours scaled to 0..1, times 100. SSIM has the published 11x11 Gaussian window (sigma 1.5).",
    .examples = "  weft metrics original.png filled.png --mask mask.png\n  weft metrics a.png b.png --json",
};
