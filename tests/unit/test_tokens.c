// SPDX-License-Identifier: MIT
// Texts to tokens, by a small list of merges that nobody published: its tokens can be worked out by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "weft/bpe.h"
#include <zlib.h>

static char file[] = "/tmp/weft-tokens-XXXXXX", error[BPE_ERROR];
static const char list[] = "#version: made up\nr e\nre d</w>\nd re\ns s</w>\ne ss</w>\ndre ss</w>\n' s</w>\n";
enum { LETTER_A = 'a' - '!', LAST = 256, RE = 512, RED, DRE, SS, ESS, DRESS, POSSESSIVE, START, END };

static int open_list(const char *text, int packed, bpe **b)
{
    gzFile f = gzopen(file, packed ? "wb" : "wbT"); // T: as it is
    assert_non_null(f);
    if (*text) assert_int_equal(gzwrite(f, text, (unsigned) strlen(text)), strlen(text));
    gzclose(f);
    *error = 0;
    return bpe_open(file, b, error);
}

static void check(const bpe *b, const char *text, int count, const int32_t *want)
{
    int32_t got[32];
    assert_int_equal(bpe_encode(b, text, got, 32), count);
    assert_memory_equal(got, want, (size_t) count * sizeof *want);
}
#define CHECK(b, text, ...) check(b, text, (int) (sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)), (int32_t[]){ __VA_ARGS__ })

static void words_are_merged_in_the_order_of_the_list(void **state)
{
    (void) state;
    for (int packed = 0; packed < 2; packed++) {
        bpe *b;
        assert_int_equal(open_list(list, packed, &b), 0);
        assert_int_equal(bpe_start(b), START);
        assert_int_equal(bpe_end(b), END);
        CHECK(b, "red", RED);
        CHECK(b, "dress", DRESS); // not by e ss, which comes later than d re
        CHECK(b, "dresse", DRE, 's' - '!', 's' - '!', LAST + 'e' - '!');
        CHECK(b, "  A\tRED\n dress! ", LAST + LETTER_A, RED, DRESS, LAST);
        bpe_close(&b);
        assert_null(b);
    }
}

static void signs_digits_and_endings_are_words_of_their_own(void **state)
{
    (void) state;
    bpe *b;
    assert_int_equal(open_list(list, 0, &b), 0);
    CHECK(b, "red's", RED, POSSESSIVE);
    CHECK(b, "12a", LAST + '1' - '!', LAST + '2' - '!', LAST + LETTER_A);
    CHECK(b, "a--!a", LAST + LETTER_A, '-' - '!', '-' - '!', LAST, LAST + LETTER_A);
    CHECK(b, "\xc3\xa9", 127, LAST + 102);                                  // a letter of two bytes, each written as a visible sign
    CHECK(b, "\xc3\x89""a", 127, 102, LAST + LETTER_A);                     // its capital, in a word
    CHECK(b, "a\xc2\xa0" "a\xe3\x80\x80" "a", LAST + LETTER_A, LAST + LETTER_A, LAST + LETTER_A); // spaces that are not ASCII
    assert_int_equal(bpe_encode(b, "", NULL, 0), 0);
    bpe_close(&b);
}

static void a_text_that_is_too_long_says_how_long_it_is(void **state)
{
    (void) state;
    int32_t got[3] = { 7, 7, 7 };
    bpe *b;
    assert_int_equal(open_list(list, 0, &b), 0);
    assert_int_equal(bpe_encode(b, "red red red", got, 2), 3);
    assert_memory_equal(got, ((int32_t[]){ RED, RED, 7 }), sizeof got);
    assert_int_equal(bpe_encode(b, "red \xff", got, 2), -1);
    assert_int_equal(bpe_encode(b, "red \xe3\x80", got, 2), -1);
    bpe_close(&b);
}

static void a_symbol_made_twice_goes_by_its_last_token(void **state)
{
    (void) state;
    bpe *b;
    assert_int_equal(open_list("#\na b\nb c\nab c\na bc\nabc d</w>\n", 0, &b), 0);
    CHECK(b, "abcd", 516);
    CHECK(b, "abca", 515, LAST + LETTER_A);
    bpe_close(&b);
}

static void what_is_no_list_is_refused(void **state)
{
    (void) state;
    static const char *const bad[][2] = {
        { "", "no merges" }, { "#version\n", "no merges" }, { "#\na b c\n", "line 2" }, { "#\na b\na\n", "line 3" }, { "#\na b\nab xy\n", "line 3" },
    };
    bpe *b;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_list(bad[i][0], 0, &b), -1);
        assert_null(b);
        assert_non_null(strstr(error, bad[i][1]));
    }
    assert_int_equal(bpe_open("/nowhere/at/all", &b, error), -1);
    assert_non_null(strstr(error, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_merged_in_the_order_of_the_list), cmocka_unit_test(signs_digits_and_endings_are_words_of_their_own),
        cmocka_unit_test(a_text_that_is_too_long_says_how_long_it_is), cmocka_unit_test(a_symbol_made_twice_goes_by_its_last_token),
        cmocka_unit_test(what_is_no_list_is_refused),
    };
    if (close(mkstemp(file))) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(file);
    return failed;
}
