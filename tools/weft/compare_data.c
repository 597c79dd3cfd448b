// SPDX-License-Identifier: MIT
// A comparison for other programs: CSV and JSON.
#include "compare.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

// --- CSV (RFC 4180). -------------------------------------------------------------------------------------------

// A text of others that a spreadsheet would compute gets an apostrophe.
static void put_text(text_out *t, const char *text)
{
    const char *guard = *text && strchr("=+-@", *text) ? "'" : "";
    if (!strpbrk(text, ",\"\n")) {
        put(t, "%s%s", guard, text);
        return;
    }
    put(t, "\"%s", guard);
    for (; *text; text++) put(t, *text == '"' ? "\"\"" : "%c", *text);
    put(t, "\"");
}

static void put_head(text_out *t, const report *r, const row *w)
{
    put_text(t, r->file);
    put(t, ",");
    put_text(t, r->name);
    put(t, ",");
    put_text(t, w->suite);
    put(t, ",");
    put_text(t, w->name);
}

void put_csv(text_out *t, const comparison *m)
{
    put(t, "report,device,suite,result,base_ms,ms,speed,low,high,verdict,other\n");
    for (int k = 0; k < m->row_count; k++)
        for (int i = 1; i < m->report_count; i++) {
            const cell *c = &m->rows[k].cell[i];
            if (!c->result) continue;
            put_head(t, &m->reports[i], &m->rows[k]);
            put(t, ",%.9g,%.9g,%.6g,%.6g,%.6g,%s,", m->rows[k].cell[0].time->median, c->time->median, c->speed.ratio, c->speed.low, c->speed.high,
                verdict_words[c->speed.verdict]);
            put_text(t, c->mark ? c->mark : "");
            put(t, "\n");
        }
}

// --- JSON. -----------------------------------------------------------------------------------------------------

static void add_speed(cJSON *o, double ratio, double low, double high)
{
    cJSON_AddNumberToObject(o, "speed", ratio);
    cJSON_AddNumberToObject(o, "low", low);
    cJSON_AddNumberToObject(o, "high", high);
}

static void add_reports(cJSON *top, const comparison *m)
{
    cJSON *list = cJSON_AddArrayToObject(top, "reports");
    for (int i = 0; i < m->report_count; i++) {
        const report *r = &m->reports[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddItemToArray(list, o);
        cJSON_AddStringToObject(o, "letter", r->letter);
        cJSON_AddStringToObject(o, "file", r->file);
        cJSON_AddStringToObject(o, "device", r->name);
        cJSON_AddStringToObject(o, "driver", r->driver);
        cJSON_AddStringToObject(o, "precision", r->precision);
        cJSON_AddStringToObject(o, "weft", r->weft);
    }
}

static void add_rows(cJSON *suite, const comparison *m, const struct suite *s)
{
    cJSON *list = cJSON_AddArrayToObject(suite, "rows");
    for (int k = s->first; k < s->first + s->count; k++)
        for (int i = 1; i < m->report_count; i++) {
            const cell *c = &m->rows[k].cell[i];
            if (!c->result) continue;
            cJSON *o = cJSON_CreateObject();
            cJSON_AddItemToArray(list, o);
            cJSON_AddStringToObject(o, "name", m->rows[k].name);
            cJSON_AddStringToObject(o, "report", m->reports[i].letter);
            cJSON_AddNumberToObject(o, "base_ms", m->rows[k].cell[0].time->median);
            cJSON_AddNumberToObject(o, "ms", c->time->median);
            add_speed(o, c->speed.ratio, c->speed.low, c->speed.high);
            cJSON_AddStringToObject(o, "verdict", verdict_words[c->speed.verdict]);
            if (c->mark) cJSON_AddStringToObject(o, "other", c->mark);
        }
}

static void add_sums(cJSON *suite, const comparison *m, const struct suite *s)
{
    cJSON *list = cJSON_AddArrayToObject(suite, "geometric_means");
    for (int i = 1; i < m->report_count; i++) {
        const sum *u = &s->sum[i];
        if (!u->rows) continue;
        cJSON *o = cJSON_CreateObject();
        cJSON_AddItemToArray(list, o);
        cJSON_AddStringToObject(o, "report", m->reports[i].letter);
        cJSON_AddNumberToObject(o, "rows", u->rows);
        cJSON_AddNumberToObject(o, "faster", u->faster);
        cJSON_AddNumberToObject(o, "slower", u->slower);
        add_speed(o, u->ratio, u->low, u->high);
    }
}

static void add_peaks(cJSON *top, const comparison *m)
{
    cJSON *list = cJSON_AddArrayToObject(top, "peak");
    for (int k = 0; k < PEAKS; k++)
        for (int i = 1; i < m->report_count; i++) {
            if (!peak_compared(m, k, i)) continue;
            cJSON *o = cJSON_CreateObject();
            cJSON_AddItemToArray(list, o);
            cJSON_AddStringToObject(o, "name", peak_kinds[k].name);
            cJSON_AddStringToObject(o, "report", m->reports[i].letter);
            cJSON_AddNumberToObject(o, "base", m->reports[0].peak[k]->median);
            cJSON_AddNumberToObject(o, "value", m->reports[i].peak[k]->median);
            add_speed(o, m->peak[k][i].ratio, m->peak[k][i].low, m->peak[k][i].high);
            cJSON_AddStringToObject(o, "verdict", verdict_words[m->peak[k][i].verdict]);
        }
}

static void add_left(cJSON *top, const comparison *m)
{
    cJSON *list = cJSON_AddArrayToObject(top, "not_counted");
    for (int i = 0; i < m->left_count; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddItemToArray(list, o);
        cJSON_AddStringToObject(o, "suite", m->left[i].suite);
        cJSON_AddStringToObject(o, "name", m->left[i].name);
        cJSON_AddStringToObject(o, "why", m->left[i].why);
    }
}

void put_json(text_out *t, const comparison *m)
{
    cJSON *top = cJSON_CreateObject();
    cJSON_AddStringToObject(top, "schema", "weft-compare");
    cJSON_AddNumberToObject(top, "version", 1);
    cJSON_AddNumberToObject(top, "noise", m->noise);
    cJSON_AddStringToObject(top, "time", m->by_gpu ? "gpu" : "wall");
    add_reports(top, m);
    cJSON *across = cJSON_AddArrayToObject(top, "across"), *suites = cJSON_AddArrayToObject(top, "suites");
    for (int i = 0; i < m->across_count; i++) cJSON_AddItemToArray(across, cJSON_CreateString(m->across[i]));
    for (int i = 0; i < m->suite_count; i++) {
        cJSON *s = cJSON_CreateObject();
        cJSON_AddItemToArray(suites, s);
        cJSON_AddStringToObject(s, "suite", m->suites[i].name);
        add_sums(s, m, &m->suites[i]);
        add_rows(s, m, &m->suites[i]);
    }
    add_peaks(top, m);
    add_left(top, m);
    char *text = cJSON_Print(top);
    if (text) put(t, "%s\n", text);
    else t->failed = true;
    cJSON_free(text);
    cJSON_Delete(top);
}
