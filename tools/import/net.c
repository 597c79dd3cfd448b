// SPDX-License-Identifier: MIT
#include "import/net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void net_fail(net *n, weft_result r, const char *format, ...)
{
    char text[IMPORT_ERROR];
    va_list args;
    if (n->failed) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    n->failed = true;
    weft_build_fail(n->b, r, text);
}

const char *path(net *n, const char *format, ...)
{
    char *p = n->paths[n->path];
    n->path = (n->path + 1) % NET_PATHS;
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(p, NET_PATH, format, args);
    va_end(args);
    if (length < 0 || length >= NET_PATH) net_fail(n, WEFT_ERR_UNSUPPORTED, "the name '%s...' is too long", p);
    return p;
}

int64_t dim(net *n, const char *name, int64_t preset, int64_t multiple) { return weft_build_dim(n->b, name, preset, multiple); }

void entry(net *n, const char *name)
{
    if (!n->failed) weft_build_entry(n->b, name);
}

weft_value input(net *n, const char *name, int64_t batch, int64_t c, int64_t height, int64_t width)
{
    return weft_build_input(n->b, name, WEFT_F32, (weft_shape) { 4, { batch, c, height, width } });
}

void output(net *n, const char *name, weft_value v) { weft_build_output(n->b, name, v); }

// --- Weights. ---------------------------------------------------------------------------------------------------

static safetensors_tensor *find(const net *n, const char *name)
{
    char full[2 * NET_PATH];
    const int length = snprintf(full, sizeof full, "%s%s", n->prefix, name);
    return length < 0 || length >= (int) sizeof full ? NULL : safetensors_find(n->file, full);
}

bool has(const net *n, const char *name) { return find(n, name) != NULL; }

int rank_of(const net *n, const char *name)
{
    const safetensors_tensor *t = find(n, name);
    return t ? t->rank : -1;
}

bool prefix_of(const net *n, const char *name, char prefix[NET_PATH])
{
    for (int i = 0; i < n->file->count; i++) {
        const char *full = n->file->tensors[i].name;
        const size_t all = strlen(full), end = strlen(name);
        if (all < end || all - end >= NET_PATH || strcmp(full + all - end, name) || (all > end && full[all - end - 1] != '.')) continue;
        snprintf(prefix, NET_PATH, "%.*s", (int) (all - end), full);
        return true;
    }
    return false;
}

static const char *shape_text(int rank, const int64_t *d, char text[128])
{
    int at = snprintf(text, 128, "[");
    for (int i = 0; i < rank && at < 100; i++) at += snprintf(text + at, 128 - (size_t) at, i ? ", %lld" : "%lld", (long long) d[i]);
    snprintf(text + at, 128 - (size_t) at, "]");
    return text;
}

// The tensor, marked as used; NULL with a failure when it is not there or not of that shape.
static safetensors_tensor *claim(net *n, const char *name, weft_shape want)
{
    char a[128], b[128];
    if (n->failed) return NULL;
    safetensors_tensor *t = find(n, name);
    if (!t) return net_fail(n, WEFT_ERR_FORMAT, "the checkpoint has no tensor '%s%s'", n->prefix, name), NULL;
    bool same = t->rank == want.rank;
    for (int i = 0; same && i < t->rank; i++) same = t->dim[i] == want.dim[i];
    if (!same)
        return net_fail(n, WEFT_ERR_FORMAT, "tensor '%s' has shape %s, this network wants %s", t->name, shape_text(t->rank, t->dim, a),
                        shape_text(want.rank, want.dim, b)), NULL;
    t->used = true;
    return t;
}

static double element(const safetensors_tensor *t, int64_t i) // not of F16
{
    const char *at = (const char *) t->data + (size_t) i * safetensors_type_bytes(t->type);
    double f64;
    float f32;
    int64_t i64;
    int32_t i32;
    int16_t i16;
    uint16_t u16;
    switch (t->type) {
    case ST_F64: return memcpy(&f64, at, 8), f64;
    case ST_F32: return memcpy(&f32, at, 4), (double) f32;
    case ST_I64: return memcpy(&i64, at, 8), (double) i64;
    case ST_I32: return memcpy(&i32, at, 4), (double) i32;
    case ST_I16: return memcpy(&i16, at, 2), (double) i16;
    case ST_I8: return (double) *(const signed char *) at;
    case ST_BF16: {
        memcpy(&u16, at, 2);
        const uint32_t bits = (uint32_t) u16 << 16;
        return memcpy(&f32, &bits, 4), (double) f32;
    }
    default: return (double) *(const unsigned char *) at;
    }
}

// To the nearest binary16, ties to even; beyond its range: infinity, which the caller refuses.
static uint16_t half_of(double x)
{
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    int exponent;
    x = fabs(x);
    if (isnan(x)) return 0x7e00;
    if (x >= 65520) return sign | 0x7c00;
    frexp(x, &exponent);
    if (x < 0x1p-14) exponent = -13; // subnormal: steps of 2^-24
    const double steps = nearbyint(ldexp(x, 11 - exponent)); // 1024..2048 for normal numbers
    const int bits = (int) steps + (x < 0x1p-14 ? 0 : (exponent + 13) * 1024);
    return (uint16_t) (sign | bits);
}

static weft_dtype stored_as(const net *n, const safetensors_tensor *t)
{
    switch (t->type) {
    case ST_F16: return WEFT_F16;
    case ST_U8: case ST_BOOL: return WEFT_U8;
    case ST_I64: case ST_I32: case ST_I16: case ST_I8: return WEFT_I32;
    default: return n->half && t->rank > 1 ? WEFT_F16 : WEFT_F32;
    }
}

static void convert(net *n, const safetensors_tensor *t, weft_dtype to, void *out)
{
    for (int64_t i = 0; i < t->count; i++) {
        const double v = element(t, i);
        const bool fits = to == WEFT_I32 ? v >= INT32_MIN && v <= INT32_MAX : to != WEFT_F16 || fabs(v) < 65520;
        if (to == WEFT_F32) ((float *) out)[i] = (float) v;
        else if (to == WEFT_F16) ((uint16_t *) out)[i] = half_of(v);
        else ((int32_t *) out)[i] = fits ? (int32_t) v : 0;
        if (!fits) net_fail(n, WEFT_ERR_UNSUPPORTED, "tensor '%s' holds %g, which %s cannot", t->name, v, to == WEFT_F16 ? "f16" : "i32");
    }
}

// The tensors' elements one behind the other, stored as the first one would be.
static weft_value add_weight(net *n, const char *name, safetensors_tensor *const *t, int count, weft_shape shape)
{
    const weft_dtype to = stored_as(n, t[0]);
    const size_t bytes = to == WEFT_F16 ? 2 : to == WEFT_U8 ? 1 : 4;
    char *room = malloc((size_t) t[0]->count * (size_t) count * bytes + 1);
    weft_value v = WEFT_NONE;
    if (!room) return net_fail(n, WEFT_ERR_MEMORY, "out of memory at tensor '%s'", t[0]->name), WEFT_NONE;
    for (int i = 0; i < count && !n->failed; i++) {
        char *at = room + (size_t) i * (size_t) t[0]->count * bytes;
        const bool as_it_is = (to == WEFT_F16 && t[i]->type == ST_F16) || to == WEFT_U8 || (to == WEFT_F32 && t[i]->type == ST_F32);
        if (t[i]->type != t[0]->type) net_fail(n, WEFT_ERR_FORMAT, "tensors '%s' and '%s' are of different types", t[0]->name, t[i]->name);
        else if (as_it_is) memcpy(at, t[i]->data, (size_t) t[i]->count * bytes);
        else convert(n, t[i], to, at);
    }
    if (!n->failed) v = weft_build_weight(n->b, name, to, shape, room);
    free(room);
    return v;
}

weft_value weight(net *n, const char *name, weft_shape shape)
{
    safetensors_tensor *t = find(n, name);
    const char *kept = n->scope ? path(n, "%s%s", n->scope, name) : name;
    if (t && t->used) return n->failed ? WEFT_NONE : weft_build_weight(n->b, kept, WEFT_F32, shape, NULL); // a layer used twice
    t = claim(n, name, shape);
    return t ? add_weight(n, kept, &t, 1, shape) : WEFT_NONE;
}

weft_value joined(net *n, const char *name, const char *const *parts, int count, weft_shape part, weft_shape shape)
{
    enum { MOST = 16 };
    safetensors_tensor *t[MOST];
    if (count > MOST) return net_fail(n, WEFT_ERR_UNSUPPORTED, "'%s' joins more than %d tensors", name, MOST), WEFT_NONE;
    for (int i = 0; i < count; i++)
        if (!(t[i] = claim(n, parts[i], part))) return WEFT_NONE;
    return add_weight(n, name, t, count, shape);
}

void ignore(net *n, const char *name)
{
    safetensors_tensor *t = find(n, name);
    if (t) t->used = true;
}

void ignore_all(net *n, const char *start)
{
    const size_t prefix = strlen(n->prefix), length = strlen(start);
    for (int i = 0; i < n->file->count; i++) {
        safetensors_tensor *t = &n->file->tensors[i];
        if (!strncmp(t->name, n->prefix, prefix) && !strncmp(t->name + prefix, start, length)) t->used = true;
    }
}

void expect_ones(net *n, const char *name, weft_shape shape)
{
    const safetensors_tensor *t = has(n, name) ? claim(n, name, shape) : NULL;
    if (!t) return;
    for (int64_t i = 0; t->type != ST_F16 && i < t->count; i++)
        if (element(t, i) != 1) net_fail(n, WEFT_ERR_UNSUPPORTED, "tensor '%s' is not all ones: this is another method", t->name);
}

int64_t length(net *n, const char *name, int axis)
{
    const safetensors_tensor *t = find(n, name);
    if (t && axis < t->rank && t->dim[axis] > 0) return t->dim[axis];
    net_fail(n, WEFT_ERR_FORMAT, "the checkpoint has no tensor '%s%s' of rank %d or more", n->prefix, name, axis + 1);
    return 1;
}

weft_value constant(net *n, const char *name, weft_shape shape, const float *data)
{
    int i = 0;
    if (n->failed) return WEFT_NONE;
    while (i < n->constant_count && strcmp(n->constants[i], name)) i++;
    if (i == NET_CONSTANTS) return net_fail(n, WEFT_ERR_UNSUPPORTED, "more than %d constants", NET_CONSTANTS), WEFT_NONE;
    if (i < n->constant_count) return weft_build_weight(n->b, name, WEFT_F32, shape, NULL);
    n->constants[n->constant_count++] = name;
    return weft_build_weight(n->b, name, WEFT_F32, shape, data);
}

// --- Operators. -------------------------------------------------------------------------------------------------

weft_value op(net *n, const char *name, const weft_value *in, int in_count, const weft_attr_arg *attrs, int attr_count)
{
    return n->failed ? WEFT_NONE : weft_build_op(n->b, name, in, in_count, attrs, attr_count);
}

weft_value up2(net *n, weft_value x)
{
    return OPA(n, "resize", x, WEFT_NUM("scale", 2), WEFT_TEXT("mode", "nearest"), WEFT_TEXT("coordinates", "asymmetric"), WEFT_TEXT("rounding", "floor"));
}

weft_value part(net *n, weft_value x, int axis, int64_t first, int64_t past)
{
    return OPA(n, "slice", x, WEFT_NUM("starts", (double) first), WEFT_NUM("ends", (double) past), WEFT_NUM("axes", axis));
}

weft_value channels(net *n, weft_value x, int64_t first, int64_t past) { return part(n, x, 1, first, past); }
weft_value scaled(net *n, weft_value x, double a) { return OPA(n, "affine", x, WEFT_NUM("a", a)); }

weft_value blend(net *n, weft_value known, weft_value filled, weft_value hole)
{
    return add(n, mul(n, known, OPA(n, "affine", hole, WEFT_NUM("a", -1), WEFT_NUM("b", 1))), mul(n, filled, hole));
}

// --- Layers. ----------------------------------------------------------------------------------------------------

static weft_value bias_of(net *n, const char *name, int out, bool none)
{
    return none ? WEFT_NONE : weight(n, path(n, "%s.bias", name), (weft_shape) WEFT_SHAPE(out));
}

weft_value net_conv(net *n, const char *name, weft_value x, int in, int out, int kernel, conv_options o)
{
    const int stride = o.stride ? o.stride : 1, dilation = o.dilation ? o.dilation : 1, groups = o.groups ? o.groups : 1;
    const bool given = o.pads[0] || o.pads[1] || o.pads[2] || o.pads[3];
    for (int i = 0; i < 4 && !given && !o.valid; i++) o.pads[i] = dilation * (kernel / 2);
    weft_build_name(n->b, name);
    const weft_value w = weight(n, path(n, "%s.weight", name), (weft_shape) WEFT_SHAPE(out, in / groups, kernel, kernel));
    const weft_value b = bias_of(n, name, out, o.no_bias);
    return op(n, "conv2d", (weft_value[]) { x, w, b }, o.no_bias ? 2 : 3,
              (const weft_attr_arg[]) { WEFT_NUM("stride", stride), WEFT_NUM("dilation", dilation), WEFT_NUM("groups", groups),
                                        WEFT_NUM("pads", o.pads[0], o.pads[1], o.pads[2], o.pads[3]),
                                        WEFT_TEXT("pad_mode", o.pad_mode ? o.pad_mode : "zero") }, 5);
}

weft_value net_conv_transpose(net *n, const char *name, weft_value x, int in, int out, int kernel, convt_options o)
{
    weft_build_name(n->b, name);
    const weft_value w = weight(n, path(n, "%s.weight", name), (weft_shape) WEFT_SHAPE(in, out, kernel, kernel));
    const weft_value b = bias_of(n, name, out, o.no_bias);
    return op(n, "conv_transpose2d", (weft_value[]) { x, w, b }, o.no_bias ? 2 : 3,
              (const weft_attr_arg[]) { WEFT_NUM("stride", o.stride ? o.stride : 1), WEFT_NUM("pads", o.pad), WEFT_NUM("output_pad", o.output_pad) }, 3);
}

weft_value batch_norm(net *n, const char *name, weft_value x, int c, bool batch_stats)
{
    const weft_shape s = WEFT_SHAPE(c);
    weft_value in[5] = { x, weight(n, path(n, "%s.weight", name), s), weight(n, path(n, "%s.bias", name), s), WEFT_NONE, WEFT_NONE };
    ignore(n, path(n, "%s.num_batches_tracked", name));
    if (batch_stats) ignore(n, path(n, "%s.running_mean", name)), ignore(n, path(n, "%s.running_var", name));
    else in[3] = weight(n, path(n, "%s.running_mean", name), s), in[4] = weight(n, path(n, "%s.running_var", name), s);
    weft_build_name(n->b, name);
    return op(n, "batch_norm", in, batch_stats ? 3 : 5, (const weft_attr_arg[]) { WEFT_NUM("batch_stats", batch_stats) }, 1);
}

weft_value instance_norm(net *n, const char *name, weft_value x, int c)
{
    const weft_shape s = WEFT_SHAPE(c);
    if (!name) return OP1(n, "instance_norm", x);
    const weft_value w = weight(n, path(n, "%s.weight", name), s), b = weight(n, path(n, "%s.bias", name), s);
    weft_build_name(n->b, name);
    return op(n, "instance_norm", (weft_value[]) { x, w, b }, 3, NULL, 0);
}

weft_value linear(net *n, const char *name, weft_value x, int in, int out)
{
    weft_build_name(n->b, name);
    const weft_value w = weight(n, path(n, "%s.weight", name), (weft_shape) WEFT_SHAPE(out, in));
    return op(n, "linear", (weft_value[]) { x, w, bias_of(n, name, out, false) }, 3, NULL, 0);
}

static weft_value lstm_layer(net *n, const char *name, int layer, weft_value x, int in, int hidden)
{
    const char *ih[2], *hh[2], *b[4];
    for (int back = 0; back < 2; back++) {
        const char *end = back ? "_reverse" : "";
        ih[back] = path(n, "%s.weight_ih_l%d%s", name, layer, end);
        hh[back] = path(n, "%s.weight_hh_l%d%s", name, layer, end);
        b[2 * back] = path(n, "%s.bias_ih_l%d%s", name, layer, end);
        b[2 * back + 1] = path(n, "%s.bias_hh_l%d%s", name, layer, end);
    }
    const weft_value w_ih = joined(n, path(n, "%s.weight_ih_l%d", name, layer), ih, 2, (weft_shape) WEFT_SHAPE(4 * hidden, in), (weft_shape) WEFT_SHAPE(2, 4 * hidden, in));
    const weft_value w_hh = joined(n, path(n, "%s.weight_hh_l%d", name, layer), hh, 2, (weft_shape) WEFT_SHAPE(4 * hidden, hidden), (weft_shape) WEFT_SHAPE(2, 4 * hidden, hidden));
    const weft_value bias = joined(n, path(n, "%s.bias_l%d", name, layer), b, 4, (weft_shape) WEFT_SHAPE(4 * hidden), (weft_shape) WEFT_SHAPE(2, 8 * hidden));
    weft_build_name(n->b, path(n, "%s.l%d", name, layer));
    return op(n, "lstm", (weft_value[]) { x, w_ih, w_hh, bias }, 4, (const weft_attr_arg[]) { WEFT_TEXT("direction", "bidirectional") }, 1);
}

weft_value lstm(net *n, const char *name, weft_value x, int in, int hidden, int layers)
{
    char kept[NET_PATH]; // every layer makes many paths
    snprintf(kept, sizeof kept, "%s", name);
    for (int i = 0; i < layers; i++) x = lstm_layer(n, kept, i, x, i ? 2 * hidden : in, hidden);
    return x;
}

weft_value self_attention(net *n, const char *name, weft_value x, int c, int inner, const char *const keys[3])
{
    static const char *const usual[3] = { "query_conv", "key_conv", "value_conv" };
    weft_value v[3];
    for (int i = 0; i < 3; i++) v[i] = conv(n, path(n, "%s.%s", name, keys ? keys[i] : usual[i]), x, c, i < 2 ? inner : c, 1, 0);
    const weft_value gamma = weight(n, path(n, "%s.gamma", name), (weft_shape) WEFT_SHAPE(1));
    weft_build_name(n->b, name);
    return add(n, mul(n, op(n, "sagan_attention", v, 3, NULL, 0), gamma), x);
}
