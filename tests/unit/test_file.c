// SPDX-License-Identifier: MIT
// The .weft file: what goes in comes out, what newer versions write is met as FORMAT.md says, and no damage is believed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/text.h"
#include "fuzz/seed.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/session.h>

static weft_context *ctx;
static weft_model *model;
static seed_file file;

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx)) return 1;
    if (seed_model(ctx, &model)) return fprintf(stderr, "%s\n", weft_error_text()), 1;
    file = seed_save(model);
    return !file.data;
}

static int tear_down(void **state)
{
    (void) state;
    free(file.data);
    weft_model_destroy(&model);
    weft_context_destroy(&ctx);
    return 0;
}

static weft_result read_bytes(const unsigned char *d, size_t bytes, weft_model **out)
{
    *out = NULL;
    const weft_result r = weft_model_load_memory(ctx, d, bytes, "test", out);
    assert_true((r == WEFT_OK) == (*out != NULL));
    return r;
}

static weft_result try_bytes(const unsigned char *d, size_t bytes)
{
    weft_model *m;
    const weft_result r = read_bytes(d, bytes, &m);
    weft_model_destroy(&m);
    return r;
}

// --- Round trip. ---------------------------------------------------------------------------------------------

typedef struct lines { char text[8192]; } lines;
static void add_line(void *user, const char *text)
{
    lines *l = user;
    const size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%s\n", text);
}

static lines print_all(const weft_model *m)
{
    lines l = { "" };
    for (int i = 0; i < weft_model_entry_count(m); i++) assert_int_equal(weft_model_print(m, i, add_line, &l), WEFT_OK);
    return l;
}

static void what_is_saved_is_what_is_loaded(void **state)
{
    (void) state;
    weft_model *m;
    const char *key, *value;
    const weft_port *ports;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    assert_int_equal(weft_model_entry_count(m), 2);
    assert_string_equal(weft_model_entry_name(m, 1), "table");
    assert_int_equal(weft_model_find_entry(m, "table"), 1);
    assert_string_equal(weft_model_meta(m, "author"), "someone \xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82");
    assert_string_equal(weft_model_meta(m, "description"), "two\n\tlines");
    assert_int_equal(weft_model_meta_at(m, 2, &key, &value), 1);
    assert_string_equal(key, "empty");
    assert_string_equal(value, "");
    assert_int_equal(weft_model_dim_count(m), 2);
    assert_string_equal(weft_model_dim(m, 1)->name, "w");
    assert_int_equal(weft_model_dim(m, 0)->preset, 12);
    assert_int_equal(weft_model_dim(m, 0)->multiple, 4);
    assert_int_equal(weft_model_inputs(m, 0, &ports), 1);
    assert_string_equal(ports[0].name, "image");
    assert_int_equal(ports[0].shape.dim[2], -1);
    assert_int_equal(ports[0].shape.dim[3], -2);
    assert_int_equal(weft_model_outputs(m, 1, &ports), 4);
    assert_string_equal(ports[2].name, "bytes");
    assert_int_equal(ports[2].dtype, WEFT_I32);
    assert_int_equal(weft_model_states(m, 0, &ports), 0);
    assert_int_equal(weft_model_states(m, 1, &ports), 4);
    assert_string_equal(ports[0].name, "whole");
    assert_int_equal(ports[0].dtype, WEFT_I32);
    assert_int_equal(ports[2].shape.dim[0], -1);
    weft_model_destroy(&m);
}

static void states_are_saved_with_what_they_begin_as_and_become(void **state)
{
    (void) state;
    weft_model *m;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    assert_int_equal(seed_load(file.data + WEFT_AT_MINOR, 2), 1);
    const weft_graph *g = &m->entries[1].graph, *from = &model->entries[1].graph;
    assert_int_equal(g->state_count, 4);
    for (int i = 0; i < 4; i++) {
        const weft_state_def *s = &g->states[i], *t = &from->states[i];
        assert_string_equal(s->name, t->name);
        assert_int_equal(s->init != NULL, i < 2);
        if (s->init) assert_memory_equal(s->init->data, t->init->data, t->init->bytes);
    }
    assert_string_equal(g->values[g->states[0].next].weight->name, "numbers");
    assert_string_equal(g->nodes[g->values[g->states[1].next].node].op->name, "add");
    assert_int_equal(g->states[2].next, g->states[2].value);
    assert_int_equal(g->states[3].next, -1);
    weft_model_destroy(&m);
}

static void saving_what_was_loaded_gives_the_same_bytes(void **state)
{
    (void) state;
    weft_model *m;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    seed_file again = seed_save(m);
    assert_int_equal(again.bytes, file.bytes);
    assert_memory_equal(again.data, file.data, file.bytes);
    free(again.data);
    weft_model_destroy(&m);
}

static void weights_are_used_where_they_lie_at_multiples_of_64(void **state)
{
    (void) state;
    weft_model *m;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    assert_int_equal(m->weight_count, 9);
    for (int i = 0; i < m->weight_count; i++) {
        const size_t at = (size_t) ((const unsigned char *) m->weights[i]->data - file.data);
        assert_true(at < file.bytes && at % 64 == 0);
        int k = 0;
        while (strcmp(model->weights[k]->name, m->weights[i]->name)) k++;
        assert_int_equal(m->weights[i]->dtype, model->weights[k]->dtype);
        assert_true(weft_shape_equal(m->weights[i]->shape, model->weights[k]->shape));
        assert_int_equal(m->weights[i]->bytes, model->weights[k]->bytes);
        assert_memory_equal(m->weights[i]->data, model->weights[k]->data, m->weights[i]->bytes);
    }
    weft_model_destroy(&m);
}

static void run(const weft_model *m, float *features)
{
    weft_device *dev;
    weft_session *s;
    float x[3 * 12 * 8], flat[8 * 6 * 4];
    for (int i = 0; i < 3 * 12 * 8; i++) x[i] = (float) (i % 13) / 8 - 0.7f;
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &dev), WEFT_OK);
    assert_int_equal(weft_session_create(dev, m, NULL, &s), WEFT_OK);
    assert_int_equal(weft_session_run(s, &(weft_io) { NULL, x, sizeof x }, 1, (weft_io[]) { { NULL, features, sizeof flat }, { NULL, flat, sizeof flat } }, 2), WEFT_OK);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
}

static void a_loaded_model_computes_what_the_built_one_does(void **state)
{
    (void) state;
    weft_model *m;
    float a[8 * 6 * 4], b[8 * 6 * 4], sum = 0;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    run(model, a);
    run(m, b);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 8 * 6 * 4; i++) sum += a[i];
    assert_true(sum > 1); // and that is not nothing
    weft_model_destroy(&m);
}

static void a_model_prints_one_line_per_port_and_node(void **state)
{
    (void) state;
    weft_model *m;
    assert_int_equal(read_bytes(file.data, file.bytes, &m), WEFT_OK);
    const lines l = print_all(m);
    assert_non_null(strstr(l.text, "%0 = input 'image'  [1, 3, 12, 8]\n"));
    assert_non_null(strstr(l.text, "= conv2d(%0, enc.1.weight) stride=2 pads=1,0,1,2 pad_mode=reflect  [1, 4, 6, 4]  # enc.1\n"));
    assert_non_null(strstr(l.text, ", -, a.bias) eps=0.001 batch_stats=1  [1, 8, 6, 4]  # batch_norm."));
    assert_non_null(strstr(l.text, " shape=1,-1  [1, 192]"));
    assert_non_null(strstr(l.text, "= mul(table, %0)  [16384]"));
    assert_non_null(strstr(l.text, "\noutput 'flat' = %"));
    assert_non_null(strstr(l.text, " = state 'whole'  i32 [3]  # begins as init.whole\n"));
    assert_non_null(strstr(l.text, " = state 'kept'  [12, 8]\n"));
    assert_non_null(strstr(l.text, "\nnext 'whole' = numbers\n"));
    assert_non_null(strstr(l.text, "\nnext 'never' = %"));
    weft_model_destroy(&m);
}

static void a_model_is_measured(void **state)
{
    (void) state;
    weft_model_facts f;
    assert_int_equal(weft_model_measure(model, 0, NULL, 0, &f), WEFT_OK);
    assert_int_equal(f.parameters, 4 * 27 + 8 * 36 + 8);
    assert_int_equal(f.weight_bytes, 2 * 4 * 27 + 4 * (8 * 36 + 8));
    assert_int_equal(f.node_count, 5);
    const double convolutions = 2.0 * 4 * 24 * 27 + 2.0 * 8 * 24 * 36;
    assert_true(f.flops >= convolutions && f.flops < 1.5 * convolutions);
    assert_true(f.workspace_least_bytes >= 4 * 192 && f.workspace_bytes >= f.workspace_least_bytes);
    assert_true(f.workspace_bytes <= 4 * (96 + 4 * 192));
    // Twice as high, twice the work.
    weft_model_facts g;
    assert_int_equal(weft_model_measure(model, 0, &(weft_port_shape) { "image", WEFT_SHAPE(1, 3, 24, 8) }, 1, &g), WEFT_OK);
    assert_true(g.flops > 1.9 * f.flops && g.flops < 2.1 * f.flops && g.parameters == f.parameters);
    assert_int_equal(weft_model_measure(model, 0, &(weft_port_shape) { "image", WEFT_SHAPE(1, 3, 23, 8) }, 1, &g), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_model_measure(model, 2, NULL, 0, &g), WEFT_ERR_ARGUMENT);
}

static void a_file_on_disk_is_mapped_and_named_in_errors(void **state)
{
    (void) state;
    char path[] = "/tmp/weft-test-XXXXXX";
    weft_model *m;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file.data, file.bytes), file.bytes);
    assert_int_equal(weft_model_load(ctx, path, &m), WEFT_OK);
    weft_model_destroy(&m);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(weft_model_load(ctx, path, &m), WEFT_ERR_FORMAT);
    assert_non_null(strstr(weft_error_text(), path));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(weft_model_load(ctx, path, &m), WEFT_ERR_FORMAT);
    close(fd);
    remove(path);
    assert_int_equal(weft_model_load(ctx, path, &m), WEFT_ERR_IO);
    assert_int_equal(weft_model_save(model, "/nowhere/at/all.weft"), WEFT_ERR_IO);
}

// --- Newer versions. -----------------------------------------------------------------------------------------

// A copy with `n` bytes put in at `at` of the head (the head grows by a multiple of 64), mended.
static seed_file with_section(uint32_t tag, uint32_t flags)
{
    const size_t head = (size_t) seed_load(file.data + WEFT_AT_HEAD, 8), add = 64;
    seed_file f = { calloc(1, file.bytes + add), file.bytes + add };
    assert_non_null(f.data);
    memcpy(f.data, file.data, WEFT_FILE_HEADER);
    seed_store(f.data + 64, tag, 4);
    seed_store(f.data + 68, flags, 4);
    seed_store(f.data + 72, 48, 8);
    memset(f.data + 80, 0xa5, 48);
    memcpy(f.data + 64 + add, file.data + 64, file.bytes - 64);
    seed_store(f.data + WEFT_AT_HEAD, head + add, 8);
    seed_store(f.data + WEFT_AT_SECTIONS, seed_load(f.data + WEFT_AT_SECTIONS, 4) + 1, 4);
    seed_mend(f.data, f.bytes);
    return f;
}

static void an_unknown_section_is_passed_over_unless_it_is_required(void **state)
{
    (void) state;
    seed_file f = with_section(WEFT_TAG('N', 'E', 'W', '!'), 0);
    assert_int_equal(try_bytes(f.data, f.bytes), WEFT_OK);
    free(f.data);
    f = with_section(WEFT_TAG('N', 'E', 'W', '!'), WEFT_SECTION_REQUIRED);
    assert_int_equal(try_bytes(f.data, f.bytes), WEFT_ERR_UNSUPPORTED);
    free(f.data);
    f = with_section(WEFT_TAG('N', 'E', 'W', '!'), 2);
    assert_int_equal(try_bytes(f.data, f.bytes), WEFT_ERR_FORMAT);
    free(f.data);
    f = with_section(WEFT_TAG_META, WEFT_SECTION_REQUIRED); // one there is already
    assert_int_equal(try_bytes(f.data, f.bytes), WEFT_ERR_FORMAT);
    free(f.data);
}

// A copy with a number changed in the header, mended.
static weft_result with_field(size_t at, uint64_t v, int bytes)
{
    unsigned char *d = malloc(file.bytes);
    assert_non_null(d);
    memcpy(d, file.data, file.bytes);
    seed_store(d + at, v, bytes);
    seed_mend(d, file.bytes);
    const weft_result r = try_bytes(d, file.bytes);
    free(d);
    return r;
}

static void a_newer_minor_version_is_read_and_a_newer_major_one_refused(void **state)
{
    (void) state;
    assert_int_equal(with_field(WEFT_AT_MINOR, 7, 2), WEFT_OK);
    assert_int_equal(with_field(WEFT_AT_MAJOR, 2, 2), WEFT_ERR_UNSUPPORTED);
    assert_int_equal(with_field(WEFT_AT_MAJOR, 0, 2), WEFT_ERR_UNSUPPORTED);
    assert_int_equal(with_field(WEFT_AT_FEATURES, 1u << 31, 4), WEFT_ERR_UNSUPPORTED);
    assert_int_equal(with_field(WEFT_AT_ZERO, 1, 4), WEFT_ERR_FORMAT);
}

// A copy in which the first `from` of the head reads `to` (as long), mended.
static weft_result with_word(const char *from, const char *to)
{
    const size_t n = strlen(from), head = (size_t) seed_load(file.data + WEFT_AT_HEAD, 8);
    unsigned char *d = malloc(file.bytes);
    size_t at = WEFT_FILE_HEADER;
    assert_non_null(d);
    assert_int_equal(strlen(to), n);
    memcpy(d, file.data, file.bytes);
    while (at + n < head && memcmp(d + at, from, n)) at++;
    assert_true(at + n < head);
    memcpy(d + at, to, n);
    seed_mend(d, file.bytes);
    const weft_result r = try_bytes(d, file.bytes);
    free(d);
    return r;
}

static void what_only_a_newer_version_knows_is_refused_by_name(void **state)
{
    (void) state;
    assert_int_equal(with_word("\006conv2d", "\006conv9d"), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "conv9d"));
    assert_int_equal(with_word("\006stride", "\006strode"), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "strode"));
    assert_int_equal(with_word("reflect", "deflect"), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "deflect"));
}

static void words_that_may_not_stand_there_are_refused(void **state)
{
    (void) state;
    assert_int_equal(with_word("\005image", "\005im\nge"), WEFT_ERR_FORMAT); // control
    assert_int_equal(with_word("\005image", "\005im\xff" "ge"), WEFT_ERR_FORMAT); // no UTF-8
    assert_int_equal(with_word("\005image", "\005\xc0\xaf" "age"), WEFT_ERR_FORMAT); // overlong
    assert_int_equal(with_word("\005image", "\005\xed\xa0\x80" "ge"), WEFT_ERR_FORMAT); // surrogate
    assert_int_equal(with_word("lines", "li\033es"), WEFT_ERR_FORMAT); // in a metadata value
    assert_int_equal(with_word("lines", "li\nes"), WEFT_OK);
    assert_int_equal(with_word("\005image", "\005im\xc3\xa9g"), WEFT_OK);
}

// --- Damage. -------------------------------------------------------------------------------------------------

static void a_file_cut_off_at_any_byte_is_refused(void **state)
{
    (void) state;
    for (size_t n = 0; n < file.bytes; n++) assert_int_equal(try_bytes(file.data, n), WEFT_ERR_FORMAT);
    unsigned char *d = malloc(file.bytes);
    assert_non_null(d);
    const size_t head = (size_t) seed_load(file.data + WEFT_AT_HEAD, 8);
    for (size_t n = WEFT_FILE_HEADER; n < file.bytes - 64; n += n < head + 64 ? 1 : 61) { // and if the size and the checksums were right
        memcpy(d, file.data, n);
        if (n < head) seed_store(d + WEFT_AT_HEAD, n / 64 * 64, 8);
        seed_mend(d, n);
        assert_int_equal(try_bytes(d, n), WEFT_ERR_FORMAT);
        seed_store(d + WEFT_AT_HEAD, head, 8);
    }
    free(d);
}

static void any_bit_turned_in_the_first_64_kib_is_seen(void **state)
{
    (void) state;
    assert_true(file.bytes > 65536);
    unsigned char *d = malloc(file.bytes);
    assert_non_null(d);
    memcpy(d, file.data, file.bytes);
    for (size_t i = 0; i < 65536; i++)
        for (int bit = 0; bit < 8; bit++) {
            d[i] ^= (unsigned char) (1 << bit);
            const weft_result r = try_bytes(d, file.bytes);
            if (r != WEFT_ERR_FORMAT && r != WEFT_ERR_UNSUPPORTED) fail_msg("byte %zu bit %d: %s", i, bit, weft_result_name(r));
            d[i] ^= (unsigned char) (1 << bit);
        }
    free(d);
}

static void any_bit_turned_behind_the_checksum_is_an_error_or_a_sound_model(void **state)
{
    (void) state;
    const size_t head = (size_t) seed_load(file.data + WEFT_AT_HEAD, 8);
    unsigned char *d = malloc(file.bytes);
    long refused = 0, models = 0;
    assert_non_null(d);
    for (size_t i = WEFT_FILE_HEADER; i < head; i++)
        for (int bit = 0; bit < 8; bit++) {
            weft_model *m;
            memcpy(d, file.data, file.bytes);
            d[i] ^= (unsigned char) (1 << bit);
            seed_mend(d, file.bytes);
            const weft_result r = read_bytes(d, file.bytes, &m);
            if (r == WEFT_OK) print_all(m), models++;
            else if (r == WEFT_ERR_FORMAT || r == WEFT_ERR_UNSUPPORTED) refused++;
            else fail_msg("byte %zu bit %d: %s: %s", i, bit, weft_result_name(r), weft_error_text());
            weft_model_destroy(&m);
        }
    assert_true(refused > models && models > 100); // letters of names may be others
    free(d);
}

// --- Files made by hand, each with one thing wrong. -----------------------------------------------------------

typedef struct by_hand {
    int64_t offset2, dim1, input_dim;
    int dtype1, link, output, attr_count, attr_type, out_count, constants[2], extra, rank1;
    const char *name1, *name2, *attr;
    int states, sections, late, state_type, init, next; // late: sections of states after the entry
    const char *state;
} by_hand;
static const by_hand sound = { 64, 2, 2, WEFT_FILE_F32, 0, 5, 1, WEFT_FILE_FLOAT, 1, { 0, 1 }, 0, 1, "a", "b", "a", 2, 1, 0, 0, 0, 5, "s" };

static void put(seed_file *f, uint64_t v, int bytes) { seed_store(f->data + f->bytes, v, bytes), f->bytes += (size_t) bytes; }
static void put_name(seed_file *f, const char *name)
{
    put(f, strlen(name), 1);
    memcpy(f->data + f->bytes, name, strlen(name));
    f->bytes += strlen(name);
}
static size_t begin(seed_file *f, uint32_t tag)
{
    put(f, tag, 4), put(f, 1, 4), put(f, 0, 8);
    return f->bytes;
}
static void end(seed_file *f, size_t at)
{
    seed_store(f->data + at - 8, f->bytes - at, 8);
    while (f->bytes % 8) put(f, 0, 1);
}

static void put_states(seed_file *f, const by_hand *h)
{
    const size_t at = begin(f, WEFT_TAG_STATES);
    put(f, (uint64_t) h->states, 4);
    for (int k = 0; k < h->states; k++) {
        put_name(f, k ? "t" : h->state), put(f, (uint64_t) h->state_type, 1), put(f, 1, 1), put(f, 2, 8);
        put(f, (uint64_t) h->init, 4), put(f, (uint64_t) h->next, 4);
    }
    end(f, at);
}

static weft_result try_by_hand(by_hand h)
{
    unsigned char data[2048] = WEFT_FILE_MAGIC;
    seed_file f = { data, WEFT_FILE_HEADER };
    seed_store(data + WEFT_AT_MAJOR, 1, 2);
    seed_store(data + WEFT_AT_SECTIONS, (uint64_t) (2 + h.sections + h.late), 4);
    size_t at = begin(&f, WEFT_TAG_WEIGHTS);
    put(&f, 2, 4);
    put_name(&f, h.name1), put(&f, (uint64_t) h.dtype1, 1), put(&f, (uint64_t) h.rank1, 1), put(&f, (uint64_t) h.dim1, 8), put(&f, 0, 8);
    put_name(&f, h.name2), put(&f, 0, 1), put(&f, 1, 1), put(&f, 2, 8), put(&f, (uint64_t) h.offset2, 8);
    end(&f, at);
    for (int i = 0; i < h.sections; i++) put_states(&f, &h); // %1, %2
    at = begin(&f, WEFT_TAG_ENTRY);
    put_name(&f, "main");
    put(&f, 1, 4), put_name(&f, "x"), put(&f, 0, 1), put(&f, 1, 1), put(&f, (uint64_t) h.input_dim, 8); // %0
    put(&f, 2, 4), put(&f, (uint64_t) h.constants[0], 4), put(&f, (uint64_t) h.constants[1], 4); // %3, %4
    put(&f, 1, 4), put_name(&f, "n"), put_name(&f, "leaky_relu"), put(&f, (uint64_t) h.attr_count, 1);
    for (int i = 0; i < h.attr_count; i++) put_name(&f, h.attr), put(&f, (uint64_t) h.attr_type, 1), put(&f, 1, 1), put(&f, 0x3f000000, 4);
    put(&f, 1, 4), put(&f, (uint64_t) h.link, 4), put(&f, (uint64_t) h.out_count, 4); // %5
    put(&f, 1, 4), put_name(&f, "y"), put(&f, (uint64_t) h.output, 4);
    for (int i = 0; i < h.extra; i++) put(&f, 0, 1);
    end(&f, at);
    for (int i = 0; i < h.late; i++) put_states(&f, &h);
    while (f.bytes % 64) put(&f, 0, 1);
    seed_store(data + WEFT_AT_HEAD, f.bytes, 8);
    f.bytes += 128;
    seed_mend(data, f.bytes);
    return try_bytes(data, f.bytes);
}

static void every_field_is_checked(void **state)
{
    (void) state;
    assert_int_equal(try_by_hand(sound), WEFT_OK);
    by_hand h;
#define WRONG(...) (h = sound, __VA_ARGS__, assert_int_equal(try_by_hand(h), WEFT_ERR_FORMAT))
    WRONG(h.offset2 = 0);    // one weight over the other
    WRONG(h.offset2 = 32);   // not aligned
    WRONG(h.offset2 = 128);  // past the end
    WRONG(h.offset2 = -64);  // before the beginning
    WRONG(h.dim1 = 0);
    WRONG(h.dim1 = -1);      // a weight has no named dimension
    WRONG(h.dim1 = 17);      // into the next weight
    WRONG(h.dim1 = INT64_MAX);
    WRONG(h.rank1 = 9);
    WRONG(h.rank1 = 2);      // the offset taken for a dimension
    WRONG(h.name1 = "b", h.name2 = "a"); // not in order
    WRONG(h.name2 = "a");    // twice
    WRONG(h.name1 = "");
    WRONG(h.input_dim = 0);
    WRONG(h.input_dim = -1); // there is no named dimension
    WRONG(h.input_dim = INT64_MIN);
    WRONG(h.constants[0] = 1);  // twice
    WRONG(h.constants[1] = 2);  // no such weight
    WRONG(h.link = 5);       // of itself
    WRONG(h.link = -1);      // absent, but it must be there
    WRONG(h.link = 1 << 30);
    WRONG(h.output = 6);
    WRONG(h.output = -1);
    WRONG(h.out_count = 0);
    WRONG(h.out_count = 2);
    WRONG(h.attr_count = 2); // the same one twice
    WRONG(h.attr_type = WEFT_FILE_INT);
    WRONG(h.attr_type = 77);
    WRONG(h.extra = 1);      // left over
    WRONG(h.extra = 9);
    WRONG(h.states = 0);
    WRONG(h.states = 3);     // two of one name
    WRONG(h.state = "x");    // the input's
    WRONG(h.state = "");
    WRONG(h.sections = 2);   // of one entry
    WRONG(h.late = 1);       // of none
    WRONG(h.state_type = WEFT_FILE_I32);
    WRONG(h.state_type = WEFT_FILE_F16);
    WRONG(h.init = 2);       // no such weight
    WRONG(h.init = -2);
    WRONG(h.dim1 = 1);       // the state begins as a weight of another shape
    WRONG(h.next = 6);
    WRONG(h.next = -2);
    h = sound, h.init = h.next = -1;
    assert_int_equal(try_by_hand(h), WEFT_OK);
    h = sound, h.states = h.sections = 0, h.output = 3; // as version 1.0
    assert_int_equal(try_by_hand(h), WEFT_OK);
    h = sound, h.dtype1 = 9;
    assert_int_equal(try_by_hand(h), WEFT_ERR_UNSUPPORTED);
    h = sound, h.attr = "q";
    assert_int_equal(try_by_hand(h), WEFT_ERR_UNSUPPORTED);
    h = sound, h.attr_count = 0;
    assert_int_equal(try_by_hand(h), WEFT_OK);
}

static void names_that_no_file_may_hold_are_refused_when_building(void **state)
{
    (void) state;
    static char longer[300];
    const char *const wrong[] = { "", "a\nb", "\xff", longer };
    memset(longer, 'x', sizeof longer - 1);
    for (int i = 0; i < 4; i++) {
        weft_builder *b;
        weft_model *m;
        assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
        weft_build_output(b, wrong[i], weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2)));
        assert_int_equal(weft_builder_finish(&b, &m), WEFT_ERR_ARGUMENT);
    }
    weft_builder *b;
    weft_model *m;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    for (int i = 0; i < 2; i++) weft_build_output(b, "y", weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(2)));
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_ERR_ARGUMENT); // two ports of one name
}

// --- Text. ---------------------------------------------------------------------------------------------------

static void every_operator_is_documented_in_any_room(void **state)
{
    (void) state;
    char text[8192], cut[8192];
    int i = 0;
    for (; weft_op_name(i); i++) {
        const size_t n = weft_op_doc(i, text, sizeof text);
        assert_true(n > 20 && n < sizeof text && strlen(text) == n);
        assert_non_null(strstr(text, weft_op_name(i)));
        assert_int_equal(weft_op_doc(i, NULL, 0), n);
        for (size_t room = 1; room < 40; room++) {
            assert_int_equal(weft_op_doc(i, cut, room), n);
            assert_int_equal(strlen(cut), room - 1);
            assert_memory_equal(cut, text, room - 1);
        }
    }
    assert_true(i > 5);
    assert_int_equal(weft_op_doc(i, text, sizeof text), 0);
    assert_int_equal(weft_op_doc(-1, text, sizeof text), 0);
}

static void numbers_are_written_short_and_read_back(void **state)
{
    (void) state;
    char t[WEFT_NUMBER_TEXT];
    assert_string_equal(weft_text_number(0.2f, t), "0.2");
    assert_string_equal(weft_text_number(-3, t), "-3");
    assert_string_equal(weft_text_number(1e-5f, t), "1e-05");
    assert_string_equal(weft_text_number((float) (1.0 / 3), t), "0.33333334");
    assert_string_equal(weft_text_number(-INFINITY, t), "-inf");
}

// --- Where files go. ------------------------------------------------------------------------------------------

static unsigned char from_pipe[1 << 20];
static size_t piped;

static void *read_pipe(void *path)
{
    FILE *f = fopen(path, "rb");
    piped = f ? fread(from_pipe, 1, sizeof from_pipe, f) : 0;
    if (f) fclose(f);
    return NULL;
}

static void a_link_and_a_pipe_stay_what_they_are(void **state)
{
    (void) state;
    char folder[] = "/tmp/weft-file-XXXXXX", link[64], behind[64], pipe[64];
    struct stat st;
    weft_model *m;
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/link", folder), snprintf(behind, sizeof behind, "%s/behind", folder), snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(weft_model_save(model, behind), WEFT_OK);
    assert_int_equal(symlink("behind", link), 0);
    assert_int_equal(weft_model_save(model, link), WEFT_OK);
    assert_true(!lstat(link, &st) && S_ISLNK(st.st_mode));
    assert_int_equal(weft_model_load(ctx, behind, &m), WEFT_OK);
    weft_model_destroy(&m);

    assert_int_equal(mkfifo(pipe, 0600), 0);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_pipe, pipe), 0);
    assert_int_equal(weft_model_save(model, pipe), WEFT_OK);
    pthread_join(reader, NULL);
    assert_true(!lstat(pipe, &st) && S_ISFIFO(st.st_mode));
    assert_int_equal(piped, file.bytes);
    assert_memory_equal(from_pipe, file.data, file.bytes);
    remove(link), remove(behind), remove(pipe);
    assert_int_equal(rmdir(folder), 0);
}

enum { WRITERS = 4, TURNS = 50 };
static char shared_path[64];
static _Atomic int failures;

static void *write_often(void *user)
{
    (void) user;
    for (int i = 0; i < TURNS; i++) failures += weft_model_save(model, shared_path) != WEFT_OK;
    return NULL;
}

static void several_may_write_one_file(void **state)
{
    (void) state;
    char folder[] = "/tmp/weft-file-XXXXXX";
    pthread_t threads[WRITERS];
    weft_model *m;
    assert_non_null(mkdtemp(folder));
    snprintf(shared_path, sizeof shared_path, "%s/model.weft", folder);
    for (int i = 0; i < WRITERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, write_often, NULL), 0);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(weft_model_load(ctx, shared_path, &m), WEFT_OK);
    weft_model_destroy(&m);
    remove(shared_path);
    assert_int_equal(rmdir(folder), 0); // nothing half written is left
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_and_a_pipe_stay_what_they_are),
        cmocka_unit_test(several_may_write_one_file),
        cmocka_unit_test(what_is_saved_is_what_is_loaded),
        cmocka_unit_test(states_are_saved_with_what_they_begin_as_and_become),
        cmocka_unit_test(saving_what_was_loaded_gives_the_same_bytes),
        cmocka_unit_test(weights_are_used_where_they_lie_at_multiples_of_64),
        cmocka_unit_test(a_loaded_model_computes_what_the_built_one_does),
        cmocka_unit_test(a_model_prints_one_line_per_port_and_node),
        cmocka_unit_test(a_model_is_measured),
        cmocka_unit_test(a_file_on_disk_is_mapped_and_named_in_errors),
        cmocka_unit_test(an_unknown_section_is_passed_over_unless_it_is_required),
        cmocka_unit_test(a_newer_minor_version_is_read_and_a_newer_major_one_refused),
        cmocka_unit_test(what_only_a_newer_version_knows_is_refused_by_name),
        cmocka_unit_test(words_that_may_not_stand_there_are_refused),
        cmocka_unit_test(a_file_cut_off_at_any_byte_is_refused),
        cmocka_unit_test(any_bit_turned_in_the_first_64_kib_is_seen),
        cmocka_unit_test(any_bit_turned_behind_the_checksum_is_an_error_or_a_sound_model),
        cmocka_unit_test(every_field_is_checked),
        cmocka_unit_test(names_that_no_file_may_hold_are_refused_when_building),
        cmocka_unit_test(every_operator_is_documented_in_any_room),
        cmocka_unit_test(numbers_are_written_short_and_read_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
