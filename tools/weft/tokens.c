// SPDX-License-Identifier: MIT
// weft tokens: sentences become the numbers that CLIP reads.
#include "bpe.h"
#include "npy.h"
#include <stdio.h>
#include <stdlib.h>

struct tokens_options { const char *vocab, *out; int length, truncate; };
static const option tokens_options[] = {
    { "vocab", 0, OPTION_TEXT, "FILE", offsetof(struct tokens_options, vocab), "the published list of merges, bpe_simple_vocab_16e6.txt or .txt.gz" },
    { "output", 'o', OPTION_TEXT, "FILE.npy", offsetof(struct tokens_options, out), "where the tokens go, one row per text; without it they are printed" },
    { "length", 0, OPTION_INT, "N", offsetof(struct tokens_options, length), "tokens per text, zeros at the end (77)", 3, 1 << 16 },
    { "truncate", 0, OPTION_FLAG, NULL, offsetof(struct tokens_options, truncate), "cut a text that is longer instead of refusing it" },
    { 0 }
};

// start, the text, end, zeros
static int fill(const call *c, const bpe *b, const char *text, int32_t *row, int length)
{
    const struct tokens_options *o = c->options;
    int64_t count = bpe_encode(b, text, row + 1, length - 2);
    if (count == -2) return fail(c, CODE_FAILED, "out of memory");
    if (count < 0) return fail(c, CODE_INPUT, "'%s' is no UTF-8", text);
    if (count > length - 2 && !o->truncate)
        return fail(c, CODE_INPUT, "'%s' has %lld tokens, and there is room for %d: shorten it, or --truncate", text, (long long) count, length - 2);
    if (count > length - 2) count = length - 2;
    row[0] = bpe_start(b);
    row[count + 1] = bpe_end(b);
    return CODE_OK;
}

static int write_rows(const call *c, const int32_t *rows, int length)
{
    const struct tokens_options *o = c->options;
    if (o->out) return npy_write(c, o->out, WEFT_I32, (weft_shape) { 2, { c->arg_count, length } }, rows);
    for (int i = 0; i < c->arg_count; i++) {
        int count = length;
        while (count && !rows[i * length + count - 1]) count--;
        for (int k = 0; k < count; k++) printf(k ? " %d" : "%d", (int) rows[i * length + k]);
        puts("");
    }
    return CODE_OK;
}

static int run_tokens(call *c)
{
    const struct tokens_options *o = c->options;
    const int length = o->length ? o->length : 77;
    char error[BPE_ERROR];
    bpe *b;
    int code = CODE_OK;
    if (!o->vocab) return usage(c, "--vocab is needed: CLIP's list of merges, bpe_simple_vocab_16e6.txt.gz");
    if (bpe_open(o->vocab, &b, error)) return fail(c, CODE_INPUT, "%s", error);
    int32_t *rows = calloc((size_t) c->arg_count * (size_t) length, sizeof *rows);
    if (!rows) code = fail(c, CODE_FAILED, "out of memory");
    for (int i = 0; i < c->arg_count && !code; i++) code = fill(c, b, c->args[i], rows + (size_t) i * (size_t) length, length);
    if (!code) code = write_rows(c, rows, length);
    free(rows);
    bpe_close(&b);
    return code;
}

const command command_tokens = {
    .name = "tokens", .args = "TEXT ... --vocab FILE [-o TOKENS.npy]", .summary = "makes of sentences what CLIP reads",
    .about = "Splits each text into the byte pairs of CLIP's published list, with the tokens of start and end around it. Capitals and\n"
             "runs of white space do not matter. Broken characters and HTML entities are taken as they are.",
    .examples = "  weft tokens \"a red dress\" --vocab bpe_simple_vocab_16e6.txt.gz -o dress.npy\n  weft run clip.weft -e text -i dress.npy -o embedding.npy",
    .options = tokens_options, .option_bytes = sizeof(struct tokens_options), .least = 1, .most = 256, .run = run_tokens,
};
