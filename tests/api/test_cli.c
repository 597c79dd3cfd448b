// SPDX-License-Identifier: MIT
// The weft command as a user meets it: every command, every exit code, on models of a few nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/build.h>
#include <weft/edit.h>

// --- Models and pictures to work on. ---------------------------------------------------------------------------

static void save(weft_builder *b, const char *name)
{
    weft_model *m = NULL;
    if (weft_builder_finish(&b, &m) != WEFT_OK || weft_model_save(m, in_folder(name)) != WEFT_OK) fail_msg("%s", weft_error_text());
    weft_model_destroy(&m);
}

// kind b: a blur of 5x5; n: NaN; both fill holes.
static void make_filler(char kind, const char *name)
{
    weft_builder *b;
    static float w[3 * 3 * 25];
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    weft_build_meta(b, "task", "inpaint");
    weft_build_meta(b, "author", "a \"quoted\" name");
    const int64_t h = weft_build_dim(b, "h", 32, 8), v = weft_build_dim(b, "w", 32, 8);
    const weft_value image = weft_build_input(b, "image", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, h, v));
    const weft_value mask = weft_build_input(b, "mask", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, h, v));
    for (int i = 0; i < 3 * 3 * 25; i++) w[i] = i / 25 / 3 == i / 25 % 3 ? 1 / 30.0f : 0;
    weft_build_name(b, "blur");
    weft_value y = weft_build(b, "conv2d", WEFT_IN(image, weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(3, 3, 5, 5), w)), WEFT_NUM("pads", 2));
    weft_build_name(b, "rest");
    const weft_value zero = weft_build_op(b, "sub", (weft_value[]) { mask, mask }, 2, NULL, 0);
    y = weft_build_op(b, kind == 'n' ? "div" : "add", (weft_value[]) { y, zero }, 2, NULL, 0);
    if (kind == 'n') y = weft_build_op(b, "mul", (weft_value[]) { y, zero }, 2, NULL, 0);
    weft_build_output(b, "output", y);
    save(b, name);
}

// Two entries: double (f32 x -> 2 x) and sum (i32 a, f32 b -> a + b).
static void make_arithmetic(void)
{
    weft_builder *b;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const int64_t n = weft_build_dim(b, "n", 4, 2);
    weft_build_entry(b, "double");
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(n, 3));
    weft_build_output(b, "y", weft_build_op(b, "add", (weft_value[]) { x, x }, 2, NULL, 0));
    weft_build_entry(b, "whole");
    const weft_value a = weft_build_input(b, "a", WEFT_I32, (weft_shape) WEFT_SHAPE(6));
    weft_build_output(b, "same", weft_build_op(b, "reshape", &a, 1, (weft_attr_arg[]) { { "shape", NULL, 2, { 2, 3 } } }, 1));
    save(b, "arithmetic.weft");
}

// w <- w + x, count <- count + 1, total = sum w
static void make_walk(void)
{
    weft_builder *b;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2));
    const weft_value w = weft_build_state(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(2), NULL);
    const weft_value count = weft_build_state(b, "count", WEFT_I32, (weft_shape) WEFT_SHAPE(1), (int32_t[]) { 10 });
    const weft_value one = weft_build_weight(b, "one", WEFT_I32, (weft_shape) WEFT_SHAPE(1), (int32_t[]) { 1 });
    const weft_value next = weft_build(b, "add", WEFT_IN(w, x), { 0 });
    weft_build_next(b, w, next);
    weft_build_next(b, count, weft_build(b, "add", WEFT_IN(count, one), { 0 }));
    weft_build_output(b, "total", weft_build(b, "sum", WEFT_IN(next), { 0 }));
    save(b, "walk.weft");
}

static void make_picture(const char *name, int w, int h, int channels, int bits)
{
    weft_image *i = NULL;
    assert_int_equal(weft_image_create(ctx, w, h, channels, bits, &i), WEFT_OK);
    unsigned char *p = weft_image_data(i);
    for (int k = 0; k < w * h * channels * bits / 8; k++) p[k] = (unsigned char) (k * 37 + (k >> 5) * 11 + 5);
    assert_int_equal(weft_image_save(i, in_folder(name), NULL), WEFT_OK);
    weft_image_destroy(&i);
}

static void make_mask(const char *name, int w, int h)
{
    weft_image *i = NULL;
    assert_int_equal(weft_image_create(ctx, w, h, 1, 8, &i), WEFT_OK);
    for (int y = h / 4; y < h / 2; y++) memset((char *) weft_image_data(i) + y * w + w / 4, 255, (size_t) w / 3);
    assert_int_equal(weft_image_save(i, in_folder(name), NULL), WEFT_OK);
    weft_image_destroy(&i);
}

static void write_bytes(const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    fclose(f);
}

static int set_up(void **state)
{
    (void) state;
    if (make_folder()) return 1;
    make_filler('b', "fill.weft");
    make_filler('n', "nan.weft");
    make_arithmetic();
    make_walk();
    make_picture("photo.png", 41, 37, 3, 8);
    make_picture("deep.png", 33, 50, 4, 16);
    make_mask("mask.png", 41, 37);
    make_mask("small.png", 12, 12);
    write_bytes("text.png", "this is no picture", 18);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    return drop_folder();
}

// --- Help and usage. -------------------------------------------------------------------------------------------

static void no_option_stands_twice(const char *command) // in the help that was printed; one would hide the other
{
    char names[128][64];
    int count = 0;
    for (const char *p = text; (p = strstr(p, "\n  ")); p++) {
        const char *line = p + 1, *end = line + strcspn(line, "\n"), *dashes = strstr(line, "--");
        if (!dashes || dashes > end || dashes > line + 6) continue; // not where an option begins
        const size_t n = strcspn(dashes, " \n");
        if (n >= sizeof names[0] || count == 128) continue;
        snprintf(names[count], sizeof names[0], "%.*s", (int) n, dashes);
        for (int i = 0; i < count; i++)
            if (!strcmp(names[i], names[count])) fail_msg("%s has two options %s", command, names[i]);
        count++;
    }
    assert_true(count >= 3);
}

static void help_lists_commands_codes_options_and_examples(void **state)
{
    (void) state;
    static const char *const names[] = { "inpaint", "generate", "invert", "edit", "metrics", "devices", "info", "ops", "run", "check", "import", "bench", "compare", "tokens", "help" };
    assert_code(0, "help");
    assert_says("Exit codes: 0 ok, 1 failed, 2 usage, 3 device lost or unavailable, 4 unsupported, 5 bad input file.");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_code(0, "help");
        assert_says(names[i]);
        assert_code(0, "help %s", names[i]);
        assert_says("--verbose");
        no_option_stands_twice(names[i]);
        assert_code(0, "%s --help", names[i]);
        assert_code(0, "%s -h", names[i]);
    }
    assert_code(0, "help inpaint");
    assert_says("-m, --mask MASK");
    assert_says("Examples");
    assert_code(0, "--version");
    assert_says(WEFT_VERSION);
    assert_code(2, "%s", "");
}

static void what_is_not_understood_is_code_2_and_the_nearest_is_named(void **state)
{
    (void) state;
    assert_code(2, "inpant");
    assert_says("did you mean 'inpaint'?");
    assert_code(2, "zzz");
    assert_code(2, "inpaint --mdoel x");
    assert_says("unknown option --mdoel; did you mean --model?");
    assert_code(2, "inpaint --masks=1");
    assert_says("did you mean --mask?");
    assert_code(2, "inpaint -Z");
    assert_code(2, "inpaint --model");
    assert_says("--model wants a value: MODEL");
    assert_code(2, "inpaint --precision quick");
    assert_says("--precision is exact|fast|mixed, not 'quick'");
    assert_code(2, "inpaint --quality 101");
    assert_says("not 1 to 100");
    assert_code(2, "inpaint --quality 9x");
    assert_code(2, "inpaint --resume=1");
    assert_code(2, "inpaint -i photo.png -m mask.png");
    assert_says("-o OUT is missing");
    assert_code(2, "inpaint -i photo.png -m mask.png -o out.gif");
    assert_says("must end in .png, .jpg or .jpeg");
    assert_code(2, "inpaint -i photo.png -m mask.png -o out.png --context wide");
    assert_code(2, "inpaint -i photo.png -m mask.png -o out.png -d cpu -g 0 -n fill.weft");
    assert_code(2, "metrics photo.png");
    assert_code(2, "metrics photo.png photo.png photo.png");
    assert_code(2, "info fill.weft --entry mian");
    assert_says("did you mean 'main'?");
    assert_code(2, "info fill.weft -D q=3");
    assert_code(2, "help nothing");
    assert_code(2, "ops conv3d");
    assert_says("conv2d");
}

// --- Looking. --------------------------------------------------------------------------------------------------

static cJSON *json(void)
{
    cJSON *top = cJSON_Parse(text);
    if (!top) fail_msg("no JSON:\n%s", text);
    return top;
}
static double number(const cJSON *o, const char *name)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);
    if (!cJSON_IsNumber(n)) fail_msg("no number %s", name);
    return n->valuedouble;
}

// Vulkan drivers keep some memory of their own; under the address sanitizer that is not ours to answer for.
static void driver_leaks(bool allowed)
{
    if (allowed) setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    else unsetenv("ASAN_OPTIONS");
}

static void devices_say_what_there_is_and_what_auto_takes(void **state)
{
    (void) state;
    driver_leaks(true);
    assert_code(0, "devices -q");
    assert_says("reference");
    assert_says("`auto` takes ");
    assert_code(0, "devices --json 2>/dev/null");
    cJSON *top = json();
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(top, "devices")) >= 2);
    assert_true(cJSON_IsString(cJSON_GetObjectItem(top, "auto")));
    cJSON_Delete(top);
    driver_leaks(false);
}

static void info_shows_metadata_ports_operators_and_cost(void **state)
{
    (void) state;
    assert_code(0, "info fill.weft --nodes");
    assert_says("a \"quoted\" name");
    assert_says("1x3xhxw");
    assert_says("conv2d 1");
    assert_says("a multiple of 8");
    assert_says("blur");
    assert_code(0, "info fill.weft --json -D h=64");
    cJSON *top = json(), *e = cJSON_GetArrayItem(cJSON_GetObjectItem(top, "entries"), 0);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(top, "metadata"), "task")->valuestring, "inpaint");
    assert_true(number(e, "parameters") == 225);
    assert_true(number(e, "weight_bytes") == 900);
    assert_true(number(e, "flops") >= 2.0 * 225 * 64 * 32);
    assert_true(number(e, "workspace_bytes") >= number(e, "workspace_least_bytes") && number(e, "workspace_least_bytes") >= 64 * 32 * 3 * 4);
    assert_true(number(cJSON_GetObjectItem(e, "operators"), "conv2d") == 1);
    cJSON_Delete(top);
    assert_code(0, "info arithmetic.weft --entry whole");
    assert_says("i32 6");
    assert_true(!strstr(text, "double"));
    assert_code(5, "info text.png");
    assert_says("text.png: ");
    assert_code(5, "info nowhere.weft");
}

static void ops_explain_themselves(void **state)
{
    (void) state;
    assert_code(0, "ops");
    assert_says("conv2d");
    assert_code(0, "ops conv2d");
    assert_says("stride");
    assert_code(0, "ops --all");
    assert_says("### relu");
}

// --- Running on NumPy files. -----------------------------------------------------------------------------------

// An .npy file; `data` as it lies in the file.
static void write_npy(const char *name, int version, const char *descr, bool fortran, const char *shape, const void *data, size_t bytes)
{
    unsigned char file[1024];
    char *head = (char *) file + (version > 1 ? 12 : 10);
    int n = sprintf(head, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, fortran ? "True" : "False", shape);
    while ((head - (char *) file + n + 1) % 64) head[n++] = ' ';
    head[n++] = '\n';
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (unsigned char) version, file[7] = 0, file[8] = (unsigned char) n, file[9] = (unsigned char) (n >> 8), file[10] = version > 1 ? 0 : file[10];
    if (version > 1) file[11] = 0;
    memcpy(head + n, data, bytes);
    write_bytes(name, file, (size_t) (head - (char *) file + n) + bytes);
}

static void read_floats(const char *name, const char *shape, float *to, size_t count)
{
    unsigned char file[2048];
    FILE *f = fopen(in_folder(name), "rb");
    assert_non_null(f);
    const size_t n = fread(file, 1, sizeof file - 1, f);
    fclose(f);
    file[n] = 0;
    assert_memory_equal(file, "\x93NUMPY\1\0", 8);
    const size_t head = file[8] | (size_t) file[9] << 8;
    assert_int_equal((10 + head) % 64, 0);
    assert_int_equal(n, 10 + head + 4 * count);
    assert_non_null(strstr((char *) file + 10, shape));
    memcpy(to, file + 10 + head, 4 * count);
}

static void npy_files_of_every_kind_are_read_alike(void **state)
{
    (void) state;
    // The numbers 0, 1, 2, 3, 4, 5 as [2, 3].
    static const double f8[] = { 0, 1, 2, 3, 4, 5 }, f8f[] = { 0, 3, 1, 4, 2, 5 };
    static const float f4[] = { 0, 1, 2, 3, 4, 5 };
    static const unsigned char f2[] = { 0, 0, 0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45 }, u1[] = { 0, 1, 2, 3, 4, 5 };
    static const unsigned char big2[] = { 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5 }, big4[] = { 0, 0, 0, 0, 0x3f, 0x80, 0, 0, 0x40, 0, 0, 0, 0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0, 0x40, 0xa0, 0, 0 };
    static const int64_t i8[] = { 0, 1, 2, 3, 4, 5 };
    const struct { int version; const char *descr; bool fortran; const void *data; size_t bytes; } cases[] = {
        { 1, "<f4", false, f4, sizeof f4 }, { 2, "<f8", false, f8, sizeof f8 }, { 3, "<f8", true, f8f, sizeof f8f }, { 1, "<f2", false, f2, sizeof f2 },
        { 1, "|u1", false, u1, sizeof u1 }, { 1, "|i1", false, u1, sizeof u1 }, { 1, ">i2", false, big2, sizeof big2 }, { 1, ">u2", false, big2, sizeof big2 },
        { 1, ">f4", false, big4, sizeof big4 }, { 1, "<i8", false, i8, sizeof i8 }, { 1, "<u8", false, i8, sizeof i8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float y[6];
        write_npy("x.npy", cases[i].version, cases[i].descr, cases[i].fortran, "(2, 3)", cases[i].data, cases[i].bytes);
        assert_code(0, "run arithmetic.weft --in x=x.npy --out y.npy --device cpu");
        read_floats("y.npy", "'shape': (2, 3)", y, 6);
        for (int k = 0; k < 6; k++) assert_true(y[k] == 2 * (float) k);
    }
    static const unsigned char yes[] = { 1, 0, 1, 1, 0, 0 };
    write_npy("b.npy", 1, "|b1", false, "(6,)", yes, 6);
    assert_code(0, "run arithmetic.weft --in x=x.npy --out y.npy --device cpu --repeat 3 --profile");
    assert_says("GFLOP/s");
    assert_says("ms per run");
    assert_code(0, "run arithmetic.weft -e whole -i b.npy -o same=s.npy -d reference -v");
    assert_says("same i32 2x3: 0 to 1, mean 0.5");
}

static void gradients_are_outputs(void **state)
{
    (void) state;
    const float x[6] = { 1, 2, 3, 4, 5, 6 }, c[6] = { 1, -1, 2, 0, 0.5f, 3 };
    float g[6];
    write_npy("x.npy", 1, "<f4", false, "(2, 3)", x, sizeof x);
    write_npy("c.npy", 1, "<f4", false, "(2, 3)", c, sizeof c);
    assert_code(0, "run arithmetic.weft -i x.npy --cotangent c.npy --grad g.npy -d reference");
    read_floats("g.npy", "'shape': (2, 3)", g, 6);
    for (int i = 0; i < 6; i++) assert_true(g[i] == 2 * c[i]);
    assert_code(0, "run arithmetic.weft -i x.npy --cotangent y=c.npy --grad x=h.npy -o y=y.npy -d cpu");
    assert_true(exists("h.npy"));
    read_floats("y.npy", "'shape': (2, 3)", g, 6);
    for (int i = 0; i < 6; i++) assert_true(g[i] == 2 * x[i]);
    assert_code(5, "run arithmetic.weft -i x.npy --grad g.npy -d cpu");
    assert_says("the loss 'y' has more than one element");
    assert_code(5, "run arithmetic.weft -i x.npy --cotangent c.npy --grad z=g.npy -d cpu");
    assert_says("gradient by 'z'");
    assert_code(2, "run arithmetic.weft -i x.npy --cotangent c.npy -d cpu");
    assert_code(2, "run arithmetic.weft -i x.npy --cotangent c.npy --cotangent c.npy --grad g.npy -d cpu");
    write_npy("c.npy", 1, "<f4", false, "(3, 2)", c, sizeof c);
    assert_code(5, "run arithmetic.weft -i x.npy --cotangent c.npy --grad g.npy -d cpu");
}

static void states_go_on_from_step_to_step(void **state)
{
    (void) state;
    const float x[2] = { 0.5f, 2 }, w[2] = { 100, 200 };
    const double eight[2] = { 1, 1 };
    float got[2], total;
    write_npy("x.npy", 1, "<f4", false, "(2,)", x, sizeof x);
    write_npy("w.npy", 1, "<f4", false, "(2,)", w, sizeof w);
    assert_code(0, "info walk.weft --nodes");
    assert_says("states   w                f32 2");
    assert_says("next 'count' = %");
    assert_code(0, "info walk.weft --json");
    assert_says("\"state_bytes\":");
    for (int d = 0; d < 2; d++) {
        assert_code(0, d ? "run walk.weft -i x.npy --steps 8 --get w=e.npy --get count=k.npy -o t.npy -d cpu -v"
                         : "run walk.weft -i x.npy -s 8 --get e.npy --get k.npy -o t.npy -d reference -v");
        assert_says("8 steps in ");
        read_floats("e.npy", "'shape': (2,)", got, 2);
        assert_true(got[0] == 4 && got[1] == 16);
        read_floats("k.npy", "'<i4'", got, 1);
        assert_memory_equal(got, &(int32_t) { 18 }, 4);
        read_floats("t.npy", "'shape': ()", &total, 1);
        assert_true(total == 20); // after the last step
    }
    assert_code(0, "run walk.weft -i x.npy --set w=w.npy --get w=e.npy -d cpu");
    read_floats("e.npy", "'shape': (2,)", got, 2);
    assert_true(got[0] == 100.5f && got[1] == 202);
    assert_code(2, "run walk.weft -i x.npy --steps 2 --repeat 3 -d cpu");
    assert_code(2, "run walk.weft -i x.npy --steps 0 -d cpu");
    assert_code(2, "run walk.weft -i x.npy --get a.npy --get b.npy --get c.npy -d cpu");
    assert_says("only 2 states");
    write_npy("w.npy", 1, "<f8", false, "(1, 2)", eight, sizeof eight);
    assert_code(5, "run walk.weft -i x.npy --set w=w.npy -d cpu");
    assert_says("state 'w' wants 2");
    assert_code(5, "run walk.weft -i x.npy --set w=nowhere.npy -d cpu");
}

static void texts_become_tokens(void **state)
{
    (void) state;
    static const char list[] = "#version\nr e\nre d</w>\n";
    int32_t rows[2][6], want[2][6] = { { 514, 320, 513, 515, 0, 0 }, { 514, 513, 513, 513, 513, 515 } };
    write_bytes("merges.txt", list, sizeof list - 1);
    assert_code(0, "tokens 'a RED' --vocab merges.txt");
    assert_says("514 320 513 515\n");
    assert_code(0, "tokens 'a red' 'red red red red red' --length 6 --truncate --vocab merges.txt -o tokens.npy");
    FILE *f = fopen(in_folder("tokens.npy"), "rb");
    assert_true(f && !fseek(f, -(long) sizeof rows, SEEK_END) && fread(rows, sizeof rows, 1, f) == 1);
    fclose(f);
    assert_memory_equal(rows, want, sizeof rows);
    assert_code(5, "tokens 'red red red red red' --length 6 --vocab merges.txt");
    assert_says("has 5 tokens, and there is room for 4");
    assert_code(5, "tokens a --vocab none.txt");
    assert_says("none.txt: cannot open");
    assert_code(2, "tokens a");
    assert_says("--vocab is needed");
}

static void npy_files_that_do_not_fit_are_code_5_with_the_reason(void **state)
{
    (void) state;
    static const double much[] = { 1e300, 0, 0, 0, 0, 0 }, half[] = { .5, 0, 0, 0, 0, 0 };
    static const int64_t wide[] = { 1LL << 31, 0, 0, 0, 0, 0 };
    static const float f[12] = { 0 };
    write_npy("x.npy", 1, "<f8", false, "(2, 3)", much, sizeof much);
    assert_code(5, "run arithmetic.weft -i x.npy -d cpu");
    assert_says("x.npy: number 0 does not fit 32-bit floating point");
    write_npy("x.npy", 1, "<f8", false, "(6,)", half, sizeof half);
    assert_code(5, "run arithmetic.weft -e whole -i x.npy -d cpu");
    assert_says("does not fit a 32-bit integer");
    write_npy("x.npy", 1, "<i8", false, "(6,)", wide, sizeof wide);
    assert_code(5, "run arithmetic.weft -e whole -i x.npy -d cpu");
    write_npy("x.npy", 1, "<f4", false, "(3, 3)", f, 36);
    assert_code(5, "run arithmetic.weft -i x.npy -d cpu"); // n must be even
    assert_says("not a positive multiple of 2");
    write_npy("x.npy", 1, "<f4", false, "(4, 3)", f, 44);
    assert_code(5, "run arithmetic.weft -i x.npy -d cpu");
    assert_says("needs 48 bytes, the file has 44");
    write_npy("x.npy", 1, "<c8", false, "(2, 3)", f, 48);
    assert_code(5, "run arithmetic.weft -i x.npy -d cpu");
    write_npy("x.npy", 1, "<f4", false, "(1099511627776, 1099511627776, 1099511627776)", f, 48);
    assert_code(5, "run arithmetic.weft -i x.npy -d cpu");
    assert_code(5, "run arithmetic.weft -i text.png -d cpu");
    assert_says("text.png: not a .npy file");
    assert_code(5, "run arithmetic.weft -i nowhere.npy -d cpu");
    assert_code(2, "run arithmetic.weft -d cpu");
    assert_says("input 'x' (f32 nx3) is not given; use --in x=FILE.npy");
    write_npy("x.npy", 1, "<f4", false, "(2, 3)", f, 24);
    assert_code(2, "run arithmetic.weft -i x=x.npy -i x=x.npy -d cpu");
    assert_code(1, "run arithmetic.weft -i x.npy -o nowhere/y.npy -d cpu");
    unsigned char cut[200];
    FILE *file = fopen(in_folder("x.npy"), "rb");
    const size_t n = fread(cut, 1, sizeof cut, file);
    fclose(file);
    for (size_t k = 0; k < n; k += 7) {
        write_bytes("cut.npy", cut, k);
        assert_code(5, "run arithmetic.weft -i cut.npy -d cpu");
    }
}

// --- Checking. -------------------------------------------------------------------------------------------------

static void check_compares_nodes_and_names_the_first_that_differs(void **state)
{
    (void) state;
    assert_code(0, "check fill.weft --device cpu -v");
    assert_says("cpu against reference");
    assert_says("blur");
    assert_says("ok");
    assert_code(0, "check arithmetic.weft --device cpu --entry whole");
    assert_code(1, "check fill.weft --device cpu --no-fuse --tolerance 1e-30 -D h=64");
    assert_says("first conv2d 'blur");
    assert_code(2, "check fill.weft --device reference");
    assert_code(2, "check fill.weft --device cpu --against cpu");
    assert_code(5, "check text.png");
}

static void a_device_that_is_not_there_is_code_3(void **state)
{
    (void) state;
    driver_leaks(true);
    assert_code(3, "check fill.weft --device 'no such device'");
    assert_code(3, "run arithmetic.weft -i x.npy -g 97");
    assert_code(3, "inpaint -i photo.png -m mask.png -o o.png -n fill.weft -g 97");
    driver_leaks(false);
    assert_false(exists("o.png"));
    assert_code(0, "inpaint -i photo.png -m mask.png -o o.png -n fill.weft -g -1 -v");
    assert_says("device: cpu");
    remove(in_folder("o.png"));
}

// --- Inpainting. -----------------------------------------------------------------------------------------------

static weft_image *load(const char *name)
{
    weft_image *i = NULL;
    if (weft_image_load(ctx, in_folder(name), &i) != WEFT_OK) fail_msg("%s", weft_error_text());
    return i;
}

// Every byte outside the hole is the same, some inside differ; the alpha is the same everywhere.
static void assert_filled(const char *photo, const char *mask, const char *out)
{
    weft_image *a = load(photo), *m = load(mask), *b = load(out);
    const weft_image_info *i = weft_image_get_info(a), *k = weft_image_get_info(m);
    const unsigned char *x = weft_image_view(a), *y = weft_image_view(b), *hole = weft_image_view(m);
    const size_t sample = (size_t) i->bits / 8, pixel = sample * (size_t) i->channels;
    int changed = 0;
    assert_int_equal(weft_image_get_info(b)->channels, i->channels);
    assert_int_equal(weft_image_get_info(b)->bits, i->bits);
    for (int p = 0; p < i->width * i->height; p++) {
        const int mx = (2 * (p % i->width) + 1) * k->width / (2 * i->width), my = (2 * (p / i->width) + 1) * k->height / (2 * i->height);
        const unsigned char *u = x + (size_t) p * pixel, *v = y + (size_t) p * pixel;
        if (hole[my * k->width + mx] <= 127) assert_memory_equal(u, v, pixel);
        else changed += memcmp(u, v, pixel) != 0;
        if (i->channels % 2 == 0) assert_memory_equal(u + pixel - sample, v + pixel - sample, sample);
    }
    assert_true(changed > 50);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&m);
}

static void inpaint_leaves_every_pixel_outside_the_hole_as_it_was(void **state)
{
    (void) state;
    assert_code(0, "inpaint -i photo.png -m mask.png -o out.png -n fill.weft -d cpu");
    assert_string_equal(text, ""); // nothing to say
    assert_filled("photo.png", "mask.png", "out.png");
    assert_code(0, "inpaint -i deep.png -m small.png -o out.png -n fill.weft -d reference -v");
    assert_says("16 bits");
    assert_filled("deep.png", "small.png", "out.png");
    assert_code(0, "inpaint -i deep.png -m small.png -o out.png --model telea");
    assert_filled("deep.png", "small.png", "out.png");
    assert_code(0, "inpaint -i photo.png -m mask.png -o out -f png -n fill.weft -d cpu --context 8");
    assert_filled("photo.png", "mask.png", "out");
    assert_code(0, "inpaint -i photo.png -m mask.png -o out.jpg -n telea --quality 80");
    weft_image *i = load("out.jpg");
    assert_int_equal(weft_image_get_info(i)->width, 41);
    weft_image_destroy(&i);
    assert_code(4, "inpaint -i deep.png -m small.png -o alpha.jpg -n telea");
    assert_says("write a PNG");
    assert_code(5, "inpaint -i photo.png -m mask.png -o out.png -n fill.weft -d cpu -e mian");
}

static void a_nan_result_is_an_error_and_no_file(void **state)
{
    (void) state;
    assert_code(1, "inpaint -i photo.png -m mask.png -o nan.png -n nan.weft -d cpu");
    assert_says("NaN or infinity");
    assert_false(exists("nan.png"));
}

static void bad_files_are_code_5_with_file_and_remedy(void **state)
{
    (void) state;
    assert_code(5, "inpaint -i text.png -m mask.png -o out5.png -n telea");
    assert_says("weft inpaint: text.png: not a PNG or JPEG picture (starts with 74 68 69 73");
    assert_code(5, "inpaint -i photo.png -m text.png -o out5.png -n telea");
    assert_code(5, "inpaint -i photo.png -m nowhere.png -o out5.png -n telea");
    assert_code(5, "inpaint -i photo.png -m mask.png -o out5.png -n text.png");
    assert_code(5, "inpaint -i photo.png -m mask.png -o out5.png -n nosuchmodel");
    assert_code(5, "inpaint -i photo.png -m mask.png -o out5.png -n arithmetic.weft -d cpu");
    assert_says("not an inpainting model");
    assert_code(5, "inpaint -i photo.png -m mask.png -o out5.png -n telea --mask-mode alpha");
    assert_says("no alpha");
    assert_false(exists("out5.png"));
    assert_code(2, "import anything"); // of which network?
}

static void too_little_memory_is_said_with_figures_and_a_remedy(void **state)
{
    (void) state;
    make_picture("large.png", 700, 500, 3, 8);
    assert_code(1, "inpaint -i large.png -m small.png -o large.out.png -n fill.weft -d cpu --memory 1 --context full");
    assert_says("more than the 1048576 allowed");
    assert_says("try a smaller --context");
    assert_false(exists("large.out.png"));
    make_mask("tiny.png", 1000, 10); // one wide strip: its windows fit where the picture does not
    assert_code(0, "inpaint -i large.png -m tiny.png -o large.out.png -n fill.weft -d cpu --memory 5 -v");
    assert_says("windows of");
    assert_filled("large.png", "tiny.png", "large.out.png");
}

static void a_batch_goes_on_after_a_bad_picture_and_says_so(void **state)
{
    (void) state;
    mkdir(in_folder("photos"), 0777), mkdir(in_folder("masks"), 0777);
    make_picture("photos/a.png", 40, 30, 3, 8);
    make_picture("photos/b.jpg", 40, 30, 3, 8);
    write_bytes("photos/c.png", "broken", 6);
    make_picture("photos/d.png", 25, 31, 1, 8);
    make_mask("photos/d.mask.png", 25, 31); // a mask among the photos is no photo
    make_mask("masks/a.png", 40, 30), make_mask("masks/b.png", 40, 30), make_mask("masks/c.png", 40, 30), make_mask("masks/d.mask.png", 25, 31);
    assert_code(1, "inpaint -i photos -m masks -o done -n fill.weft -d cpu");
    assert_says("photos/c.png: not a PNG or JPEG picture");
    assert_says("1 of 4 pictures failed");
    assert_filled("photos/a.png", "masks/a.png", "done/a.png");
    assert_filled("photos/d.png", "masks/d.mask.png", "done/d.png");
    assert_true(exists("done/b.jpg"));
    assert_false(exists("done/c.png"));
    assert_code(1, "inpaint -i photos -m masks -o done -n fill.weft -d cpu --resume -f png");
    assert_says("2 of 4 were there already");
    assert_code(0, "inpaint -i photo.png -i photos/a.png -m mask.png -o done -n telea");
    assert_true(exists("done/photo.png"));
    assert_code(2, "inpaint -i photos/a.png -i photos/d.png -i photo.png -m mask.png -m mask.png -o done -n telea");
    assert_says("2 masks for 3 pictures");
    assert_code(2, "inpaint -i photo.png -i ./photo.png -m mask.png -o done -n telea");
    assert_says("would both become");
}

static void a_full_disk_fails_and_leaves_the_old_file(void **state)
{
    (void) state;
    assert_code(0, "inpaint -i photo.png -m mask.png -o kept.png -n telea");
    struct rlimit before, tight;
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &tight);
    const int code = weft("inpaint -i photo.png -m mask.png -o kept.png -n fill.weft -d cpu --no-cache");
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, 1);
    assert_says("kept.png: cannot write");
    assert_filled("photo.png", "mask.png", "kept.png");
    assert_code(1, "info fill.weft --json >/dev/full");
}

static void interrupting_stops_a_run_without_a_file(void **state)
{
    (void) state;
    make_picture("wide.png", 1600, 1200, 3, 8);
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && { '%s' inpaint -i wide.png -m mask.png -o wide.out.png -n telea --radius 20 2>said & } && sleep 0.7 && kill -INT $! && wait $!", folder, program);
    const int status = system(line); // a shell's background job ignores SIGINT unless told otherwise: the command asks for it
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_false(exists("wide.out.png"));
}

static void metrics_agree_with_the_library(void **state)
{
    (void) state;
    make_picture("other.png", 41, 37, 1, 8);
    assert_code(0, "metrics photo.png other.png --mask small.png --json");
    weft_image *a = load("photo.png"), *b = load("other.png"), *m = load("small.png");
    weft_metrics all, hole;
    assert_int_equal(weft_compare(a, b, m, WEFT_MASK_HOLE, &all, &hole), WEFT_OK);
    cJSON *top = json(), *h = cJSON_GetObjectItem(top, "hole"), *p = cJSON_GetObjectItem(top, "picture");
    assert_float_equal(number(p, "psnr_db"), all.psnr_db, 1e-9);
    assert_float_equal(number(h, "ssim"), hole.ssim, 1e-9);
    assert_float_equal(number(h, "l1_percent"), hole.l1_percent, 1e-9);
    assert_float_equal(number(p, "l2_percent"), all.l2_percent, 1e-9);
    cJSON_Delete(top);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&m);
    assert_code(0, "metrics photo.png photo.png");
    assert_says("inf");
    assert_code(5, "metrics photo.png deep.png");
    assert_says("differ in size");
    assert_code(5, "metrics photo.png text.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_lists_commands_codes_options_and_examples),
        cmocka_unit_test(what_is_not_understood_is_code_2_and_the_nearest_is_named),
        cmocka_unit_test(devices_say_what_there_is_and_what_auto_takes),
        cmocka_unit_test(info_shows_metadata_ports_operators_and_cost),
        cmocka_unit_test(ops_explain_themselves),
        cmocka_unit_test(npy_files_of_every_kind_are_read_alike),
        cmocka_unit_test(gradients_are_outputs),
        cmocka_unit_test(states_go_on_from_step_to_step),
        cmocka_unit_test(texts_become_tokens),
        cmocka_unit_test(npy_files_that_do_not_fit_are_code_5_with_the_reason),
        cmocka_unit_test(check_compares_nodes_and_names_the_first_that_differs),
        cmocka_unit_test(a_device_that_is_not_there_is_code_3),
        cmocka_unit_test(inpaint_leaves_every_pixel_outside_the_hole_as_it_was),
        cmocka_unit_test(a_nan_result_is_an_error_and_no_file),
        cmocka_unit_test(bad_files_are_code_5_with_file_and_remedy),
        cmocka_unit_test(too_little_memory_is_said_with_figures_and_a_remedy),
        cmocka_unit_test(a_batch_goes_on_after_a_bad_picture_and_says_so),
        cmocka_unit_test(a_full_disk_fails_and_leaves_the_old_file),
        cmocka_unit_test(interrupting_stops_a_run_without_a_file),
        cmocka_unit_test(metrics_agree_with_the_library),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
