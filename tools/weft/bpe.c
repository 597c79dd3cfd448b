// SPDX-License-Identifier: MIT
// Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2015, on bytes, as CLIP has it.
#include "bpe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BYTES = 256, SYMBOLS = 2 * BYTES, MERGES = 48894, LINE = 1024, EMPTY = -1 };

typedef struct merge { int32_t left, right, to; } merge; // of symbols, by their tokens; its place in the list is its rank
struct bpe {
    int32_t merge_count;
    merge *merges;
    char **symbols;           // of every token: how the list writes it; a word's last one ends with </w>
    int32_t *by_text, *by_pair; // hash tables of tokens, and of merges
    uint32_t slots;           // of each; a power of two
    int32_t of_byte[BYTES];   // its token; that which ends a word is BYTES further
};

// --- Symbols. -----------------------------------------------------------------------------------------------------------

static uint32_t hash_text(const char *s)
{
    uint32_t h = 0x811c9dc5u;
    for (; *s; s++) h = (h ^ (unsigned char) *s) * 0x01000193u;
    return h ^ h >> 15;
}

static uint32_t hash_pair(int32_t left, int32_t right)
{
    uint32_t h = (uint32_t) left * 0x9e3779b1u ^ (uint32_t) right * 0x85ebca6bu;
    return h ^ h >> 15;
}

static uint32_t slot_of(const bpe *b, const char *symbol) // its own, or the free one where it belongs
{
    uint32_t at = hash_text(symbol) & (b->slots - 1);
    while (b->by_text[at] != EMPTY && strcmp(b->symbols[b->by_text[at]], symbol)) at = (at + 1) & (b->slots - 1);
    return at;
}

static int32_t token_of(const bpe *b, const char *symbol) { return b->by_text[slot_of(b, symbol)]; }

static bool add_symbol(bpe *b, int32_t token, const char *symbol) // the last of equals stands for all
{
    if (!(b->symbols[token] = malloc(strlen(symbol) + 1))) return false;
    strcpy(b->symbols[token], symbol);
    b->by_text[slot_of(b, symbol)] = token;
    return true;
}

static int32_t merge_of(const bpe *b, int32_t left, int32_t right) // EMPTY: they stay apart
{
    uint32_t at = hash_pair(left, right) & (b->slots - 1);
    for (; b->by_pair[at] != EMPTY; at = (at + 1) & (b->slots - 1))
        if (b->merges[b->by_pair[at]].left == left && b->merges[b->by_pair[at]].right == right) break;
    return b->by_pair[at];
}

// Every byte is written as a character that can be seen: itself, or one from 256 upwards. The visible ones come first.
static bool add_bytes(bpe *b)
{
    int32_t token = 0, next = BYTES;
    for (int hidden = 0; hidden < 2; hidden++)
        for (int byte = 0; byte < BYTES; byte++) {
            const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad);
            char text[8];
            if (visible == (bool) hidden) continue;
            const int c = visible ? byte : next++;
            if (c < 0x80) snprintf(text, sizeof text, "%c", c);
            else snprintf(text, sizeof text, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
            if (!add_symbol(b, token, text)) return false;
            strcat(text, "</w>");
            if (!add_symbol(b, BYTES + token, text)) return false;
            b->of_byte[byte] = token++;
        }
    return true;
}

// --- The list. ----------------------------------------------------------------------------------------------------------

static int refuse(char *error, const char *path, int line, const char *what)
{
    if (line) snprintf(error, BPE_ERROR, "%s: line %d %s", path, line, what);
    else snprintf(error, BPE_ERROR, "%s: %s", path, what);
    return -1;
}

static int add_merge(bpe *b, char *line, const char *path, int number, char *error)
{
    char *left = strtok(line, " \r\n"), *right = left ? strtok(NULL, " \r\n") : NULL, joined[LINE + 1];
    if (!right || strtok(NULL, " \r\n")) return refuse(error, path, number, "is not two symbols");
    merge *m = &b->merges[b->merge_count];
    m->left = token_of(b, left), m->right = token_of(b, right);
    if (m->left == EMPTY || m->right == EMPTY) return refuse(error, path, number, "merges a symbol that no line before it made");
    snprintf(joined, sizeof joined, "%s%s", left, right);
    m->to = SYMBOLS + b->merge_count;
    if (!add_symbol(b, m->to, joined)) return refuse(error, path, 0, "out of memory");
    b->merge_count++;
    return 0;
}

static int read_merges(bpe *b, gzFile f, const char *path, char *error)
{
    char line[LINE];
    for (int number = 1; b->merge_count < MERGES && gzgets(f, line, sizeof line); number++) {
        if (!strchr(line, '\n') && !gzeof(f)) return refuse(error, path, number, "is too long");
        if (number > 1 && line[strspn(line, " \r\n")] && add_merge(b, line, path, number, error)) return -1;
    }
    int broken;
    gzerror(f, &broken);
    if (broken != Z_OK && broken != Z_STREAM_END) return refuse(error, path, 0, "cannot read");
    if (!b->merge_count) return refuse(error, path, 0, "holds no merges");
    for (int32_t i = 0; i < b->merge_count; i++) { // a symbol that was made twice goes by its last token everywhere
        merge *m = &b->merges[i];
        m->left = token_of(b, b->symbols[m->left]), m->right = token_of(b, b->symbols[m->right]), m->to = token_of(b, b->symbols[m->to]);
        uint32_t at = hash_pair(m->left, m->right) & (b->slots - 1);
        if (merge_of(b, m->left, m->right) != EMPTY) continue;
        while (b->by_pair[at] != EMPTY) at = (at + 1) & (b->slots - 1);
        b->by_pair[at] = i;
    }
    return 0;
}

int bpe_open(const char *path, bpe **out, char error[BPE_ERROR])
{
    bpe *b = calloc(1, sizeof *b);
    gzFile f = gzopen(path, "rb");
    int r = -1;
    if (b) {
        b->slots = 1 << 17;
        b->merges = calloc(MERGES, sizeof *b->merges);
        b->symbols = calloc(SYMBOLS + MERGES, sizeof *b->symbols);
        b->by_text = malloc(b->slots * sizeof *b->by_text), b->by_pair = malloc(b->slots * sizeof *b->by_pair);
    }
    if (!f) refuse(error, path, 0, "cannot open");
    else if (!b || !b->merges || !b->symbols || !b->by_text || !b->by_pair) refuse(error, path, 0, "out of memory");
    else {
        for (uint32_t i = 0; i < b->slots; i++) b->by_text[i] = b->by_pair[i] = EMPTY;
        r = add_bytes(b) ? read_merges(b, f, path, error) : refuse(error, path, 0, "out of memory");
    }
    if (f) gzclose(f);
    if (r) bpe_close(&b);
    *out = b;
    return r;
}

void bpe_close(bpe **b)
{
    if (!*b) return;
    for (int32_t i = 0; (*b)->symbols && i < SYMBOLS + MERGES; i++) free((*b)->symbols[i]);
    free((*b)->symbols);
    free((*b)->merges);
    free((*b)->by_text);
    free((*b)->by_pair);
    free(*b);
    *b = NULL;
}

int32_t bpe_start(const bpe *b) { return SYMBOLS + b->merge_count; }
int32_t bpe_end(const bpe *b) { return SYMBOLS + b->merge_count + 1; }

// --- Words. -------------------------------------------------------------------------------------------------------------

typedef struct range { uint32_t first, last; } range;
static bool within(const range *r, uint32_t c)
{
    while (r->last && c > r->last) r++;
    return r->last && c >= r->first;
}

static bool is_space(uint32_t c)
{
    static const range spaces[] = { { 9, 13 }, { 28, 32 }, { 0x85, 0x85 }, { 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 },
                                    { 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 }, { 0, 0 } };
    return within(spaces, c);
}

static bool is_number(uint32_t c)
{
    static const range numbers[] = { { '0', '9' }, { 0xb2, 0xb3 }, { 0xb9, 0xb9 }, { 0xbc, 0xbe }, { 0x660, 0x669 }, { 0x6f0, 0x6f9 }, { 0x966, 0x96f },
                                     { 0x2070, 0x2070 }, { 0x2074, 0x2079 }, { 0x2080, 0x2089 }, { 0x2150, 0x2189 }, { 0x2460, 0x249b },
                                     { 0xff10, 0xff19 }, { 0, 0 } };
    return within(numbers, c);
}

static bool is_letter(uint32_t c)
{
    static const range letters[] = {
        { 'A', 'Z' }, { 'a', 'z' }, { 0xaa, 0xaa }, { 0xb5, 0xb5 }, { 0xba, 0xba }, { 0xc0, 0xd6 }, { 0xd8, 0xf6 }, { 0xf8, 0x2c1 }, { 0x370, 0x374 },
        { 0x376, 0x377 }, { 0x37a, 0x37d }, { 0x37f, 0x37f }, { 0x386, 0x386 }, { 0x388, 0x3f5 }, { 0x3f7, 0x481 }, { 0x48a, 0x556 }, { 0x561, 0x587 },
        { 0x5d0, 0x5ea }, { 0x620, 0x64a }, { 0x671, 0x6d3 }, { 0x904, 0x939 }, { 0x985, 0x9b9 }, { 0xb85, 0xbb9 }, { 0xe01, 0xe30 }, { 0xe32, 0xe33 }, { 0xe40, 0xe46 }, { 0x10d0, 0x10ff },
        { 0x1100, 0x11ff }, { 0x1e00, 0x1fbc }, { 0x3041, 0x3096 }, { 0x30a1, 0x30fa }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 },
        { 0xf900, 0xfad9 }, { 0xff21, 0xff3a }, { 0xff41, 0xff5a }, { 0x20000, 0x2ffff }, { 0, 0 }
    };
    return within(letters, c);
}

static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f)) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c == 0x178) return 0xff;
    const bool odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e); // the capital is the odd one of the pair
    if (odd) return c & 1 ? c + 1 : c;
    if ((c >= 0x100 && c <= 0x177 && c != 0x130 && c != 0x131 && c != 0x138) || (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf)) return c | 1;
    return c;
}

// One character of UTF-8; its length, 0: it is none.
static int decode(const unsigned char *s, uint32_t *c)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const int n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
    *c = n == 1 ? *s : *s & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) return 0;
        *c = *c << 6 | (s[i] & 63u);
    }
    return n && *c >= least[n] && *c <= 0x10ffff && *c >> 11 != 27 ? n : 0;
}

static int encode(uint32_t c, char *out)
{
    if (c < 0x80) return out[0] = (char) c, 1;
    const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (char) (0x80 | (c & 63));
    out[0] = (char) ((0xf00 >> n & 0xff) | c);
    return n;
}

// In small letters; NULL with *r: -1 no UTF-8, -2 no memory.
static char *lowered(const char *text, int64_t *r)
{
    char *out = malloc(2 * strlen(text) + 1), *at = out; // no small letter of those above is longer than twice its capital
    *r = -2;
    if (!out) return NULL;
    for (const unsigned char *s = (const unsigned char *) text; *s;) {
        uint32_t c;
        const int n = decode(s, &c);
        if (!n) return *r = -1, free(out), NULL;
        at += encode(lower(c), at);
        s += n;
    }
    *at = 0;
    return out;
}

// The length of the word that begins here: a shortened ending, letters, one digit, or other signs.
static size_t word_length(const char *s)
{
    static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    uint32_t c, first;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (!strncmp(s, endings[i], strlen(endings[i]))) return strlen(endings[i]);
    size_t n = (size_t) decode((const unsigned char *) s, &first);
    if (is_number(first)) return n;
    while (s[n]) {
        const size_t more = (size_t) decode((const unsigned char *) s + n, &c);
        if (is_letter(first) ? !is_letter(c) : is_letter(c) || is_number(c) || is_space(c)) break;
        n += more;
    }
    return n;
}

// Merges the symbols of a word, the earliest merge of the list first, everywhere it applies; gives how many are left.
static size_t merge_word(const bpe *b, int32_t *symbols, size_t count)
{
    for (;;) {
        int32_t best = EMPTY;
        for (size_t i = 0; i + 1 < count; i++) {
            const int32_t m = merge_of(b, symbols[i], symbols[i + 1]);
            if (m != EMPTY && (best == EMPTY || m < best)) best = m;
        }
        if (best == EMPTY) return count;
        const merge m = b->merges[best];
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            const bool joins = i + 1 < count && symbols[i] == m.left && symbols[i + 1] == m.right;
            symbols[left++] = joins ? m.to : symbols[i];
            i += joins;
        }
        count = left;
    }
}

int64_t bpe_encode(const bpe *b, const char *text, int32_t *tokens, int64_t most)
{
    int64_t count = 0, r;
    char *small = lowered(text, &r);
    if (!small) return r;
    int32_t *word = malloc((strlen(small) + 1) * sizeof *word);
    for (const char *s = small; word && *s;) {
        uint32_t c;
        const size_t space = (size_t) decode((const unsigned char *) s, &c), n = is_space(c) ? 0 : word_length(s);
        for (size_t i = 0; i < n; i++) word[i] = b->of_byte[(unsigned char) s[i]] + (i + 1 == n ? BYTES : 0);
        const size_t left = n ? merge_word(b, word, n) : 0;
        for (size_t i = 0; i < left; i++, count++)
            if (count < most) tokens[count] = word[i];
        s += n ? n : space;
    }
    if (!word) count = -2;
    free(word);
    free(small);
    return count;
}
