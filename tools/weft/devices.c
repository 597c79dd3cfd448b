// SPDX-License-Identifier: MIT
// weft devices
#include "command.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct devices_options { int json; };
static const option devices_options[] = {
    { "json", 0, OPTION_FLAG, NULL, offsetof(struct devices_options, json), "one JSON object" },
    { 0 }
};

enum { DEVICES_MOST = 64 };
struct row { weft_device_info info; char text[4][256]; };
struct list { struct row *row; int count; };

static const char *copy(char *to, const char *from)
{
    snprintf(to, 256, "%s", from ? from : "");
    return from ? to : NULL;
}

static void add(void *user, const weft_device_info *info)
{
    struct list *l = user;
    if (l->count == DEVICES_MOST) return;
    struct row *r = &l->row[l->count++];
    r->info = *info;
    r->info.name = copy(r->text[0], info->name);
    r->info.driver = copy(r->text[1], info->driver);
    r->info.type = copy(r->text[2], info->type);
    r->info.rejected = copy(r->text[3], info->rejected);
}

static const char *kind_text(weft_device_kind k)
{
    return k == WEFT_DEVICE_REFERENCE ? "reference" : k == WEFT_DEVICE_CPU ? "cpu" : "vulkan";
}

static const char *uuid_text(const weft_device_info *i, char text[33])
{
    for (int k = 0; k < 16; k++) snprintf(text + 2 * k, 3, "%02x", i->uuid[k]);
    return text;
}

static const char *why(const weft_device_info *i)
{
    if (i->kind == WEFT_DEVICE_CPU) return "no GPU is usable, and this is faster than a software Vulkan driver";
    return "the fastest GPU";
}

static void print_json(const struct list *l, const weft_device_info *automatic)
{
    char uuid[33];
    cJSON *top = cJSON_CreateObject(), *all = cJSON_AddArrayToObject(top, "devices");
    for (int k = 0; k < l->count; k++) {
        const weft_device_info *i = &l->row[k].info;
        cJSON *d = cJSON_CreateObject();
        cJSON_AddNumberToObject(d, "index", i->index);
        cJSON_AddStringToObject(d, "kind", kind_text(i->kind));
        cJSON_AddStringToObject(d, "name", i->name);
        cJSON_AddStringToObject(d, "driver", i->driver ? i->driver : "");
        cJSON_AddStringToObject(d, "type", i->type ? i->type : "");
        cJSON_AddStringToObject(d, "uuid", uuid_text(i, uuid));
        cJSON_AddNumberToObject(d, "memory_bytes", (double) i->memory_bytes);
        cJSON_AddBoolToObject(d, "f16_storage", i->f16_storage);
        cJSON_AddBoolToObject(d, "matrix_units", i->matrix_units);
        cJSON_AddBoolToObject(d, "matrix_tiles", i->matrix_tiles);
        if (i->rejected) cJSON_AddStringToObject(d, "rejected", i->rejected);
        else cJSON_AddNullToObject(d, "rejected");
        cJSON_AddItemToArray(all, d);
    }
    if (automatic) cJSON_AddStringToObject(top, "auto", automatic->name), cJSON_AddStringToObject(top, "auto_reason", why(automatic));
    char *text = cJSON_Print(top);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(top);
}

static void print_table(const call *c, const struct list *l)
{
    char uuid[33];
    printf("%5s  %-9s  %-11s  %10s  %-4s  %-6s  %s\n", "index", "kind", "type", "memory", "f16", "matrix", "name");
    for (int k = 0; k < l->count; k++) {
        const weft_device_info *i = &l->row[k].info;
        const bool vulkan = i->kind == WEFT_DEVICE_VULKAN;
        char index[16] = "";
        if (i->index >= -1) snprintf(index, sizeof index, "%d", i->index);
        printf("%5s  %-9s  %-11s  %10s  %-4s  %-6s  %s\n", index, kind_text(i->kind), i->type ? i->type : "",
               vulkan ? bytes_text((double) i->memory_bytes) : "", vulkan ? (i->f16_storage ? "yes" : "no") : "",
               vulkan ? (i->matrix_units ? "yes" : "no") : "", i->name);
        if (c->verbose) printf("%5s  driver: %s\n", "", i->driver ? i->driver : "");
        if (c->verbose && vulkan) printf("%5s  uuid: %s\n", "", uuid_text(i, uuid));
        if (i->rejected) printf("%5s  not usable: %s\n", "", i->rejected);
    }
}

static int run_devices(call *c)
{
    const struct devices_options *o = c->options;
    struct list l = { calloc(DEVICES_MOST, sizeof *l.row), 0 };
    weft_device *dev = NULL;
    if (!l.row) return fail(c, CODE_FAILED, "out of memory");
    weft_result r = weft_device_list(c->ctx, add, &l);
    if (r == WEFT_OK) r = weft_device_open(c->ctx, &(weft_device_params) { .name = "auto" }, &dev);
    if (r == WEFT_OK && o->json) print_json(&l, weft_device_get_info(dev));
    if (r == WEFT_OK && !o->json) {
        print_table(c, &l);
        printf("\n`auto` takes %s: %s.\n", weft_device_get_info(dev)->name, why(weft_device_get_info(dev)));
    }
    weft_device_destroy(&dev);
    free(l.row);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

const command command_devices = {
    .name = "devices", .args = "", .summary = "lists what weft can run on, and why not on the rest", .options = devices_options,
    .option_bytes = sizeof(struct devices_options), .run = run_devices,
    .examples = "  weft devices -v\n  weft devices --json",
};
