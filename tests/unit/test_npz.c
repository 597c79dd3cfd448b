// SPDX-License-Identifier: MIT
// .npz files: NumPy's are read, what is written comes back, and no damage is believed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#undef fail // the command has one too
#include "weft/npz.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/random.h>

static const command test_command = { .name = "test" };
static const call c = { .command = &test_command, .quiet = 1 };
static char path[] = "/tmp/weft-npz-XXXXXX", out_path[64];

// numpy.savez_compressed(w=arange(6.0).reshape(1, 2, 3) / 2, seeds=array([4, -5], ">i2"), words=array(["a", "b"]))
static const unsigned char published[] = {
    80, 75, 3, 4, 20, 0, 0, 0, 8, 0, 0, 0, 33, 0, 51, 94, 185, 95, 91, 0, 0, 0, 176, 0,
    0, 0, 5, 0, 20, 0, 119, 46, 110, 112, 121, 1, 0, 16, 0, 176, 0, 0, 0, 0, 0, 0, 0, 91,
    0, 0, 0, 0, 0, 0, 0, 155, 236, 23, 234, 27, 16, 201, 200, 80, 198, 80, 173, 158, 146, 90, 156, 92,
    164, 110, 165, 160, 110, 147, 102, 161, 174, 163, 160, 158, 150, 95, 84, 82, 148, 152, 23, 159, 95, 148, 146, 10,
    18, 119, 75, 204, 41, 78, 5, 138, 23, 103, 36, 22, 164, 2, 249, 26, 134, 58, 10, 70, 58, 10, 198, 154,
    58, 10, 181, 10, 228, 1, 46, 6, 20, 240, 192, 30, 66, 127, 128, 210, 63, 160, 52, 131, 3, 132, 98, 113,
    0, 0, 80, 75, 3, 4, 20, 0, 0, 0, 8, 0, 0, 0, 33, 0, 93, 238, 65, 248, 72, 0, 0, 0,
    132, 0, 0, 0, 9, 0, 20, 0, 115, 101, 101, 100, 115, 46, 110, 112, 121, 1, 0, 16, 0, 132, 0, 0,
    0, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0, 0, 0, 155, 236, 23, 234, 27, 16, 201, 200, 80, 198, 80,
    173, 158, 146, 90, 156, 92, 164, 110, 165, 160, 110, 151, 105, 164, 174, 163, 160, 158, 150, 95, 84, 82, 148, 152,
    23, 159, 95, 148, 146, 10, 18, 119, 75, 204, 41, 78, 5, 138, 23, 103, 36, 22, 164, 2, 249, 26, 70, 58,
    154, 58, 10, 181, 10, 20, 0, 46, 6, 150, 255, 191, 1, 80, 75, 3, 4, 20, 0, 0, 0, 8, 0, 0,
    0, 33, 0, 167, 47, 224, 236, 75, 0, 0, 0, 136, 0, 0, 0, 9, 0, 20, 0, 119, 111, 114, 100, 115,
    46, 110, 112, 121, 1, 0, 16, 0, 136, 0, 0, 0, 0, 0, 0, 0, 75, 0, 0, 0, 0, 0, 0, 0,
    155, 236, 23, 234, 27, 16, 201, 200, 80, 198, 80, 173, 158, 146, 90, 156, 92, 164, 110, 165, 160, 110, 19, 106,
    168, 174, 163, 160, 158, 150, 95, 84, 82, 148, 152, 23, 159, 95, 148, 146, 10, 18, 119, 75, 204, 41, 78, 5,
    138, 23, 103, 36, 22, 164, 2, 249, 26, 70, 58, 154, 58, 10, 181, 10, 20, 0, 174, 68, 6, 6, 134, 36,
    32, 6, 0, 80, 75, 1, 2, 20, 3, 20, 0, 0, 0, 8, 0, 0, 0, 33, 0, 51, 94, 185, 95, 91,
    0, 0, 0, 176, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1, 0, 0, 0,
    0, 119, 46, 110, 112, 121, 80, 75, 1, 2, 20, 3, 20, 0, 0, 0, 8, 0, 0, 0, 33, 0, 93, 238,
    65, 248, 72, 0, 0, 0, 132, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1,
    146, 0, 0, 0, 115, 101, 101, 100, 115, 46, 110, 112, 121, 80, 75, 1, 2, 20, 3, 20, 0, 0, 0, 8,
    0, 0, 0, 33, 0, 167, 47, 224, 236, 75, 0, 0, 0, 136, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 128, 1, 21, 1, 0, 0, 119, 111, 114, 100, 115, 46, 110, 112, 121, 80, 75, 5, 6,
    0, 0, 0, 0, 3, 0, 3, 0, 161, 0, 0, 0, 155, 1, 0, 0, 0, 0,
};

static int set_up(void **state)
{
    (void) state;
    const int fd = mkstemp(path);
    if (fd < 0 || !freopen("/dev/null", "w", stderr)) return 1; // thousands of complaints are wanted below
    close(fd);
    snprintf(out_path, sizeof out_path, "%s.npz", path);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    remove(out_path);
    return remove(path);
}

static void put_file(const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_true(f && fwrite(data, 1, bytes, f) == bytes);
    fclose(f);
}

static size_t get_file(const char *from, unsigned char *data, size_t room)
{
    FILE *f = fopen(from, "rb");
    assert_non_null(f);
    const size_t n = fread(data, 1, room, f);
    fclose(f);
    return n;
}

// Reads array `w` of what lies at `path`; where that works, it must be the published one.
static int read_w(void)
{
    array_file *f = NULL;
    array a = { 0 };
    int code = arrays_open(&c, path, &f);
    if (code) return code;
    const int w = arrays_find(f, "w");
    code = w < 0 ? CODE_INPUT : arrays_read(&c, f, w, WEFT_F32, &a);
    if (!code) {
        assert_int_equal(a.bytes, 24);
        for (int i = 0; i < 6; i++) assert_true(((const float *) a.data)[i] == (float) i / 2);
        free(a.data);
    }
    arrays_close(f);
    return code;
}

static void arrays_of_numpy_are_read_by_name(void **state)
{
    (void) state;
    array_file *f = NULL;
    array a = { 0 };
    put_file(published, sizeof published);
    assert_int_equal(read_w(), CODE_OK);
    assert_int_equal(arrays_open(&c, path, &f), CODE_OK);
    assert_int_equal(arrays_count(f), 3);
    assert_int_equal(arrays_find(f, "nothing"), -1);
    assert_int_equal(arrays_read(&c, f, arrays_find(f, "seeds"), WEFT_I32, &a), CODE_OK);
    assert_true(a.shape.rank == 1 && a.shape.dim[0] == 2 && ((const int32_t *) a.data)[0] == 4 && ((const int32_t *) a.data)[1] == -5);
    free(a.data);
    assert_int_equal(arrays_read(&c, f, arrays_find(f, "words"), WEFT_F32, &a), CODE_INPUT); // text is no array of numbers
    arrays_close(f);
}

static void a_npy_file_is_one_array_without_a_name(void **state)
{
    (void) state;
    array_file *f = NULL;
    array a = { 0 };
    const float x[] = { 1, 2, 3 };
    assert_int_equal(npy_write(&c, path, WEFT_F32, (weft_shape) WEFT_SHAPE(3), x), CODE_OK);
    assert_int_equal(arrays_open(&c, path, &f), CODE_OK);
    assert_int_equal(arrays_count(f), 1);
    assert_string_equal(arrays_name(f, 0), "");
    assert_int_equal(arrays_read(&c, f, 0, WEFT_F32, &a), CODE_OK);
    assert_memory_equal(a.data, x, sizeof x);
    free(a.data);
    arrays_close(f);
}

static void what_is_written_comes_back_and_is_always_the_same(void **state)
{
    (void) state;
    static unsigned char first[4096], second[4096];
    const float w[] = { 1, -2, 3.5f, 4, 5, 6 };
    const int32_t seeds[] = { 7 };
    const named_array out[] = { { "w", WEFT_F32, WEFT_SHAPE(1, 2, 3), w }, { "seeds", WEFT_I32, WEFT_SHAPE(1), seeds } };
    array_file *f = NULL;
    array a = { 0 };
    assert_int_equal(arrays_write(&c, out_path, out, 2), CODE_OK);
    const size_t n = get_file(out_path, first, sizeof first);
    assert_int_equal(arrays_write(&c, out_path, out, 2), CODE_OK);
    assert_int_equal(get_file(out_path, second, sizeof second), n);
    assert_memory_equal(first, second, n);
    assert_int_equal(arrays_open(&c, out_path, &f), CODE_OK);
    assert_int_equal(arrays_read(&c, f, arrays_find(f, "w"), WEFT_F32, &a), CODE_OK);
    assert_true(a.shape.rank == 3 && a.shape.dim[2] == 3);
    assert_memory_equal(a.data, w, sizeof w);
    free(a.data);
    assert_int_equal(arrays_read(&c, f, arrays_find(f, "seeds"), WEFT_I32, &a), CODE_OK);
    assert_int_equal(*(const int32_t *) a.data, 7);
    free(a.data);
    arrays_close(f);
    assert_int_equal(arrays_write(&c, "/nowhere/at/all.npz", out, 2), CODE_FAILED);
}

static void no_cut_is_believed(void **state)
{
    (void) state;
    for (size_t n = 0; n < sizeof published; n++) {
        put_file(published, n);
        assert_int_not_equal(read_w(), CODE_OK);
    }
}

static void no_damage_is_believed(void **state)
{
    (void) state;
    static unsigned char file[sizeof published];
    weft_random_state r;
    weft_random_seed(&r, 1);
    for (size_t i = 0; i < sizeof published; i++) // each byte in several ways; read_w looks at what is still read
        for (int k = 0; k < 2; k++) {
            memcpy(file, published, sizeof file);
            file[i] ^= k ? (unsigned char) (1 + weft_random_below(&r, 255)) : 0xff;
            put_file(file, sizeof file);
            read_w();
        }
    for (int i = 0; i < 1000; i++) {
        memcpy(file, published, sizeof file);
        for (int k = 0; k < 3; k++) file[weft_random_below(&r, sizeof file)] = (unsigned char) weft_random_bits(&r);
        put_file(file, sizeof file);
        read_w();
    }
}

static void folders_and_other_files_are_refused(void **state)
{
    (void) state;
    array_file *f = NULL;
    assert_int_equal(arrays_open(&c, "/tmp", &f), CODE_INPUT);
    assert_int_equal(arrays_open(&c, "/nowhere/at/all.npz", &f), CODE_INPUT);
    put_file("PK", 2);
    assert_int_equal(arrays_open(&c, path, &f), CODE_INPUT);
    put_file("text that is neither", 20);
    assert_int_equal(arrays_open(&c, path, &f), CODE_INPUT);
    // An archive of nothing.
    put_file("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    assert_int_equal(arrays_open(&c, path, &f), CODE_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_numpy_are_read_by_name), cmocka_unit_test(a_npy_file_is_one_array_without_a_name),
        cmocka_unit_test(what_is_written_comes_back_and_is_always_the_same), cmocka_unit_test(no_cut_is_believed),
        cmocka_unit_test(no_damage_is_believed), cmocka_unit_test(folders_and_other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
