// SPDX-License-Identifier: MIT
// Sentences to the tokens that CLIP reads: byte pairs, merged in the order of a published list.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { BPE_ERROR = 256 };
typedef struct bpe bpe;

// The list, plain or gzip: a line that is no merge, then two symbols a line, the first merge first. As published, lines
// after the 48894th merge are not used. 0, or -1 with a sentence in `error`.
int bpe_open(const char *path, bpe **out, char error[BPE_ERROR]);
void bpe_close(bpe **b);
int32_t bpe_start(const bpe *b), bpe_end(const bpe *b); // the tokens that stand around a text; bpe_end is the largest of all

// Writes the tokens of a UTF-8 text, without start and end, as far as there is room for `most`. Gives how many there are; -1:
// the text is no UTF-8, -2: out of memory. Capitals and runs of white space do not matter. Letters are told from other signs
// for European, Semitic, Indic, East Asian and similar scripts; a text is not repaired nor its HTML entities replaced.
int64_t bpe_encode(const bpe *b, const char *text, int32_t *tokens, int64_t most);
