// SPDX-License-Identifier: MIT
// Operators against values worked out by hand, and against those of published definitions (written by
// tests/ops/golden/published_values.py), on the reference, on `cpu` and on a Vulkan device if there is one.
// The cases of tests/ops hold the devices to the reference; these hold the reference to the world.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/session.h>

// A tensor as text: "2,3: 1 2 3 4 5 6" is f32 of that shape, "i2,3: ..." holds integers, ": 5" is a scalar.
typedef struct value_case {
    const char *op, *attrs; // "starts=1,-1 mode=reflect"
    const char *in[7];      // ends with NULL
    const char *out[4];     // ends with NULL; "!text" instead: it fails, and the sentence has this text
} value_case;

static const value_case cases[] = {
#include "ops_values.def"
#include "ops_values_published.def"
};

enum { MAX_ELEMENTS = 512, MAX_IN = 6, MAX_OUT = 4 };
typedef struct tensor {
    weft_dtype dtype;
    weft_shape shape;
    int count;
    union { float f[MAX_ELEMENTS]; int32_t i[MAX_ELEMENTS]; } data;
} tensor;

static bool parse_tensor(const char *text, tensor *t)
{
    char *end;
    *t = (tensor) { .dtype = *text == 'i' ? WEFT_I32 : WEFT_F32 };
    text += *text == 'i';
    int64_t elements = 1;
    for (; *text != ':'; text = end + (*end == ',')) {
        elements *= t->shape.dim[t->shape.rank++] = strtoll(text, &end, 10);
        if (end == text) return false;
    }
    for (text++; t->count < MAX_ELEMENTS; t->count++, text = end) {
        const double v = strtod(text, &end);
        if (end == text) break;
        if (t->dtype == WEFT_I32) t->data.i[t->count] = (int32_t) v;
        else t->data.f[t->count] = (float) v;
    }
    return t->count == elements;
}

// "name=1,2 name=word": at most eight attributes.
static int parse_attrs(const char *text, char *room, weft_attr_arg *attrs)
{
    int count = 0;
    strcpy(room, text);
    for (char *word = strtok(room, " "); word; word = strtok(NULL, " "), count++) {
        char *equals = strchr(word, '='), *end;
        *equals++ = 0;
        attrs[count] = (weft_attr_arg) { .name = word };
        for (; *equals; equals = end + (*end == ',')) {
            const double v = strtod(equals, &end);
            if (end == equals) { attrs[count].text = equals; break; }
            attrs[count].num[attrs[count].count++] = v;
        }
    }
    return count;
}

static weft_result build(weft_context *ctx, const value_case *c, const tensor *in, int in_count, int out_count, weft_model **m)
{
    weft_builder *b;
    weft_value v[MAX_IN] = { 0 };
    char room[256], name[8];
    weft_attr_arg attrs[8];
    const int attr_count = parse_attrs(c->attrs, room, attrs);
    weft_result r = weft_builder_create(ctx, &b);
    if (r != WEFT_OK) return r;
    weft_build_entry(b, "main");
    for (int i = 0; i < in_count; i++) {
        snprintf(name, sizeof name, "x%d", i);
        v[i] = weft_build_input(b, name, in[i].dtype, in[i].shape);
    }
    const weft_value y = weft_build_op(b, c->op, v, in_count, attrs, attr_count);
    for (int k = 0; k < out_count; k++) {
        snprintf(name, sizeof name, "y%d", k);
        weft_build_output(b, name, y + k);
    }
    return weft_builder_finish(&b, m);
}

static bool same(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 2e-6 * (1 + fabs(b));
}

// What is wrong with an output, NULL: nothing.
static const char *compare(const tensor *got, const tensor *want, const weft_port *port, char text[128])
{
    if (port->dtype != want->dtype) return "the wrong type of number";
    if (port->shape.rank != want->shape.rank) return "the wrong rank";
    for (int d = 0; d < want->shape.rank; d++)
        if (port->shape.dim[d] != want->shape.dim[d]) return "the wrong shape";
    for (int i = 0; i < want->count; i++) {
        const double a = want->dtype == WEFT_I32 ? got->data.i[i] : got->data.f[i], b = want->dtype == WEFT_I32 ? want->data.i[i] : want->data.f[i];
        if (same(a, b)) continue;
        snprintf(text, 128, "element %d is %.9g, not %.9g", i, a, b);
        return text;
    }
    return NULL;
}

static const char *run(weft_device *dev, const weft_model *m, tensor *in, int in_count, const tensor *want, int out_count, char text[128])
{
    weft_session *s;
    weft_io from[MAX_IN] = { 0 }, to[MAX_OUT] = { 0 };
    static tensor got[MAX_OUT];
    const weft_port *ports;
    const char *wrong = NULL;
    if (weft_session_create(dev, m, NULL, &s) != WEFT_OK) return weft_error_text();
    if (weft_session_outputs(s, &ports) != out_count) wrong = "the wrong number of outputs";
    for (int i = 0; i < in_count; i++) from[i] = (weft_io) { NULL, &in[i].data, (size_t) in[i].count * 4 };
    for (int k = 0; k < out_count && !wrong; k++) {
        int64_t count = 1;
        for (int d = 0; d < ports[k].shape.rank; d++) count *= ports[k].shape.dim[d];
        if (count > MAX_ELEMENTS) wrong = "too many elements";
        to[k] = (weft_io) { NULL, &got[k].data, (size_t) count * 4 };
    }
    if (!wrong && weft_session_run(s, from, in_count, to, out_count) != WEFT_OK) wrong = weft_error_text();
    for (int k = 0; k < out_count && !wrong; k++) wrong = compare(&got[k], &want[k], &ports[k], text);
    weft_session_destroy(&s);
    return wrong;
}

// What is wrong with a case, NULL: nothing.
static const char *check(weft_context *ctx, weft_device *dev, const value_case *c, char text[128])
{
    static tensor in[MAX_IN], want[MAX_OUT];
    weft_model *m = NULL;
    int in_count = 0, out_count = 0;
    for (; in_count < MAX_IN && c->in[in_count]; in_count++)
        if (!parse_tensor(c->in[in_count], &in[in_count])) return "the test's input has the wrong number of elements";
    const bool fails = c->out[0][0] == '!';
    for (; !fails && out_count < MAX_OUT && c->out[out_count]; out_count++)
        if (!parse_tensor(c->out[out_count], &want[out_count])) return "the test's output has the wrong number of elements";
    const weft_result r = build(ctx, c, in, in_count, fails ? 1 : out_count, &m);
    if (fails) {
        weft_model_destroy(&m);
        if (r == WEFT_OK) return "it does not fail";
        return strstr(weft_error_text(), c->out[0] + 1) ? NULL : weft_error_text();
    }
    if (r != WEFT_OK) return weft_error_text();
    const char *wrong = run(dev, m, in, in_count, want, out_count, text);
    weft_model_destroy(&m);
    return wrong;
}

int main(void)
{
    static const char *const devices[] = { "reference", "cpu", "vulkan" };
    const int count = (int) (sizeof cases / sizeof *cases);
    weft_context *ctx;
    int bad = 0;
    if (weft_context_create(NULL, &ctx) != WEFT_OK) return 1;
    for (int d = 0; d < 3; d++) {
        weft_device *dev;
        char text[128];
        if (weft_device_open(ctx, &(weft_device_params) { .name = devices[d] }, &dev) != WEFT_OK) {
            printf("skipped %s: %s\n", devices[d], weft_error_text());
            bad += d < 2;
            continue;
        }
        for (int i = 0; i < count; i++) {
            const char *wrong = check(ctx, dev, &cases[i], text);
            if (wrong) printf("%s: %s %s of %s: %s\n", devices[d], cases[i].op, cases[i].attrs, cases[i].in[0], wrong);
            bad += wrong != NULL;
        }
        weft_device_destroy(&dev);
    }
    weft_context_destroy(&ctx);
    printf("%d cases, %d wrong\n", count, bad);
    return bad != 0;
}
