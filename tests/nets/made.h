// SPDX-License-Identifier: MIT
// Checkpoints made from a list of names: golden/make.py has the same numbers, so PyTorch's results can be compared.
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_TENSORS = 256, MADE_INPUTS = 4, MADE_RANK = 4 };
typedef struct made_shape { int rank; int64_t dim[MADE_RANK]; } made_shape;
typedef struct made_case {
    char name[64], arch[64], variant[64], entry[64]; // variant "": none; entry "": the first
    double gain;
    bool gradient; // of the outputs times made_cotangent, by the first input or
    char by[128];  // this weight
    bool half;     // weights of rank 2 and more lie in the file as f16
    struct { char kind[16]; made_shape shape; } in[MADE_INPUTS];
    int in_count;
    struct { char name[128]; made_shape shape; } tensor[MADE_TENSORS];
    int tensor_count;
} made_case;

static inline int64_t made_count(made_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    return n;
}

// In [-1, 1): murmur3's finalizer of position and the FNV-1a hash of the name.
static inline uint32_t made_seed(const char *name)
{
    uint32_t seed = 0x811c9dc5u;
    for (; *name; name++) seed = (seed ^ (unsigned char) *name) * 0x01000193u;
    return seed;
}
static inline float made_uniform(uint32_t seed, int64_t i)
{
    uint32_t x = (uint32_t) i * 0x9e3779b1u + seed;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    x ^= x >> 16;
    return (float) (x >> 8) * 0x1p-23f - 1.0f;
}

static inline bool made_ends(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}

static inline void made_tensor(const made_case *c, int index, float *out)
{
    const char *name = c->tensor[index].name;
    const made_shape s = c->tensor[index].shape;
    const uint32_t seed = made_seed(name);
    const int64_t count = made_count(s);
    const bool lin = !strncmp(name, "lin", 3) && made_ends(name, "model.1.weight"), lpips = !strncmp(name, "lpips", 5); // no weight of a difference is negative
    const bool ones = made_ends(name, "mask_conv.weight"), positive = made_ends(name, "weight") || made_ends(name, "running_var") || made_ends(name, "gamma");
    const float scale = s.rank > 1 ? (float) (c->gain * sqrt(3.0 / (double) (count / s.dim[0]))) : positive ? 0.5f : 0.125f;
    for (int64_t i = 0; i < count; i++) {
        const float u = made_uniform(seed, i);
        if (lpips) out[i] = fabsf(u) * 0.5f;
        else out[i] = ones ? 1.0f : (lin ? fabsf(u) : u) * scale + (s.rank == 1 && positive ? 1.0f : 0.0f);
    }
}

// f32 or, for tokens, i32.
static inline void made_input(const made_case *c, int index, void *out)
{
    char name[16];
    const made_shape s = c->in[index].shape;
    const char *kind = c->in[index].kind;
    snprintf(name, sizeof name, "in.%d", index);
    const uint32_t seed = made_seed(name);
    for (int64_t i = 0; i < made_count(s); i++) {
        const int64_t h = s.rank == 4 ? s.dim[2] : 1, w = s.rank == 4 ? s.dim[3] : 1, y = i / w % h, x = i % w;
        const bool hole = y >= h / 4 && y < h / 4 + h / 3 && x >= w / 3 && x < w / 3 + w / 2;
        if (!strcmp(kind, "tokens")) ((int32_t *) out)[i] = (int32_t) ((made_uniform(seed, i) + 1.0f) * 5000.0f);
        else if (!strcmp(kind, "uniform")) ((float *) out)[i] = made_uniform(seed, i);
        else if (!strcmp(kind, "bytes")) ((float *) out)[i] = (made_uniform(seed, i) + 1.0f) * 127.5f;
        else ((float *) out)[i] = hole == !strcmp(kind, "hole") ? 1.0f : 0.0f;
    }
}

static inline void made_cotangent(int output, float *out, int64_t count)
{
    char name[32];
    snprintf(name, sizeof name, "cotangent.%d", output);
    const uint32_t seed = made_seed(name);
    for (int64_t i = 0; i < count; i++) out[i] = made_uniform(seed, i);
}

static inline made_shape made_read_shape(char *text)
{
    made_shape s = { 0 };
    for (char *end; s.rank < MADE_RANK; s.rank++, text = end) {
        s.dim[s.rank] = strtoll(text, &end, 10);
        if (end == text) break;
    }
    return s;
}

static inline bool made_read_case(const char *folder, const char *name, made_case *c)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/%s.txt", folder, name);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    *c = (made_case) { .gain = 1 };
    snprintf(c->name, sizeof c->name, "%s", name);
    while (fgets(line, sizeof line, f)) {
        int at = 0;
        if (sscanf(line, "arch %63s", c->arch) == 1 || sscanf(line, "variant %63s", c->variant) == 1 || sscanf(line, "entry %63s", c->entry) == 1) continue;
        if (sscanf(line, "gain %lf", &c->gain) == 1) continue;
        if (!strcmp(line, "gradient\n") || !strcmp(line, "half\n")) {
            *(*line == 'h' ? &c->half : &c->gradient) = true;
            continue;
        }
        if (sscanf(line, "by %127s", c->by) == 1) {
            c->gradient = true;
            continue;
        }
        if (c->in_count < MADE_INPUTS && sscanf(line, "in %15s%n", c->in[c->in_count].kind, &at) == 1) c->in[c->in_count++].shape = made_read_shape(line + at);
        else if (c->tensor_count < MADE_TENSORS && sscanf(line, "tensor %127s%n", c->tensor[c->tensor_count].name, &at) == 1)
            c->tensor[c->tensor_count++].shape = made_read_shape(line + at);
        else return fclose(f), false;
    }
    fclose(f);
    return c->tensor_count > 0;
}

// To the nearest f16, for normal numbers and 0.
static inline uint16_t made_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    const uint32_t magnitude = bits & 0x7fffffff, rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    if (magnitude < 0x38800000) { // below 2^-14: steps of 2^-24
        const float steps = fabsf(x) * 0x1p24f;
        return (uint16_t) ((bits >> 16 & 0x8000) | (uint32_t) nearbyintf(steps));
    }
    return (uint16_t) ((bits >> 16 & 0x8000) | (rounded - 0x38000000) >> 13);
}

static inline size_t made_element(const made_case *c, int i) { return !c->tensor[i].shape.rank ? 8 : c->half && c->tensor[i].shape.rank > 1 ? 2 : 4; }

// Writes the checkpoint; `prefix` goes before every name. Rank 0 is an i64, as PyTorch's counters are.
static inline bool made_write(const made_case *c, const char *prefix, const char *path)
{
    char *header = calloc(1, 256 * (size_t) c->tensor_count + 16);
    size_t n = 8, at = 0;
    FILE *f = fopen(path, "wb");
    if (!f || !header) return free(header), f && fclose(f), false;
    for (int i = 0; i < c->tensor_count; i++) {
        const made_shape s = c->tensor[i].shape;
        const size_t element = made_element(c, i), bytes = (size_t) made_count(s) * element;
        n += (size_t) sprintf(header + n, "%s\"%s%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "{", prefix, c->tensor[i].name,
                              element == 8 ? "I64" : element == 4 ? "F32" : "F16");
        for (int k = 0; k < s.rank; k++) n += (size_t) sprintf(header + n, k ? ",%lld" : "%lld", (long long) s.dim[k]);
        n += (size_t) sprintf(header + n, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    n += (size_t) sprintf(header + n, "}");
    for (int i = 0; i < 8; i++) header[i] = (char) ((n - 8) >> 8 * i & 255);
    bool fine = fwrite(header, 1, n, f) == n;
    for (int i = 0; fine && i < c->tensor_count; i++) {
        const int64_t count = made_count(c->tensor[i].shape);
        float *room = calloc((size_t) count + 1, 4);
        if (room && c->tensor[i].shape.rank) made_tensor(c, i, room);
        for (int64_t k = 0; room && made_element(c, i) == 2 && k < count; k++) ((uint16_t *) room)[k] = made_half(room[k]);
        const size_t bytes = (size_t) count * made_element(c, i);
        fine = room && fwrite(room, 1, bytes, f) == bytes;
        free(room);
    }
    free(header);
    return fclose(f) == 0 && fine;
}
