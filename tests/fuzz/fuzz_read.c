// SPDX-License-Identifier: MIT
// The reader against arbitrary bytes: `clang -fsanitize=fuzzer` calls the function below; test_fuzz.c calls it with
// mutations of a good file. Whatever it is given, the reader must answer, in bounded time and memory.
#include "fuzz/seed.h"

static size_t memory_now, memory_most;
static void *counting_alloc(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    (void) user;
    memory_now += new_bytes - old_bytes;
    if (memory_now > memory_most) memory_most = memory_now;
    if (new_bytes) return realloc(p, new_bytes);
    free(p);
    return NULL;
}

static void ignore_line(void *user, const char *text) { *(size_t *) user += strlen(text); }

// What a host does with a model that it could load.
static void look_at(const weft_model *m)
{
    size_t text = 0;
    weft_model_facts facts;
    for (int i = 0; i < weft_model_entry_count(m); i++) {
        if (weft_model_print(m, i, ignore_line, &text) != WEFT_OK) __builtin_trap(); // it was bound at these dimensions before
        weft_model_measure(m, i, NULL, 0, &facts); // may refuse, for rows may refuse when they expand
    }
}

static int read_one(const unsigned char *data, size_t bytes) // 1: it is a model
{
    static weft_context *ctx;
    weft_model *m;
    if (!ctx && weft_context_create(&(weft_context_params) { .threads = 1, .allocator = { .alloc = counting_alloc } }, &ctx)) __builtin_trap();
    const size_t before = memory_now;
    memory_most = memory_now;
    const weft_result r = weft_model_load_memory(ctx, data, bytes, "fuzz", &m);
    if (memory_most - before > (1u << 20) + 2000 * bytes) __builtin_trap();
    if (r == WEFT_OK) {
        look_at(m);
        weft_model_destroy(&m);
    } else if (!*weft_error_text()) {
        __builtin_trap(); // a failure without a sentence
    }
    if (memory_now != before) __builtin_trap(); // something is left
    return r == WEFT_OK;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes)
{
    unsigned char *copy = calloc(1, bytes + !bytes); // its own block, so that reading past the end is seen
    if (!copy) return 0;
    if (bytes) memcpy(copy, data, bytes);
    read_one(copy, bytes);
    seed_mend(copy, bytes);
    read_one(copy, bytes);
    free(copy);
    return 0;
}
