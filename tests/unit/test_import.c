// SPDX-License-Identifier: MIT
// The importers on checkpoints that are not as they should be, and the reader of .safetensors on files that nobody should trust.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "import/import.h"
#include "import/safetensors.h"
#include "nets/made.h"
#include <unistd.h>
#include <weft/session.h>

static weft_context *ctx;
static made_case garment;
static char error[IMPORT_ERROR], warnings[8192];

static int set_up(void **state)
{
    (void) state;
    return weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || !made_read_case("tests/nets/cases", "weft-garment", &garment);
}

static int tear_down(void **state)
{
    (void) state;
    weft_context_destroy(&ctx);
    return 0;
}

static void warn(void *user, const char *line)
{
    (void) user;
    const size_t n = strlen(warnings);
    snprintf(warnings + n, sizeof warnings - n, "%s\n", line);
}

static weft_result import_as(const made_case *c, const char *prefix, import_params p, weft_model **out)
{
    char path[] = "/tmp/weft-import-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && !close(fd));
    assert_true(made_write(c, prefix, path));
    p.path = path, p.warn = warn;
    if (!p.arch) p.arch = "weft-garment";
    *warnings = *error = 0;
    *out = NULL;
    const weft_result r = import_model(ctx, &p, out, error);
    assert_true((r == WEFT_OK) == (*out != NULL) && (r == WEFT_OK) == !*error);
    remove(path);
    return r;
}

static weft_result import(const made_case *c, const char *prefix, import_params p)
{
    weft_model *m;
    const weft_result r = import_as(c, prefix, p, &m);
    weft_model_destroy(&m);
    return r;
}

static int index_of(const made_case *c, const char *name)
{
    int i = 0;
    while (strcmp(c->tensor[i].name, name)) i++;
    return i;
}

static void a_checkpoint_becomes_a_model_that_says_what_it_is(void **state)
{
    (void) state;
    weft_model *m;
    const weft_port *ports;
    assert_int_equal(import_as(&garment, "", (import_params) { 0 }, &m), WEFT_OK);
    assert_string_equal(warnings, "");
    assert_string_equal(weft_model_meta(m, "architecture"), "weft-garment");
    assert_string_equal(weft_model_meta(m, "task"), "inpaint");
    assert_int_equal(weft_model_inputs(m, 0, &ports), 2);
    assert_string_equal(ports[1].name, "mask");
    assert_int_equal(weft_model_outputs(m, 0, &ports), 2);
    assert_string_equal(ports[1].name, "fine");
    weft_model_facts f;
    assert_int_equal(weft_model_measure(m, 0, NULL, 0, &f), WEFT_OK);
    int64_t count = 0;
    for (int i = 0; i < garment.tensor_count; i++) count += made_count(garment.tensor[i].shape);
    assert_int_equal(f.parameters, count);
    assert_int_equal(f.weight_bytes, 4 * count);
    weft_model_destroy(&m);
}

static void a_prefix_is_found_or_chosen(void **state)
{
    (void) state;
    assert_int_equal(import(&garment, "netG.module.", (import_params) { 0 }), WEFT_OK);
    assert_int_equal(import(&garment, "a.", (import_params) { .prefix = "a." }), WEFT_OK);
    assert_int_equal(import(&garment, "a.", (import_params) { .prefix = "b." }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'b.coarse.down1.conv.weight'"));
    static made_case two;
    two = garment;
    strcpy(two.tensor[two.tensor_count].name, "other.coarse.down1.conv.weight");
    two.tensor[two.tensor_count++].shape = (made_shape) { 1, { 3 } };
    assert_int_equal(import(&two, "x.", (import_params) { 0 }), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(error, "--prefix"));
    assert_int_equal(import(&two, "", (import_params) { 0 }), WEFT_OK); // without a prefix: that one
    assert_int_equal(import(&two, "x.", (import_params) { .prefix = "x." }), WEFT_OK);
    assert_string_equal(warnings, "tensor 'x.other.coarse.down1.conv.weight' was not used\n");
}

static bool is_output(const weft_model *m, int entry, const char *name)
{
    const weft_port *ports;
    const int count = weft_model_outputs(m, entry, &ports);
    for (int i = 0; i < count; i++)
        if (!strcmp(ports[i].name, name)) return true;
    return false;
}

static void a_name_may_be_in_one_naming_or_another(void **state)
{
    (void) state;
    static made_case c;
    weft_model *m;
    assert_true(made_read_case("tests/nets/cases", "vgg16-lpips", &c)); // NVIDIA's names
    assert_int_equal(import_as(&c, "net.", (import_params) { .arch = "vgg16" }, &m), WEFT_OK);
    assert_true(is_output(m, 0, "relu5_3") && is_output(m, 0, "pool1") && is_output(m, weft_model_find_entry(m, "classifier"), "logits"));
    weft_model_destroy(&m);
    assert_true(made_read_case("tests/nets/cases", "vgg16-classifier", &c)); // torchvision's
    assert_int_equal(import_as(&c, "", (import_params) { .arch = "vgg16" }, &m), WEFT_OK);
    assert_int_equal(weft_model_find_entry(m, "classifier"), 1);
    weft_model_destroy(&m);
    assert_int_equal(import(&c, "", (import_params) { .arch = "vgg19" }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'features.16.weight'"));
    assert_int_equal(import(&c, "", (import_params) { .arch = "lpips-vgg" }), WEFT_ERR_FORMAT); // the differences' weights are missing
    assert_non_null(strstr(error, "'lin0.model.1.weight'"));
    assert_int_equal(import(&garment, "", (import_params) { .arch = "vgg16" }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'features.0.weight', nor as in another naming"));
}

static void an_encoder_finds_the_mean_code_beside_it(void **state)
{
    (void) state;
    static made_case c;
    weft_model *m;
    assert_true(made_read_case("tests/nets/cases", "e4e-encode", &c));
    for (int i = 0; i < c.tensor_count; i++) {
        char name[sizeof c.tensor[0].name];
        if (!strcmp(c.tensor[i].name, "latent_avg")) continue;
        assert_true(snprintf(name, sizeof name, "encoder.%.100s", c.tensor[i].name) < (int) sizeof name);
        strcpy(c.tensor[i].name, name);
    }
    assert_int_equal(import_as(&c, "", (import_params) { .arch = "e4e" }, &m), WEFT_OK);
    assert_string_equal(warnings, "");
    assert_string_equal(weft_model_meta(m, "image.size"), "64");
    assert_int_equal(weft_model_find_entry(m, "encode"), 1);
    weft_model_destroy(&m);
    strcpy(c.tensor[index_of(&c, "latent_avg")].name, "mean");
    assert_int_equal(import_as(&c, "", (import_params) { .arch = "e4e" }, &m), WEFT_OK);
    assert_int_equal(weft_model_find_entry(m, "encode"), -1);
    weft_model_destroy(&m);
    strcpy(c.tensor[index_of(&c, "encoder.latlayer2.weight")].name, "encoder.other");
    assert_int_equal(import(&c, "", (import_params) { .arch = "e4e" }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'encoder.styles.4' has 4 convolutions: there is no level for it"));
}

static void half_of_clip_is_a_model_too(void **state)
{
    (void) state;
    static made_case c;
    weft_model *m;
    weft_model_facts f;
    assert_true(made_read_case("tests/nets/cases", "clip-vit-image", &c));
    assert_int_equal(import_as(&c, "", (import_params) { .arch = "clip-vit-b32", .half = 1 }, &m), WEFT_OK);
    assert_int_equal(weft_model_find_entry(m, "text"), 1);
    assert_string_equal(weft_model_meta(m, "image.size"), "24");
    assert_int_equal(weft_model_measure(m, 1, NULL, 0, &f), WEFT_OK);
    assert_true((int64_t) f.weight_bytes < 3 * f.parameters);
    weft_model_destroy(&m);
    strcpy(c.tensor[index_of(&c, "token_embedding.weight")].name, "other");
    assert_int_equal(import_as(&c, "", (import_params) { .arch = "clip-vit-b32" }, &m), WEFT_OK);
    assert_int_equal(weft_model_find_entry(m, "text"), -1);
    weft_model_destroy(&m);
}

static void a_missing_tensor_is_named(void **state)
{
    (void) state;
    static made_case c;
    c = garment;
    const int i = index_of(&c, "fine.up2.conv.bias");
    strcpy(c.tensor[i].name, "fine.up2.conv.bios");
    assert_int_equal(import(&c, "module.", (import_params) { 0 }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'module.fine.up2.conv.bias'"));
}

static void a_tensor_of_another_shape_is_named_with_both_shapes(void **state)
{
    (void) state;
    static made_case c;
    c = garment;
    const int i = index_of(&c, "fine.up2.conv.weight");
    c.tensor[i].shape = (made_shape) { 4, { 48, 32, 3, 3 } };
    assert_int_equal(import(&c, "", (import_params) { 0 }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "'fine.up2.conv.weight'"));
    assert_non_null(strstr(error, "[48, 32, 3, 3]"));
    assert_non_null(strstr(error, "[32, 48, 3, 3]"));
}

static void tensors_that_are_left_over_are_told(void **state)
{
    (void) state;
    static made_case c;
    c = garment;
    for (int i = 0; i < 10; i++) {
        snprintf(c.tensor[c.tensor_count].name, sizeof c.tensor[0].name, "zz.%d", i);
        c.tensor[c.tensor_count++].shape = (made_shape) { 1, { 1 } };
    }
    assert_int_equal(import(&c, "", (import_params) { 0 }), WEFT_OK);
    assert_non_null(strstr(warnings, "tensor 'zz.0' was not used\n"));
    assert_non_null(strstr(warnings, "... and 2 more\n"));
}

static void another_network_or_no_network_is_refused(void **state)
{
    (void) state;
    assert_int_equal(import(&garment, "", (import_params) { .arch = "dpconv" }), WEFT_ERR_FORMAT);
    assert_non_null(strstr(error, "block_0.weight"));
    assert_int_equal(import(&garment, "", (import_params) { .arch = "nothing" }), WEFT_ERR_ARGUMENT);
    assert_int_equal(import(&garment, "", (import_params) { .arch = "deepfillv2", .variant = "xy" }), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(error, "tf|pt"));
    assert_int_equal(import(&garment, "", (import_params) { .variant = "tf" }), WEFT_ERR_ARGUMENT);
    assert_null(import_arch_find("dp"));
    assert_null(import_arch_at(-1));
}

static void half_stores_large_weights_in_half_the_room(void **state)
{
    (void) state;
    weft_model *m;
    weft_model_facts f;
    assert_int_equal(import_as(&garment, "", (import_params) { .half = 1 }, &m), WEFT_OK);
    assert_int_equal(weft_model_measure(m, 0, NULL, 0, &f), WEFT_OK);
    assert_true(f.weight_bytes < 2.02 * (double) f.parameters && f.weight_bytes > 2 * (size_t) f.parameters); // biases stay f32
    weft_model_destroy(&m);
}

// --- .safetensors ----------------------------------------------------------------------------------------------------

static int read_text(const char *json, size_t data_bytes)
{
    static unsigned char file[4096];
    char why[SAFETENSORS_ERROR] = "";
    safetensors s;
    const size_t n = strlen(json);
    memset(file, 0, sizeof file);
    file[0] = (unsigned char) n, file[1] = (unsigned char) (n >> 8);
    memcpy(file + 8, json, n);
    const int r = safetensors_read(file, 8 + n + data_bytes, &s, why);
    assert_true(!r == !*why);
    if (!r) safetensors_close(&s);
    return r;
}

#define TENSOR(type, shape, offsets) "{\"a\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
static void the_header_of_a_checkpoint_is_checked(void **state)
{
    (void) state;
    assert_int_equal(read_text(TENSOR("F32", "[2,3]", "[0,24]"), 24), 0);
    assert_int_equal(read_text(TENSOR("F32", "[]", "[20,24]"), 24), 0);
    assert_int_equal(read_text("{\"__metadata__\":{\"x\":\"y\"}}  ", 0), 0);
    const char *const wrong[] = {
        TENSOR("F32", "[2,3]", "[0,25]"), TENSOR("F32", "[2,3]", "[4,28]"), TENSOR("F32", "[2,3]", "[24,0]"), TENSOR("F32", "[2,3]", "[-24,0]"),
        TENSOR("F32", "[2,3]", "[0.5,24.5]"), TENSOR("F32", "[2,3]", "[0]"), TENSOR("F32", "[2,3]", "[0,24,0]"), TENSOR("F32", "[2,3]", "null"),
        TENSOR("F31", "[2,3]", "[0,24]"), TENSOR("F32", "[2,-3]", "[0,24]"), TENSOR("F32", "6", "[0,24]"), TENSOR("F32", "[1,1,1,1,1,1,1,6,1]", "[0,24]"),
        TENSOR("F32", "[1e300]", "[0,24]"), TENSOR("F32", "[4294967296,4294967296]", "[0,0]"), TENSOR("F64", "[1099511627776,1048576,1048576]", "[0,0]"),
        "{\"a\":1}", "{\"a\":{}}", "[]", "{", "", "{}x", "{\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!read_text(wrong[i], 24)) fail_msg("%s is accepted", wrong[i]);
}

static void damaged_checkpoints_are_refused_or_sound(void **state)
{
    (void) state;
    static const char json[] = "{\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}}";
    enum { JSON = sizeof json - 1, BYTES = 8 + JSON + 32 };
    weft_random r = { 1 };
    long refused = 0, sound = 0;
    for (int turn = 0; turn < 40000; turn++) {
        const size_t bytes = turn < BYTES ? (size_t) turn : BYTES; // cut off at every byte, then changed
        unsigned char *d = calloc(1, bytes + !bytes), whole[BYTES] = { JSON };
        char why[SAFETENSORS_ERROR];
        safetensors s;
        memcpy(whole + 8, json, JSON);
        memcpy(d, whole, bytes);
        for (int k = 0; turn >= BYTES && k < 1 + turn % 3; k++) d[weft_random_u32(&r) % bytes] = (unsigned char) weft_random_u32(&r);
        if (safetensors_read(d, bytes, &s, why)) refused++;
        else {
            for (int i = 0; i < s.count; i++) { // everything that is promised can be read
                const unsigned char *at = s.tensors[i].data;
                const size_t n = (size_t) s.tensors[i].count * safetensors_type_bytes(s.tensors[i].type);
                assert_true(at >= d && at + n <= d + bytes);
                assert_ptr_equal(safetensors_find(&s, s.tensors[i].name), &s.tensors[i]);
            }
            safetensors_close(&s);
            sound++;
        }
        free(d);
    }
    assert_true(refused > 1000 && sound > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_becomes_a_model_that_says_what_it_is),
        cmocka_unit_test(a_prefix_is_found_or_chosen), cmocka_unit_test(a_name_may_be_in_one_naming_or_another),
        cmocka_unit_test(an_encoder_finds_the_mean_code_beside_it), cmocka_unit_test(half_of_clip_is_a_model_too),
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(a_tensor_of_another_shape_is_named_with_both_shapes),
        cmocka_unit_test(tensors_that_are_left_over_are_told),
        cmocka_unit_test(another_network_or_no_network_is_refused),
        cmocka_unit_test(half_stores_large_weights_in_half_the_room),
        cmocka_unit_test(the_header_of_a_checkpoint_is_checked),
        cmocka_unit_test(damaged_checkpoints_are_refused_or_sound),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
