// SPDX-License-Identifier: MIT
#include "edit/checkpoint.h"
#include "base/context.h"
#include "base/number.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/build.h>

static const char *const KEY = "inversion.key", *const PLACE[] = { "inversion.stage", "inversion.done", "inversion.stopped" };

weft_result weft_checkpoint_save(weft_context *ctx, const weft_checkpoint *c, const char *path)
{
    weft_builder *b;
    weft_model *m;
    const int place[] = { c->stage, c->done, c->stopped };
    WEFT_TRY(weft_builder_create(ctx, &b));
    weft_build_meta(b, "task", "checkpoint");
    weft_build_meta(b, KEY, c->key);
    for (int i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", place[i]);
        weft_build_meta(b, PLACE[i], text);
    }
    for (int i = 0; i < c->array_count; i++)
        weft_build_output(b, c->arrays[i].name, weft_build_weight(b, c->arrays[i].name, WEFT_F32, c->arrays[i].shape, c->arrays[i].data));
    WEFT_TRY(weft_builder_finish(&b, &m));
    const weft_result r = weft_model_save(m, path);
    weft_model_destroy(&m);
    return r;
}

static weft_result read_place(const weft_model *m, const char *path, int place[3])
{
    for (int i = 0; i < 3; i++) {
        const char *text = weft_model_meta(m, PLACE[i]);
        double number;
        if (!text || !weft_read_number(&text, &number) || *text || number < 0 || number > 1e9)
            return weft_fail(WEFT_ERR_FORMAT, "%s: not the checkpoint of an inversion: no %s", path, PLACE[i]);
        place[i] = (int) number;
    }
    return WEFT_OK;
}

// The file's arrays are what its entry gives.
static weft_result read_arrays(const weft_model *m, weft_device *dev, weft_arena *a, weft_checkpoint *out)
{
    const weft_port *ports;
    weft_session *s;
    const int count = weft_model_outputs(m, 0, &ports);
    weft_array *arrays = weft_arena_new(a, sizeof *arrays * (size_t) (count + 1));
    weft_io *io = weft_arena_new(a, sizeof *io * (size_t) (count + 1));
    if (!arrays || !io) return WEFT_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        size_t bytes = sizeof(float);
        for (int d = 0; d < ports[i].shape.rank; d++) bytes *= (size_t) ports[i].shape.dim[d];
        io[i] = (weft_io) { ports[i].name, weft_arena_new(a, bytes), bytes };
        arrays[i] = (weft_array) { weft_arena_text(a, ports[i].name), ports[i].shape, io[i].data };
        if (!arrays[i].name || !arrays[i].data) return WEFT_ERR_MEMORY;
    }
    WEFT_TRY(weft_session_create(dev, m, NULL, &s));
    const weft_result r = weft_session_run(s, NULL, 0, io, count);
    weft_session_destroy(&s);
    out->arrays = arrays, out->array_count = count;
    return r;
}

weft_result weft_checkpoint_load(weft_arena *a, const char *path, const char *key, weft_checkpoint *out, bool *there)
{
    weft_model *m;
    weft_device *dev = NULL;
    int place[3];
    *there = !access(path, F_OK);
    if (!*there) return WEFT_OK;
    WEFT_TRY(weft_model_load(a->ctx, path, &m));
    const char *own = weft_model_meta(m, KEY);
    weft_result r = read_place(m, path, place);
    if (r == WEFT_OK && (!own || strcmp(own, key)))
        r = weft_fail(WEFT_ERR_ARGUMENT, "%s: the checkpoint of another inversion: photo, mask, generator, losses or settings are not the same; remove it to start anew", path);
    if (r == WEFT_OK) *out = (weft_checkpoint) { key, place[0], place[1], place[2], NULL, 0 };
    if (r == WEFT_OK) r = weft_device_open(a->ctx, &(weft_device_params) { .name = "reference" }, &dev); // it copies, bit by bit
    if (r == WEFT_OK) r = read_arrays(m, dev, a, out);
    weft_device_destroy(&dev);
    weft_model_destroy(&m);
    return r;
}
