// SPDX-License-Identifier: MIT
// From tables of options: parsing, and the help text.
#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const option common[] = {
    { "verbose", 'v', OPTION_FLAG, NULL, offsetof(call, verbose), "say more; twice: still more" },
    { "quiet", 'q', OPTION_FLAG, NULL, offsetof(call, quiet), "no notes and no progress bar" },
    { "help", 'h', OPTION_FLAG, NULL, 0, "this text" },
    { 0 }
};

// --- Guessing what was meant. ----------------------------------------------------------------------------------

static int distance(const char *a, const char *b) // Levenshtein's
{
    int row[64];
    const int n = (int) strlen(b);
    if (n >= 63 || strlen(a) >= 63) return 99;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int above = row[j], change = diagonal + (a[i - 1] != b[j - 1]);
            int best = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
            row[j] = best < change ? best : change;
            diagonal = above;
        }
    }
    return row[n];
}

const char *nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int least = 3 < (int) strlen(word) / 2 + 1 ? 3 : (int) strlen(word) / 2 + 1; // at most this far
    for (; *names; names++) {
        const int d = distance(word, *names);
        const bool starts = strlen(word) >= 3 && !strncmp(word, *names, strlen(word));
        if (starts && least > 0) best = *names, least = 0;
        else if (d < least) best = *names, least = d;
    }
    return best;
}

// --- Parsing. --------------------------------------------------------------------------------------------------

static const option *find_in(const option *table, const char *name, size_t length, char letter)
{
    for (; table && table->name; table++)
        if (name ? strlen(table->name) == length && !memcmp(table->name, name, length) : table->letter == letter) return table;
    return NULL;
}

static const option *find_option(const call *c, const char *name, size_t length, char letter, void **base)
{
    const option *o = find_in(c->command->options, name, length, letter);
    *base = c->options;
    if (!o) {
        o = find_in(common, name, length, letter);
        *base = (void *) (uintptr_t) c;
    }
    return o;
}

static bool read_int(const char *text, int *out)
{
    char *end;
    const long v = strtol(text, &end, 10);
    if (!*text || *end || v < -2147483647 || v > 2147483647) return false;
    *out = (int) v;
    return true;
}

static int choose(const char *choices, const char *word) // -1: none of them
{
    for (int i = 0; *choices; i++) {
        const size_t n = strcspn(choices, "|");
        if (strlen(word) == n && !memcmp(choices, word, n)) return i;
        choices += n + (choices[n] != 0);
    }
    return -1;
}

static int store(const call *c, const option *o, void *base, const char *value)
{
    void *to = (char *) base + o->offset;
    switch (o->type) {
    case OPTION_FLAG: ++*(int *) to; break;
    case OPTION_TEXT: *(const char **) to = value; break;
    case OPTION_INT:
        if (!read_int(value, to)) return usage(c, "--%s wants a whole number, not '%s'", o->name, value);
        if ((o->least || o->most) && (*(int *) to < o->least || *(int *) to > o->most))
            return usage(c, "--%s is %s, not %d to %d", o->name, value, o->least, o->most);
        break;
    case OPTION_REAL: {
        char *end;
        *(double *) to = strtod(value, &end);
        if (!*value || *end) return usage(c, "--%s wants a number, not '%s'", o->name, value);
        break;
    }
    case OPTION_LIST: {
        text_list *l = to;
        if (l->count == LIST_MOST) return usage(c, "--%s is given more than %d times", o->name, LIST_MOST);
        l->at[l->count++] = value;
        break;
    }
    case OPTION_CHOICE:
        if ((*(int *) to = choose(o->arg, value)) < 0) return usage(c, "--%s is %s, not '%s'", o->name, o->arg, value);
        break;
    }
    return -1;
}

static int unknown(const call *c, const char *word)
{
    const char *names[64];
    int n = 0;
    for (const option *o = c->command->options; o && o->name && n < 60; o++) names[n++] = o->name;
    for (const option *o = common; o->name && n < 63; o++) names[n++] = o->name;
    names[n] = NULL;
    char bare[64];
    snprintf(bare, sizeof bare, "%.*s", (int) strcspn(word + 2, "="), word + 2);
    const char *meant = word[1] == '-' ? nearest(bare, names) : NULL;
    return meant ? usage(c, "unknown option %s; did you mean --%s?", word, meant) : usage(c, "unknown option %s", word);
}

// One long option; *i moves on past a value of its own.
static int parse_long(call *c, int argc, char **argv, int *i, bool *help)
{
    const char *word = argv[*i], *name = word + 2;
    const size_t length = strcspn(name, "=");
    void *base;
    const option *o = find_option(c, name, length, 0, &base);
    if (!o) return unknown(c, word);
    if (!strcmp(o->name, "help")) return *help = true, -1;
    if (o->type == OPTION_FLAG)
        return name[length] ? usage(c, "--%s takes no value", o->name) : store(c, o, base, NULL);
    if (name[length]) return store(c, o, base, name + length + 1);
    if (*i + 1 >= argc) return usage(c, "--%s wants a value: %s", o->name, o->arg);
    return store(c, o, base, argv[++*i]);
}

// A word of short ones: -v, -vq, -g1, -g 1.
static int parse_short(call *c, int argc, char **argv, int *i, bool *help)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        void *base;
        const option *o = find_option(c, NULL, 0, *p, &base);
        int r;
        if (!o) return unknown(c, argv[*i]);
        if (o->letter == 'h' && base == c) return *help = true, -1;
        if (o->type == OPTION_FLAG) {
            if ((r = store(c, o, base, NULL)) >= 0) return r;
            continue;
        }
        if (p[1]) return store(c, o, base, p + 1);
        if (*i + 1 >= argc) return usage(c, "-%c wants a value: %s", *p, o->arg);
        return store(c, o, base, argv[++*i]);
    }
    return -1;
}

int parse_options(call *c, int argc, char **argv)
{
    bool only_args = false, help = false;
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        int r = -1;
        if (only_args || word[0] != '-' || !word[1]) argv[kept++] = argv[i];
        else if (!strcmp(word, "--")) only_args = true;
        else r = word[1] == '-' ? parse_long(c, argc, argv, &i, &help) : parse_short(c, argc, argv, &i, &help);
        if (r >= 0) return r;
    }
    c->args = (const char *const *) argv;
    c->arg_count = kept;
    if (help) return print_help(c->command), CODE_OK;
    if (kept < c->command->least) return usage(c, "something is missing: weft %s %s", c->command->name, c->command->args);
    if (kept > c->command->most) return usage(c, "one argument too many: '%s'", argv[c->command->most]);
    return -1;
}

// --- Help. -----------------------------------------------------------------------------------------------------

enum { COLUMN = 30, WIDTH = 100 };

static void print_wrapped(const char *text, int column) // the cursor is at `column`
{
    int at = column;
    while (*text) {
        const int n = (int) strcspn(text, " ");
        if (at > column && at + 1 + n > WIDTH) printf("\n%*s", column, ""), at = column;
        at += printf("%s%.*s", at > column ? " " : "", n, text);
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void print_options(const option *o)
{
    for (; o && o->name; o++) {
        char head[96];
        char letter[] = { '-', o->letter, ',', 0 };
        snprintf(head, sizeof head, "  %3s --%s%s%s", o->letter ? letter : "", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        if (strlen(head) >= COLUMN) printf("%s\n%*s", head, COLUMN, "");
        else printf("%-*s", COLUMN, head);
        print_wrapped(o->doc, COLUMN);
    }
}

void print_help(const command *cmd)
{
    printf("weft %s %s\n\n", cmd->name, cmd->args);
    print_wrapped(cmd->summary, 0);
    if (cmd->about) printf("\n%s\n", cmd->about);
    printf("\nOptions\n");
    print_options(cmd->options);
    print_options(common);
    if (cmd->examples) printf("\nExamples\n%s\n", cmd->examples);
}
