// SPDX-License-Identifier: MIT
// A bounded run of the fuzz target without a fuzzer: seeded mutations of a good file, checksums mended.
// test_fuzz [TURNS [SEED]] | test_fuzz FILE: to repeat a finding of libFuzzer | test_fuzz seed FILE FILE: first files for its corpus.
#include "fuzz/fuzz_read.c"
#include "base/random.h"
#include <stdio.h>
#include <time.h>

static seed_file file_of(const char *path)
{
    weft_mapping map;
    seed_file f = { 0 };
    if (weft_file_map(path, &map)) return f;
    if ((f.data = malloc(map.bytes + 1)) && map.bytes) memcpy(f.data, map.data, map.bytes);
    f.bytes = map.bytes;
    weft_file_unmap(&map);
    return f;
}

static size_t pick(weft_random *r, size_t below) { return below ? weft_random_u32(r) % below : 0; }

// One change. `d` has room for twice `bytes`; gives the new size.
static size_t change(weft_random *r, unsigned char *d, size_t bytes)
{
    static const uint64_t odd[] = { 0, 1, 2, 7, 8, 63, 64, 127, 128, 255, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX };
    const size_t at = pick(r, bytes), n = 1 + pick(r, bytes - at < 64 ? bytes - at : 64), to = pick(r, bytes - n + 1);
    switch (pick(r, 7)) {
    case 0: d[at] ^= (unsigned char) (1 << pick(r, 8)); break;
    case 1: d[at] = (unsigned char) weft_random_u32(r); break;
    case 2: { // a number, as a field of some width
        const int width = 1 << pick(r, 4);
        if (at + (size_t) width <= bytes) seed_store(d + at, odd[pick(r, sizeof odd / sizeof *odd)], width);
        break;
    }
    case 3: memmove(d + to, d + at, n); break;
    case 4: // taken out
        memmove(d + at, d + at + n, bytes - at - n);
        return bytes - n;
    case 5: // put in
        memmove(d + at + n, d + at, bytes - at);
        return bytes + n;
    case 6: d[at] = (unsigned char) (d[at] + 1 - 2 * (int) pick(r, 2)); break;
    }
    return bytes;
}

static void damage(weft_random *r, const seed_file *seed, unsigned char *d, size_t *bytes)
{
    const size_t head = (size_t) seed_load(seed->data + WEFT_AT_HEAD, 8);
    const bool anywhere = pick(r, 8) == 0; // mostly the head: that is where there is something to get wrong
    size_t part = anywhere ? seed->bytes : head;
    memcpy(d, seed->data, *bytes = seed->bytes);
    for (size_t k = 1 + pick(r, 4); k; k--) part = change(r, d, part);
    if (anywhere) *bytes = part;
    else { // it stays as long as its header says
        if (part < head) memset(d + part, 0, head - part);
        memcpy(d + head, seed->data + head, seed->bytes - head);
    }
    seed_mend(d, *bytes);
}

static int run(const seed_file *seed, const char *name, long turns, uint64_t number)
{
    weft_random random = { number };
    unsigned char *d = malloc(2 * seed->bytes + 1);
    long good = 0, at = 0;
    if (!seed->data || !d) return free(d), 1;
    const clock_t start = clock();
    for (; at < turns && clock() - start < 20 * CLOCKS_PER_SEC; at++) {
        size_t bytes;
        damage(&random, seed, d, &bytes);
        good += read_one(d, bytes);
    }
    printf("%s: %zu bytes, %ld turns, %ld still models, %.1f s\n", name, seed->bytes, at, good, (double) (clock() - start) / CLOCKS_PER_SEC);
    free(d);
    return good == at || good == 0; // mutations that never or always matter would test nothing
}

int main(int argc, char **argv)
{
    static weft_result (*const make[])(weft_context *, weft_model **) = { seed_model, seed_rows };
    static const char *const names[] = { "model", "rows" };
    weft_context *ctx;
    const bool save = argc == 4 && !strcmp(argv[1], "seed");
    const long turns = argc > 1 && !save ? strtol(argv[1], NULL, 10) : 20000;
    int bad = 0;
    if (!turns) {
        seed_file f = file_of(argv[1]);
        if (!f.data) return fprintf(stderr, "%s\n", weft_error_text()), 2;
        LLVMFuzzerTestOneInput(f.data, f.bytes);
        free(f.data);
        return 0;
    }
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx)) return 1;
    for (int i = 0; i < 2; i++) {
        weft_model *m;
        if (make[i](ctx, &m)) return fprintf(stderr, "%s: %s\n", names[i], weft_error_text()), 1;
        seed_file seed = seed_save(m);
        if (!save) bad += run(&seed, names[i], turns / (i ? 4 : 1), argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
        else if (weft_model_save(m, argv[2 + i])) bad++;
        free(seed.data);
        weft_model_destroy(&m);
    }
    weft_context_destroy(&ctx);
    return bad != 0;
}
