// SPDX-License-Identifier: MIT
// A bounded run of the fuzz target without a fuzzer: seeded mutations of a good file, checksums mended.
// test_fuzz [TURNS [SEED]] | test_fuzz FILE: to repeat a finding of libFuzzer | test_fuzz seed FILE: a first file for its corpus.
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

int main(int argc, char **argv)
{
    weft_context *ctx;
    weft_model *m;
    long turns = 20000, good = 0, at = 0;
    weft_random random = { argc > 2 ? strtoull(argv[2], NULL, 10) : 1 };
    if (argc == 3 && !strcmp(argv[1], "seed"))
        return weft_context_create(NULL, &ctx) || seed_model(ctx, &m) || weft_model_save(m, argv[2]);
    if (argc > 1 && !(turns = strtol(argv[1], NULL, 10))) {
        seed_file f = file_of(argv[1]);
        if (!f.data) return fprintf(stderr, "%s\n", weft_error_text()), 2;
        LLVMFuzzerTestOneInput(f.data, f.bytes);
        free(f.data);
        return 0;
    }
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || seed_model(ctx, &m)) return fprintf(stderr, "%s\n", weft_error_text()), 1;
    seed_file seed = seed_save(m);
    // Mostly the head is damaged: that is where there is something to get wrong.
    const size_t head = seed.data ? (size_t) seed_load(seed.data + WEFT_AT_HEAD, 8) : 0;
    unsigned char *d = malloc(2 * seed.bytes);
    if (!seed.data || !d) return 1;
    const clock_t start = clock();
    for (; at < turns && clock() - start < 20 * CLOCKS_PER_SEC; at++) {
        size_t bytes = seed.bytes, part = at % 8 ? head : seed.bytes;
        memcpy(d, seed.data, bytes);
        for (size_t k = 1 + pick(&random, 4); k; k--) {
            part = change(&random, d, part);
        }
        if (at % 8 == 0) bytes = part;
        else { // the head stays as long as its header says
            if (part < head) memset(d + part, 0, head - part);
            memcpy(d + head, seed.data + head, seed.bytes - head);
        }
        seed_mend(d, bytes);
        good += read_one(d, bytes);
    }
    printf("%ld turns, %ld still models, %.1f s\n", at, good, (double) (clock() - start) / CLOCKS_PER_SEC);
    free(d);
    free(seed.data);
    weft_model_destroy(&m);
    weft_context_destroy(&ctx);
    return good == at || good == 0; // mutations that never or always matter would test nothing
}
