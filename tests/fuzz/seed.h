// SPDX-License-Identifier: MIT
// A model that has something of everything a file can hold, and the mending of checksums after damage.
#pragma once
#include "base/half.h"
#include "graph/format.h"
#include "graph/model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/build.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static inline weft_result seed_model(weft_context *ctx, weft_model **out)
{
    enum { TABLE = 16384 }; // 64 KiB
    weft_builder *b;
    float *table = calloc(TABLE, sizeof *table), w[8 * 4 * 9], bias[8];
    uint16_t half[4 * 3 * 9];
    static const uint8_t bytes[5] = { 0, 1, 127, 128, 255 };
    const int32_t numbers[3] = { -7, 0, INT32_MAX };
    if (!table || weft_builder_create(ctx, &b)) return free(table), WEFT_ERR_MEMORY;
    for (int i = 0; i < TABLE; i++) table[i] = (float) i / 7;
    for (int i = 0; i < 8 * 4 * 9; i++) w[i] = (float) (i % 11) / 16 - 0.25f;
    for (int i = 0; i < 8; i++) bias[i] = (float) i;
    for (int i = 0; i < 4 * 3 * 9; i++) half[i] = weft_float_to_half((float) (i % 7) / 8 - 0.3f);

    weft_build_meta(b, "author", "someone \xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82");
    weft_build_meta(b, "description", "two\n\tlines");
    weft_build_meta(b, "empty", "");
    const int64_t h = weft_build_dim(b, "h", 12, 4), wd = weft_build_dim(b, "w", 8, 2);
    weft_build_entry(b, "main");
    const weft_value x = weft_build_input(b, "image", WEFT_F32, (weft_shape) { 4, { 1, 3, h, wd } });
    weft_build_name(b, "enc.1");
    const weft_value w1 = weft_build_weight(b, "enc.1.weight", WEFT_F16, (weft_shape) WEFT_SHAPE(4, 3, 3, 3), half);
    const weft_value c = weft_build(b, "conv2d", WEFT_IN(x, w1), WEFT_NUM("stride", 2), WEFT_NUM("pads", 1, 0, 1, 2), WEFT_TEXT("pad_mode", "reflect"));
    weft_build_name(b, "");
    const weft_value w2 = weft_build_weight(b, "enc.2.weight", WEFT_F32, (weft_shape) WEFT_SHAPE(8, 4, 3, 3), w);
    const weft_value b2 = weft_build_weight(b, "a.bias", WEFT_F32, (weft_shape) WEFT_SHAPE(8), bias);
    const weft_value d = weft_build(b, "conv2d", WEFT_IN(c, w2, b2), WEFT_NUM("pads", 1));
    const weft_value n = weft_build_op(b, "batch_norm", (weft_value[]) { d, WEFT_NONE, b2 }, 3, (weft_attr_arg[]) { WEFT_NUM("batch_stats", 1), WEFT_NUM("eps", 0.001) }, 2);
    const weft_value r = weft_build_op(b, "relu", &n, 1, NULL, 0);
    weft_build_output(b, "features", r);
    weft_build_output(b, "flat", weft_build(b, "reshape", WEFT_IN(r), WEFT_NUM("shape", 1, -1)));

    weft_build_entry(b, "table");
    const weft_value t = weft_build_weight(b, "table", WEFT_F32, (weft_shape) WEFT_SHAPE(TABLE), table);
    const weft_value y = weft_build_input(b, "scale", WEFT_F32, (weft_shape) { 0 });
    weft_build_output(b, "scaled", weft_build_op(b, "mul", (weft_value[]) { t, y }, 2, NULL, 0));
    weft_build_output(b, "bias", weft_build_op(b, "add", (weft_value[]) { weft_build_weight(b, "a.bias", WEFT_F32, (weft_shape) { 0 }, NULL), weft_build_scalar(b, 0.5) }, 2, NULL, 0));
    const weft_value u = weft_build_weight(b, "bytes", WEFT_U8, (weft_shape) WEFT_SHAPE(5), bytes);
    weft_build_output(b, "bytes", weft_build(b, "reshape", WEFT_IN(u), WEFT_NUM("shape", 5, 1)));
    const weft_value k = weft_build_weight(b, "numbers", WEFT_I32, (weft_shape) WEFT_SHAPE(3), numbers);
    weft_build_output(b, "numbers", weft_build(b, "reshape", WEFT_IN(k), WEFT_NUM("shape", 1, 3)));
    const weft_value whole = weft_build_state(b, "whole", WEFT_I32, (weft_shape) WEFT_SHAPE(3), numbers);
    const weft_value sums = weft_build_state(b, "sums", WEFT_F32, (weft_shape) WEFT_SHAPE(8), bias);
    const weft_value kept = weft_build_state(b, "kept", WEFT_F32, (weft_shape) { 2, { h, wd } }, NULL);
    weft_build_next(b, whole, k);
    weft_build_next(b, sums, weft_build(b, "add", WEFT_IN(sums, y), { 0 }));
    weft_build_next(b, kept, kept);
    weft_build_state(b, "never", WEFT_F32, (weft_shape) { 0 }, NULL);
    free(table);
    return weft_builder_finish(&b, out);
}

// One entry per row and case (three cases at most): damage to it reaches the shape inference of every operator.
static inline weft_result seed_case(weft_model *m, const weft_op *op, const weft_case *c, int index)
{
    weft_entry *entries = weft_arena_grow(&m->arena, m->entries, m->entry_count, sizeof *entries);
    if (!entries) return WEFT_ERR_MEMORY;
    m->entries = entries;
    weft_entry *e = &entries[m->entry_count++];
    *e = (weft_entry) { .name = weft_arena_print(&m->arena, "%s.%d", op->name, index) };
    weft_graph_init(&e->graph, &m->arena);
    weft_value in[WEFT_CASE_INPUTS];
    int n = 0;
    for (; n < WEFT_CASE_INPUTS && (c->in_count ? n < c->in_count : c->in[n].rank > 0); n++) {
        char name[8];
        snprintf(name, sizeof name, "x%d", n);
        in[n] = c->absent >> n & 1 ? -1 : weft_graph_input(&e->graph, name, c->integers >> n & 1 ? WEFT_I32 : WEFT_F32, c->in[n]);
    }
    weft_graph_output(&e->graph, "y", weft_graph_op(&e->graph, op, in, n, c->attrs));
    return weft_graph_status(&e->graph);
}

static inline weft_result seed_rows(weft_context *ctx, weft_model **out)
{
    weft_model *m;
    const weft_op *op;
    weft_result r = weft_model_new(ctx, &m);
    for (int i = 0; r == WEFT_OK && (op = weft_op_at(i)); i++)
        for (int k = 0; r == WEFT_OK && !(op->flags & WEFT_OP_INTERNAL) && k < 3 && m->entry_count < WEFT_MAX_ENTRIES; k++) {
            if (!op->cases[k].in[0].rank && !op->cases[k].in_count) break;
            r = seed_case(m, op, &op->cases[k], k);
        }
    if (r == WEFT_OK) r = weft_model_seal(m);
    if (r != WEFT_OK) return weft_model_release(m), r;
    *out = m;
    return WEFT_OK;
}

typedef struct seed_file { unsigned char *data; size_t bytes; } seed_file;

// The bytes that weft_model_save writes, by way of a file. data NULL: it failed.
static inline seed_file seed_save(const weft_model *m)
{
    char path[] = "/tmp/weft-seed-XXXXXX";
    seed_file f = { 0 };
    weft_mapping map;
    const int fd = mkstemp(path);
    if (fd < 0) return f;
    close(fd);
    if (weft_model_save(m, path) == WEFT_OK && weft_file_map(path, &map) == WEFT_OK) {
        if ((f.data = malloc(map.bytes + 1))) memcpy(f.data, map.data, f.bytes = map.bytes);
        weft_file_unmap(&map);
    }
    remove(path);
    return f;
}

static inline uint64_t seed_load(const unsigned char *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t) at[i] << 8 * i;
    return v;
}

static inline void seed_store(unsigned char *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char) (v >> 8 * i);
}

// Makes the size and both checksums fit again, so that what lies behind them is reached.
static inline void seed_mend(unsigned char *d, size_t bytes)
{
    if (bytes < WEFT_FILE_HEADER) return;
    seed_store(d + WEFT_AT_BYTES, bytes, 8);
    const uint64_t head = seed_load(d + WEFT_AT_HEAD, 8);
    if (head < WEFT_FILE_HEADER || head > bytes) return;
    seed_store(d + WEFT_AT_WEIGHTS_SUM, XXH3_64bits(d + head, bytes - (size_t) head), 8);
    seed_store(d + WEFT_AT_HEAD_SUM, XXH3_64bits_withSeed(d + WEFT_FILE_HEADER, (size_t) head - WEFT_FILE_HEADER, XXH3_64bits(d, WEFT_AT_HEAD_SUM)), 8);
}
