// SPDX-License-Identifier: MIT
// Pictures in files: what goes in comes out, and broken files end in a sentence.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include <png.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weft/image.h>

static weft_context *ctx;
static char folder[] = "/tmp/weft-image-XXXXXX", path[64], other[64];

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(NULL, &ctx) || !mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/\xc3\xbc.png", folder); // UTF-8 names pass through
    snprintf(other, sizeof other, "%s/b.jpg", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    remove(path);
    remove(other);
    const int left = rmdir(folder); // fails if a test left a part behind
    weft_context_destroy(&ctx);
    return left;
}

static weft_image *picture(int w, int h, int channels, int bits)
{
    weft_image *i = NULL;
    assert_int_equal(weft_image_create(ctx, w, h, channels, bits, &i), WEFT_OK);
    unsigned char *p = weft_image_data(i);
    for (int k = 0; k < w * h * channels * bits / 8; k++) p[k] = (unsigned char) (k * 37 + (k >> 3) * 11 + 5);
    return i;
}

static size_t data_bytes(const weft_image *i)
{
    const weft_image_info *f = weft_image_get_info(i);
    return (size_t) f->width * (size_t) f->height * (size_t) f->channels * (size_t) f->bits / 8;
}

static void assert_same(const weft_image *a, const weft_image *b)
{
    const weft_image_info *x = weft_image_get_info(a), *y = weft_image_get_info(b);
    assert_int_equal(x->width, y->width);
    assert_int_equal(x->height, y->height);
    assert_int_equal(x->channels, y->channels);
    assert_int_equal(x->bits, y->bits);
    assert_memory_equal(weft_image_view(a), weft_image_view(b), data_bytes(a));
    assert_int_equal(x->icc_bytes, y->icc_bytes);
    if (x->icc_bytes) assert_memory_equal(x->icc, y->icc, x->icc_bytes);
}

static void png_keeps_every_sample_of_every_kind(void **state)
{
    (void) state;
    for (int channels = 1; channels <= 4; channels++)
        for (int bits = 8; bits <= 16; bits += 8) {
            weft_image *a = picture(17, 5, channels, bits), *b = NULL;
            assert_int_equal(weft_image_save(a, path, NULL), WEFT_OK);
            assert_int_equal(weft_image_load(ctx, path, &b), WEFT_OK);
            assert_same(a, b);
            weft_image_destroy(&a);
            weft_image_destroy(&b);
        }
}

// --- Files written here with libpng itself. -------------------------------------------------------------------

static void write_raw(int w, int h, int bits, int type, int interlace, void (*more)(png_structp, png_infop), png_bytep *rows, int transforms)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_non_null(f);
    assert_int_equal(setjmp(png_jmpbuf(png)), 0);
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32) w, (png_uint_32) h, bits, type, interlace, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    if (more) more(png, info);
    png_set_rows(png, info, rows);
    png_write_png(png, info, transforms, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static void add_palette(png_structp png, png_infop info)
{
    const png_color colours[4] = { { 1, 2, 3 }, { 40, 50, 60 }, { 200, 100, 0 }, { 255, 255, 255 } };
    const png_byte alpha[2] = { 0, 128 };
    png_set_PLTE(png, info, colours, 4);
    png_set_tRNS(png, info, alpha, 2, NULL);
}

static void a_palette_with_transparency_becomes_rgba(void **state)
{
    (void) state;
    png_byte row[4] = { 0, 1, 2, 3 };
    write_raw(4, 1, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, add_palette, (png_bytep[]) { row }, 0);
    weft_image *i = NULL;
    assert_int_equal(weft_image_load(ctx, path, &i), WEFT_OK);
    assert_int_equal(weft_image_get_info(i)->channels, 4);
    const unsigned char want[] = { 1, 2, 3, 0, 40, 50, 60, 128, 200, 100, 0, 255, 255, 255, 255, 255 };
    assert_memory_equal(weft_image_view(i), want, sizeof want);
    weft_image_destroy(&i);
}

static void one_bit_grey_becomes_black_and_white(void **state)
{
    (void) state;
    png_byte row[2] = { 0xa5, 0x80 };
    write_raw(9, 1, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, NULL, (png_bytep[]) { row }, 0);
    weft_image *i = NULL;
    assert_int_equal(weft_image_load(ctx, path, &i), WEFT_OK);
    const unsigned char want[] = { 255, 0, 255, 0, 0, 255, 0, 255, 255 };
    assert_memory_equal(weft_image_view(i), want, sizeof want);
    weft_image_destroy(&i);
}

static void add_gamma(png_structp png, png_infop info) { png_set_gAMA_fixed(png, info, 100000); }

static void interlaced_16_bit_with_gamma_is_read_as_it_is_and_gamma_passed_on(void **state)
{
    (void) state;
    enum { W = 13, H = 11 };
    png_byte data[H][W * 6];
    png_bytep rows[H];
    for (int y = 0; y < H; y++) {
        rows[y] = data[y];
        for (int x = 0; x < W * 6; x++) data[y][x] = (png_byte) (x * 19 + y * 7);
    }
    write_raw(W, H, 16, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, add_gamma, rows, 0);
    weft_image *i = NULL;
    assert_int_equal(weft_image_load(ctx, path, &i), WEFT_OK);
    const uint16_t *s = weft_image_view(i);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W * 3; x++) assert_int_equal(s[y * W * 3 + x], data[y][2 * x] << 8 | data[y][2 * x + 1]);
    assert_int_equal(weft_image_save(i, path, NULL), WEFT_OK);
    weft_image_destroy(&i);
    weft_mapping m;
    assert_int_equal(weft_file_map(path, &m), WEFT_OK);
    bool found = false;
    for (size_t k = 0; k + 8 < m.bytes; k++) found = found || !memcmp((const char *) m.data + k, "gAMA\0\1\x86\xa0", 8);
    assert_true(found);
    weft_file_unmap(&m);
}

// About the smallest profile that libpng takes for one: a header and one tag that does not compress.
enum { PROFILE = 264 };
static void make_profile(unsigned char p[PROFILE])
{
    memset(p, 0, 144);
    for (unsigned k = 144; k < PROFILE; k++) p[k] = (unsigned char) (k * k * 31 + k * 7 + (k >> 3) * 113);
    p[2] = PROFILE >> 8, p[3] = PROFILE & 255;
    memcpy(p + 128, "\0\0\0\1desc\0\0\0\x90\0\0\0\x78", 16);
    memcpy(p + 8, "\2\x10\0\0mntrRGB XYZ ", 16);
    memcpy(p + 36, "acsp", 4);
    memcpy(p + 68, "\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 12);
}

static void add_profile(png_structp png, png_infop info)
{
    unsigned char p[PROFILE];
    make_profile(p);
    png_set_iCCP(png, info, "test", PNG_COMPRESSION_TYPE_BASE, p, sizeof p);
}

static void the_colour_profile_passes_through_png_and_jpeg(void **state)
{
    (void) state;
    png_byte row[24] = { 9, 8, 7 };
    unsigned char want[PROFILE];
    make_profile(want);
    write_raw(8, 1, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, add_profile, (png_bytep[]) { row }, 0);
    weft_image *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(weft_image_load(ctx, path, &a), WEFT_OK);
    assert_int_equal(weft_image_get_info(a)->icc_bytes, sizeof want);
    assert_memory_equal(weft_image_get_info(a)->icc, want, sizeof want);
    assert_int_equal(weft_image_save(a, path, NULL), WEFT_OK);
    assert_int_equal(weft_image_load(ctx, path, &b), WEFT_OK);
    assert_same(a, b);
    assert_int_equal(weft_image_save(a, other, NULL), WEFT_OK);
    assert_int_equal(weft_image_load(ctx, other, &c), WEFT_OK);
    assert_int_equal(weft_image_get_info(c)->icc_bytes, sizeof want);
    assert_memory_equal(weft_image_get_info(c)->icc, want, sizeof want);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&c);
}

// --- JPEG. -----------------------------------------------------------------------------------------------------

// A 24x16 picture with a bright top left quarter, as JPEG bytes with the EXIF block put in.
static size_t jpeg_with_orientation(int orientation, bool big, unsigned char *to, size_t room)
{
    weft_image *i = NULL;
    assert_int_equal(weft_image_create(ctx, 24, 16, 1, 8, &i), WEFT_OK);
    for (int y = 0; y < 8; y++) memset((char *) weft_image_data(i) + y * 24, 255, 12);
    assert_int_equal(weft_image_save(i, other, NULL), WEFT_OK);
    weft_image_destroy(&i);
    const unsigned char little[] = "\xff\xe1\0\x22""Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\0\0\0\0\0\0\0\0";
    const unsigned char large[] = "\xff\xe1\0\x22""Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\0\0\0\0\0\0\0";
    weft_mapping m;
    assert_int_equal(weft_file_map(other, &m), WEFT_OK);
    assert_true(m.bytes + 36 <= room);
    memcpy(to, m.data, 2);
    memcpy(to + 2, big ? large : little, 36);
    to[2 + 28 + (big ? 1 : 0)] = (unsigned char) orientation;
    memcpy(to + 38, (const char *) m.data + 2, m.bytes - 2);
    const size_t bytes = m.bytes + 36;
    weft_file_unmap(&m);
    return bytes;
}

static void exif_orientation_turns_the_picture_upright(void **state)
{
    (void) state;
    // Where the bright corner of the stored picture (top left) is to be seen: right?, bottom?
    static const struct { int w, right, bottom; } want[9] = { { 0 }, { 24, 0, 0 }, { 24, 1, 0 }, { 24, 1, 1 }, { 24, 0, 1 },
                                                              { 16, 0, 0 }, { 16, 1, 0 }, { 16, 1, 1 }, { 16, 0, 1 } };
    unsigned char bytes[4096];
    for (int o = 1; o <= 8; o++)
        for (int big = 0; big < 2; big++) {
            weft_image *i = NULL;
            const size_t n = jpeg_with_orientation(o, big, bytes, sizeof bytes);
            assert_int_equal(weft_image_load_memory(ctx, bytes, n, NULL, &i), WEFT_OK);
            const int w = weft_image_get_info(i)->width, h = weft_image_get_info(i)->height;
            const unsigned char *p = weft_image_view(i);
            assert_int_equal(w, want[o].w);
            assert_int_equal(h, 40 - want[o].w);
            for (int q = 0; q < 4; q++) {
                const int x = q & 1 ? w - 3 : 2, y = q & 2 ? h - 3 : 2;
                const bool bright = (q & 1) == want[o].right && q >> 1 == want[o].bottom;
                assert_true(bright ? p[y * w + x] > 200 : p[y * w + x] < 55);
            }
            weft_image_destroy(&i);
        }
}

static void jpeg_quality_changes_the_size_and_the_error(void **state)
{
    (void) state;
    weft_image *a = picture(64, 64, 3, 16), *b = NULL;
    weft_mapping low, high;
    assert_int_equal(weft_image_save(a, other, &(weft_image_save_params) { .quality = 20 }), WEFT_OK);
    assert_int_equal(weft_file_map(other, &low), WEFT_OK);
    const size_t small = low.bytes;
    weft_file_unmap(&low);
    assert_int_equal(weft_image_save(a, other, &(weft_image_save_params) { .quality = 100 }), WEFT_OK);
    assert_int_equal(weft_file_map(other, &high), WEFT_OK);
    assert_true(high.bytes > 2 * small);
    weft_file_unmap(&high);
    assert_int_equal(weft_image_load(ctx, other, &b), WEFT_OK);
    const uint16_t *x = weft_image_view(a);
    const unsigned char *y = weft_image_view(b);
    double off = 0;
    for (int k = 0; k < 64 * 64 * 3; k++) off += abs((int) (x[k] / 257) - y[k]);
    assert_true(off / (64 * 64 * 3) < 2);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
}

static void jpeg_refuses_transparent_pixels_and_takes_opaque_ones(void **state)
{
    (void) state;
    weft_image *a = picture(4, 4, 4, 8);
    assert_int_equal(weft_image_save(a, other, NULL), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "write a PNG"));
    for (int k = 0; k < 16; k++) ((unsigned char *) weft_image_data(a))[4 * k + 3] = 255;
    assert_int_equal(weft_image_save(a, other, NULL), WEFT_OK);
    weft_image_destroy(&a);
}

// --- Broken files. ---------------------------------------------------------------------------------------------

static size_t read_file(const char *name, unsigned char *to, size_t room)
{
    weft_mapping m;
    assert_int_equal(weft_file_map(name, &m), WEFT_OK);
    assert_true(m.bytes <= room);
    memcpy(to, m.data, m.bytes);
    const size_t n = m.bytes;
    weft_file_unmap(&m);
    return n;
}

static void every_cut_is_an_error_and_every_flipped_bit_survivable(void **state)
{
    (void) state;
    static unsigned char bytes[8192], cut[8192];
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        weft_image *a = picture(19, 13, 3, 8), *b = NULL;
        const char *name = jpeg ? other : path;
        assert_int_equal(weft_image_save(a, name, NULL), WEFT_OK);
        weft_image_destroy(&a);
        const size_t n = read_file(name, bytes, sizeof bytes);
        for (size_t k = 0; k < n; k++) {
            memcpy(cut, bytes, k);
            const weft_result r = weft_image_load_memory(ctx, cut, k, "cut", &b);
            // The last bytes of a JPEG hold no pixel: without its end mark it may still be whole.
            if (k < n - 2) assert_int_equal(r, WEFT_ERR_FORMAT);
            if (r == WEFT_OK) weft_image_destroy(&b);
            else assert_ptr_equal(strstr(weft_error_text(), "cut: "), weft_error_text());
        }
        for (size_t bit = 0; bit < 8 * n; bit++) {
            memcpy(cut, bytes, n);
            cut[bit / 8] ^= (unsigned char) (1 << bit % 8);
            if (weft_image_load_memory(ctx, cut, n, "flip", &b) == WEFT_OK) weft_image_destroy(&b);
        }
    }
}

static void what_is_no_picture_is_named_with_its_first_bytes(void **state)
{
    (void) state;
    weft_image *i = NULL;
    assert_int_equal(weft_image_load_memory(ctx, "hello, world", 12, "a.txt", &i), WEFT_ERR_FORMAT);
    assert_string_equal(weft_error_text(), "a.txt: not a PNG or JPEG picture (starts with 68 65 6c 6c 6f 2c 20 77)");
    assert_int_equal(weft_image_load_memory(ctx, "", 0, "none.png", &i), WEFT_ERR_FORMAT);
    assert_int_equal(weft_image_load(ctx, "/nowhere/a.png", &i), WEFT_ERR_IO);
}

static void a_giant_header_is_refused_before_memory_is_taken(void **state)
{
    (void) state;
    weft_image *a = picture(1, 1, 1, 8), *b = NULL;
    unsigned char bytes[256];
    assert_int_equal(weft_image_save(a, path, NULL), WEFT_OK);
    weft_image_destroy(&a);
    const size_t n = read_file(path, bytes, sizeof bytes);
    memcpy(bytes + 16, "\0\1\0\0\0\1\0\0", 8); // 65536 x 65536
    uint32_t crc = 0xffffffffu;
    for (int k = 12; k < 29; k++) {
        crc ^= bytes[k];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    crc = ~crc;
    for (int k = 0; k < 4; k++) bytes[29 + k] = (unsigned char) (crc >> (24 - 8 * k));
    assert_int_equal(weft_image_load_memory(ctx, bytes, n, "big.png", &b), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "65536 x 65536 pixels are too many"));
}

static void a_full_disk_leaves_the_old_file_and_no_part(void **state)
{
    (void) state;
    weft_image *old = picture(3, 3, 1, 8), *big = picture(200, 200, 3, 16), *b = NULL;
    struct rlimit before, tight;
    remove(other);
    assert_int_equal(weft_image_save(old, path, NULL), WEFT_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 1000;
    setrlimit(RLIMIT_FSIZE, &tight);
    const weft_result r = weft_image_save(big, path, NULL), s = weft_image_save(big, other, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, WEFT_ERR_IO);
    assert_int_equal(s, WEFT_ERR_IO);
    assert_int_not_equal(access(other, F_OK), 0);
    assert_int_equal(weft_image_load(ctx, path, &b), WEFT_OK);
    assert_same(old, b);
    weft_image_destroy(&old);
    weft_image_destroy(&big);
    weft_image_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_keeps_every_sample_of_every_kind),
        cmocka_unit_test(a_palette_with_transparency_becomes_rgba),
        cmocka_unit_test(one_bit_grey_becomes_black_and_white),
        cmocka_unit_test(interlaced_16_bit_with_gamma_is_read_as_it_is_and_gamma_passed_on),
        cmocka_unit_test(the_colour_profile_passes_through_png_and_jpeg),
        cmocka_unit_test(exif_orientation_turns_the_picture_upright),
        cmocka_unit_test(jpeg_quality_changes_the_size_and_the_error),
        cmocka_unit_test(jpeg_refuses_transparent_pixels_and_takes_opaque_ones),
        cmocka_unit_test(every_cut_is_an_error_and_every_flipped_bit_survivable),
        cmocka_unit_test(what_is_no_picture_is_named_with_its_first_bytes),
        cmocka_unit_test(a_giant_header_is_refused_before_memory_is_taken),
        cmocka_unit_test(a_full_disk_leaves_the_old_file_and_no_part),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
