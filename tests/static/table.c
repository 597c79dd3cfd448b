// SPDX-License-Identifier: MIT
#include "static/figures.h"
#include <stdlib.h>
#include <string.h>

static int *figure(figures *f, int index) { return (int *) f + index; }
static int value(const figures *f, int index) { return ((const int *) f)[index]; }
static bool less_is_worse(int index) { return !strcmp(figure_names[index], "waves"); }

weft_result table_add(table *t, const char *label, const figures *f)
{
    int at = 0;
    while (at < t->count && strcmp(t->rows[at].label, label)) at++;
    if (at == t->count) {
        row *more = realloc(t->rows, sizeof *more * (size_t) (at + 1));
        if (!more) return WEFT_ERR_MEMORY;
        t->rows = more;
        t->rows[t->count++] = (row) { .worst = *f };
        snprintf(t->rows[at].label, sizeof t->rows[at].label, "%s", label);
    }
    row *r = &t->rows[at];
    r->pipelines++;
    for (int i = 0; i < FIGURES; i++)
        if (less_is_worse(i) ? value(f, i) < value(&r->worst, i) : value(f, i) > value(&r->worst, i)) *figure(&r->worst, i) = value(f, i);
    return WEFT_OK;
}

static int by_label(const void *a, const void *b) { return strcmp(((const row *) a)->label, ((const row *) b)->label); }
void table_sort(table *t) { qsort(t->rows, (size_t) t->count, sizeof *t->rows, by_label); }

static void put_rows(const table *t, FILE *f)
{
    fprintf(f, "kernel,pipelines");
    for (int i = 0; i < FIGURES; i++) fprintf(f, ",%s", figure_names[i]);
    fputc('\n', f);
    for (int k = 0; k < t->count; k++) {
        fprintf(f, "%s,%d", t->rows[k].label, t->rows[k].pipelines);
        for (int i = 0; i < FIGURES; i++) value(&t->rows[k].worst, i) < 0 ? fputc(',', f) : fprintf(f, ",%d", value(&t->rows[k].worst, i));
        fputc('\n', f);
    }
}

void table_print(const table *t) { put_rows(t, stdout); }

weft_result table_write(const table *t, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) return weft_fail(WEFT_ERR_IO, "cannot write '%s'", path);
    fprintf(f, "# %s\n", t->driver);
    put_rows(t, f);
    const bool bad = ferror(f);
    return fclose(f) || bad ? weft_fail(WEFT_ERR_IO, "cannot write '%s'", path) : WEFT_OK;
}

static bool read_row(char *line, row *r)
{
    char *at = strchr(line, ',');
    if (!at) return false;
    *at++ = 0;
    *r = (row) { .pipelines = atoi(at) };
    snprintf(r->label, sizeof r->label, "%.*s", LABEL - 1, line);
    for (int i = 0; i < FIGURES; i++) {
        at = strchr(at, ',');
        if (!at) return false;
        at++;
        *figure(&r->worst, i) = *at == ',' || *at == '\n' ? -1 : atoi(at);
    }
    return true;
}

weft_result table_read(table *t, const char *path)
{
    char line[512];
    FILE *f = fopen(path, "r");
    *t = (table) { 0 };
    if (!f) return weft_fail(WEFT_ERR_IO, "cannot read '%s'", path);
    weft_result r = WEFT_OK;
    for (int number = 0; r == WEFT_OK && fgets(line, sizeof line, f); number++) {
        row *more = realloc(t->rows, sizeof *more * (size_t) (t->count + 1));
        if (!more) r = WEFT_ERR_MEMORY;
        else t->rows = more;
        if (number == 0) snprintf(t->driver, sizeof t->driver, "%.*s", (int) strcspn(line, "\n") - 2, line + 2);
        if (number < 2 || r != WEFT_OK) continue;
        if (read_row(line, &t->rows[t->count])) t->count++;
        else r = weft_fail(WEFT_ERR_FORMAT, "%s: line %d is none of a table of figures", path, number + 1);
    }
    fclose(f);
    return r;
}

// Small things move with every change of a shader: only a tenth and more, and of small numbers at least 8, is worth a line.
static bool differs(int index, int before, int now)
{
    const int apart = abs(now - before);
    if (!strcmp(figure_names[index], "spills") || !strcmp(figure_names[index], "scratch")) return apart > 0;
    if (!strcmp(figure_names[index], "registers") || !strcmp(figure_names[index], "scalars")) return apart >= 8 && apart * 10 > before;
    if (!strcmp(figure_names[index], "waves")) return apart > 0;
    if (!strcmp(figure_names[index], "shared")) return apart * 10 > before;
    return false; // the rest follows from those, or is a matter of taste
}

static int compare_row(const row *kept, const row *now)
{
    bool worse = false, any = false;
    for (int i = 0; i < FIGURES; i++) {
        const int a = value(&kept->worst, i), b = value(&now->worst, i);
        if (a < 0 || b < 0 || !differs(i, a, b)) continue;
        printf("%s%s %d -> %d", any ? ", " : "  ", figure_names[i], a, b);
        any = true;
        worse |= less_is_worse(i) ? b < a : b > a;
    }
    if (any) printf("%s: %s\n", worse ? " WORSE" : "", now->label);
    return worse;
}

static const row *find(const table *t, const char *label)
{
    for (int i = 0; i < t->count; i++)
        if (!strcmp(t->rows[i].label, label)) return &t->rows[i];
    return NULL;
}

int table_compare(const table *kept, const table *now)
{
    int worse = 0;
    if (strcmp(kept->driver, now->driver)) printf("  the table was made with %s: differences may be the compiler's\n", kept->driver);
    for (int i = 0; i < now->count; i++) {
        const row *before = find(kept, now->rows[i].label);
        if (before) worse += compare_row(before, &now->rows[i]);
        else printf("  new: %s\n", now->rows[i].label);
    }
    for (int i = 0; i < kept->count; i++)
        if (!find(now, kept->rows[i].label)) printf("  gone: %s\n", kept->rows[i].label);
    return worse;
}

void table_free(table *t)
{
    free(t->rows);
    *t = (table) { 0 };
}
