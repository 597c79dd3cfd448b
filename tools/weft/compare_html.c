// SPDX-License-Identifier: MIT
// A comparison as one page: well-formed, self-contained, without scripts, light and dark.
#include "compare_draw.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_OPEN = 100 }; // longer tables are folded

// --- Style. ----------------------------------------------------------------------------------------------------

static const char style[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--c0);color:var(--c1);font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:1180px;margin:0 auto;padding:28px 22px 60px}\n"
    "h1{font-size:26px;margin:0 0 2px}h2{font-size:19px;margin:44px 0 10px;padding-top:14px;border-top:1px solid var(--c3)}h3{font-size:15px;margin:22px 0 8px}\n"
    "p{margin:6px 0 12px;max-width:76ch}.muted{color:var(--c2)}code{font-size:13px}a{color:var(--c5)}\n"
    "nav{margin:14px 0 0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:12px;margin:20px 0}\n"
    ".card{background:var(--panel);border:1px solid var(--c3);border-radius:10px;padding:12px 14px;min-width:0;overflow-wrap:anywhere}\n"
    ".card b.letter,td b.letter,th b.letter{display:inline-block;min-width:1.7em;text-align:center;border-radius:5px;background:var(--c1);color:var(--c0);margin-right:6px}\n"
    ".card .big{font-size:23px;font-weight:600;font-variant-numeric:tabular-nums}\n"
    ".scroll{overflow-x:auto;border:1px solid var(--c3);border-radius:10px}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}\n"
    "th,td{padding:5px 12px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--c3)}tr:last-child td{border-bottom:0}\n"
    "th{background:var(--panel);font-weight:600}th:first-child,td:first-child,td.l,th.l{text-align:left}\n"
    "td:first-child{white-space:normal;min-width:15em;max-width:32em;overflow-wrap:anywhere}tbody tr:hover{background:var(--panel)}\n"
    ".facts td{white-space:normal;text-align:left;vertical-align:top;overflow-wrap:anywhere}.facts th{text-align:left}.facts td:first-child{min-width:9em;color:var(--c2)}\n"
    ".faster{color:var(--c5);font-weight:600}.slower{color:var(--c6);font-weight:600}.same{color:var(--c2)}\n"
    ".mark{border:1px solid var(--c6);border-radius:8px;padding:8px 12px;margin:10px 0}\n"
    "figure{margin:14px 0;overflow-x:auto;background:var(--c0);border:1px solid var(--c3);border-radius:10px;padding:10px}\n"
    "svg{display:block;max-width:100%;height:auto;margin:0 auto}svg text{font-family:system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "summary{cursor:pointer;padding:6px 0;color:var(--c5)}figcaption{color:var(--c2);font-size:13px;padding:6px 8px 0}ul{padding-left:20px}li{overflow-wrap:anywhere}\n"
    "@media(max-width:640px){svg{max-width:none}main{padding:18px 12px}}\n"
    "@media print{h2{break-after:avoid}figure,.scroll{break-inside:avoid;overflow:visible}nav{display:none}}\n";

static void put_colours(text_out *t, const unsigned *inks, unsigned panel, unsigned on_dark)
{
    for (int i = 0; i < INKS; i++) put(t, "--c%d:#%06X;", i, inks[i]);
    put(t, "--panel:#%06X;--w:#%06X", panel, on_dark);
}

static void put_style(text_out *t)
{
    put(t, "<style>\n:root{color-scheme:light dark;");
    put_colours(t, ink_light, 0xF6F8FA, 0xFFFFFF);
    put(t, "}\n@media(prefers-color-scheme:dark){:root{");
    put_colours(t, ink_dark, 0x1B2026, 0x111111);
    put(t, "}}\n.w{fill:var(--w)}.k{fill:#111}\n");
    for (int i = 0; i < INKS; i++) put(t, ".f%d{fill:var(--c%d)}.s%d{stroke:var(--c%d)}", i, i, i, i);
    put(t, "\n%s</style>\n", style);
}

// --- Pieces. ---------------------------------------------------------------------------------------------------

static void put_cell(text_out *t, const char *tag, const char *class, const char *text)
{
    put(t, "<%s%s%s%s>", tag, *class ? " class=\"" : "", class, *class ? "\"" : "");
    put_escaped(t, text);
    put(t, "</%s>", tag);
}

static void put_letter(text_out *t, const report *r) { put(t, "<b class=\"letter\">%s</b>", r->letter); }

static void put_drawing(text_out *t, const drawing *d, const char *caption)
{
    put(t, "<figure>\n");
    put_svg(t, d);
    put(t, "<figcaption>%s</figcaption>\n</figure>\n", caption);
}

static const char *verdict_class(verdict v) { return v == VERDICT_FASTER ? "faster" : v == VERDICT_SLOWER ? "slower" : "same"; }
static const char *verdict_sign(verdict v) { return v == VERDICT_FASTER ? "\xE2\x96\xB2 " : v == VERDICT_SLOWER ? "\xE2\x96\xBC " : ""; }

// --- Head. -----------------------------------------------------------------------------------------------------

static void put_report_card(text_out *t, const report *r, bool base)
{
    put(t, "<div class=\"card\">");
    put_letter(t, r);
    put(t, "<b>");
    put_escaped(t, r->name);
    put(t, "</b>%s<br/><span class=\"muted\">", base ? " - the base" : "");
    put_escaped(t, r->kind);
    if (*r->driver) put(t, ", "), put_escaped(t, r->driver);
    put(t, "<br/>precision ");
    put_escaped(t, r->precision);
    put(t, ", weft ");
    put_escaped(t, r->weft);
    if (*r->date) put(t, "<br/>"), put_escaped(t, r->date);
    if (r->stopped) put(t, "<br/><b>stopped before its end</b>");
    put(t, "<br/><code>");
    put_escaped(t, r->file);
    put(t, "</code></span></div>\n");
}

static void put_sum_card(text_out *t, const comparison *m, const suite *s, int i)
{
    const sum *u = &s->sum[i];
    if (!u->rows) return;
    put(t, "<div class=\"card\">");
    put_letter(t, &m->reports[i]);
    put_escaped(t, s->name);
    put(t, "<br/><span class=\"big\">%s</span> <span class=\"muted\">as fast as A<br/>geometric mean of %d, 95 %%: %s - %s<br/>", ratio_text(u->ratio), u->rows,
        ratio_text(u->low), ratio_text(u->high));
    put(t, "<span class=\"faster\">\xE2\x96\xB2 %d faster</span>, <span class=\"slower\">\xE2\x96\xBC %d slower</span>, %d neither</span></div>\n", u->faster, u->slower,
        u->rows - u->faster - u->slower);
}

static void put_head(text_out *t, const comparison *m)
{
    put(t, "<h1>weft compare</h1>\n<p class=\"muted\">Speed: %s, A's over the other's. Above 1, the other is faster.</p>\n",
        m->by_gpu ? "the median time by the device's clock" : "the median time a caller waits");
    put(t, "<nav><a href=\"#speed\">Speed</a><a href=\"#rows\">Results</a><a href=\"#rooflines\">Rooflines</a><a href=\"#operators\">Operators</a>"
           "<a href=\"#peaks\">Peaks</a><a href=\"#devices\">Devices</a>%s<a href=\"#method\">Method</a></nav>\n", m->left_count ? "<a href=\"#left\">Not counted</a>" : "");
    put(t, "<div class=\"cards\">\n");
    for (int i = 0; i < m->report_count; i++) put_report_card(t, &m->reports[i], !i);
    put(t, "</div>\n");
    for (int i = 0; i < m->across_count; i++) {
        put(t, "<p class=\"mark\"><b>Compared across:</b> ");
        put_escaped(t, m->across[i]);
        put(t, "</p>\n");
    }
}

static void put_speed(text_out *t, const comparison *m, pool *p)
{
    put(t, "<h2 id=\"speed\">Speed</h2>\n<div class=\"cards\">\n");
    for (int i = 1; i < m->report_count; i++)
        for (int k = 0; k < m->suite_count; k++) put_sum_card(t, m, &m->suites[k], i);
    put(t, "</div>\n");
    if (!m->row_count) put(t, "<p>No result can be compared.</p>\n");
    for (int i = 1; i < m->report_count && m->row_count; i++) {
        drawing d = { .pool = p };
        chart_ratios(&d, m, i);
        put_drawing(t, &d, "The bar through a mark is the 95 % interval; the band about 1 is the noise floor.");
    }
}

// --- Results. --------------------------------------------------------------------------------------------------

static void put_figure(text_out *t, const figure *f)
{
    put(t, "<td title=\"95 %%: %s to %s ms, MAD %s ms, %d samples\">%s</td>", ms_text(f->low), ms_text(f->high), ms_text(f->mad), f->count, ms_text(f->median));
}

static double percent(double share) { return isnan(share) ? 0 : 100 * share; }

static void put_bound(text_out *t, const result *r) // "41 % compute"
{
    const double most = fmax(percent(r->compute), fmax(percent(r->bandwidth), percent(r->launch)));
    if (!*r->bound) {
        put(t, "<td class=\"same\">-</td>");
        return;
    }
    put(t, "<td title=\"arithmetic %.0f %%, memory %.0f %%, launches %.0f %%\">%.0f %% ", percent(r->compute), percent(r->bandwidth), percent(r->launch), most);
    put_escaped(t, r->bound);
    put(t, "</td>");
}

static void put_row(text_out *t, const comparison *m, const row *r)
{
    put(t, "<tr><td title=\"");
    put_escaped(t, r->cell[0].result->shape);
    put(t, "\">");
    put_escaped(t, r->name);
    put(t, "</td>");
    put_figure(t, r->cell[0].time);
    if (m->report_count == 2) put_bound(t, r->cell[0].result);
    for (int i = 1; i < m->report_count; i++) {
        const cell *c = &r->cell[i];
        if (!c->result) {
            put(t, m->report_count == 2 ? "<td class=\"same\">-</td><td></td><td></td><td></td><td></td>" : "<td class=\"same\">-</td><td></td><td></td>");
            continue;
        }
        const char *class = verdict_class(c->speed.verdict);
        put_figure(t, c->time);
        if (m->report_count == 2) put_bound(t, c->result);
        put(t, "<td class=\"%s\" title=\"95 %%: %s - %s\">%s</td>", class, ratio_text(c->speed.low), ratio_text(c->speed.high), ratio_text(c->speed.ratio));
        if (m->report_count == 2) put(t, "<td class=\"same\">%s - %s</td>", ratio_text(c->speed.low), ratio_text(c->speed.high));
        put(t, "<td class=\"l %s\">%s%s%s%s</td>", class, verdict_sign(c->speed.verdict), verdict_words[c->speed.verdict], c->mark ? ", other " : "", c->mark ? c->mark : "");
    }
    put(t, "</tr>\n");
}

static void put_rows(text_out *t, const comparison *m)
{
    put(t, "<h2 id=\"rows\">Results</h2>\n");
    for (int k = 0; k < m->suite_count; k++) {
        const suite *s = &m->suites[k];
        put(t, "<h3>");
        put_escaped(t, s->name);
        put(t, "</h3>\n");
        if (s->count > ROWS_OPEN) put(t, "<details><summary>all %d rows</summary>\n", s->count);
        put(t, "<div class=\"scroll\"><table><thead><tr><th>result</th><th>A ms</th>%s", m->report_count == 2 ? "<th>of A's peak</th>" : "");
        for (int i = 1; i < m->report_count; i++) {
            const char *l = m->reports[i].letter;
            if (m->report_count == 2) put(t, "<th>%s ms</th><th>of %s's peak</th><th>%s speed</th><th>95 %% interval</th><th class=\"l\">verdict</th>", l, l, l);
            else put(t, "<th>%s ms</th><th>%s speed</th><th class=\"l\">verdict</th>", l, l); // the interval: over the speed
        }
        put(t, "</tr></thead><tbody>\n");
        for (int i = 0; i < s->count; i++) put_row(t, m, &m->rows[s->first + i]);
        put(t, "</tbody></table></div>\n%s", s->count > ROWS_OPEN ? "</details>\n" : "");
    }
}

static bool has_start(const result *r) { return r && !(isnan(r->cold_cost) && isnan(r->peak_bytes)); }

static void put_start(text_out *t, const comparison *m) // cold, warm, memory: single figures, without a verdict
{
    bool any = false;
    for (int k = 0; k < m->row_count; k++)
        for (int i = 0; i < m->report_count && strcmp(m->rows[k].suite, "ops"); i++) any |= has_start(m->rows[k].cell[i].result);
    if (!any) return;
    put(t, "<h3>Start and memory</h3>\n<p class=\"muted\">Single figures, without a verdict. A start is what the first result takes beyond a later run: the session, its kernels being a part of that, "
           "and what drivers do in the first run. Cold: nothing cached. Warm: with kernels cached. Planned: the memory for what is computed in between, against the largest set of it that is needed at one time.</p>\n"
           "<div class=\"scroll\"><table><thead><tr><th>result</th>");
    for (int i = 0; i < m->report_count; i++) {
        const char *l = m->reports[i].letter;
        put(t, "<th>%s cold ms</th><th>%s warm ms</th><th>of that session</th><th>of that kernels</th><th>%s memory</th><th>%s planned</th>", l, l, l, l);
    }
    put(t, "</tr></thead><tbody>\n");
    for (int k = 0; k < m->row_count; k++) {
        const row *r = &m->rows[k];
        if (!strcmp(r->suite, "ops")) continue;
        put(t, "<tr>");
        put_cell(t, "td", "", r->name);
        for (int i = 0; i < m->report_count; i++) {
            const result *o = r->cell[i].result;
            put_cell(t, "td", "", o ? ms_text(o->cold_cost) : "-");
            put_cell(t, "td", "", o ? ms_text(o->warm_cost) : "-");
            put_cell(t, "td", "", o ? ms_text(o->warm_create) : "-");
            put_cell(t, "td", "", o ? ms_text(o->warm_pipelines) : "-");
            put_cell(t, "td", "", o && !isnan(o->peak_bytes) ? bytes_text(o->peak_bytes) : "-");
            put_cell(t, "td", "", o && o->workspace_least_bytes > 0 ? ratio_text(o->workspace_bytes / o->workspace_least_bytes) : "-");
        }
        put(t, "</tr>\n");
    }
    put(t, "</tbody></table></div>\n");
}

// --- Devices. --------------------------------------------------------------------------------------------------

static void put_rooflines(text_out *t, const comparison *m, pool *p)
{
    put(t, "<h2 id=\"rooflines\">Rooflines</h2>\n");
    for (int i = 0; i < m->report_count; i++) {
        drawing d = { .pool = p };
        chart_roofline(&d, &m->reports[i]);
        put_drawing(t, &d, "Large dots: results, by the device's clock where the report has it. Small dots: operators within them. Lines: the measured peaks.");
    }
}

static void put_operators(text_out *t, const comparison *m, pool *p)
{
    drawing d = { .pool = p };
    put(t, "<h2 id=\"operators\">Operators</h2>\n");
    if (chart_bars(&d, m)) put_drawing(t, &d, "Bars of one result are to the same scale unless the title says otherwise. Operators were timed one by one, which may take longer than the run as a whole.");
    else put(t, "<p>No report tells the operators of a result that has more than one.</p>\n");
}

static void put_peaks(text_out *t, const comparison *m)
{
    put(t, "<h2 id=\"peaks\">Peaks</h2>\n<p class=\"muted\">What the devices do at best. Above 1, the other is better, be it by a higher rate or a shorter time.</p>\n<div class=\"scroll\"><table><thead><tr><th>measured</th><th class=\"l\">unit</th>");
    for (int i = 0; i < m->report_count; i++) put(t, "<th>%s</th>", m->reports[i].letter);
    for (int i = 1; i < m->report_count; i++) put(t, "<th>%s speed</th><th class=\"l\">verdict</th>", m->reports[i].letter);
    put(t, "</tr></thead><tbody>\n");
    for (int k = 0; k < PEAKS; k++) {
        put(t, "<tr><td>%s</td><td class=\"l\">%s</td>", peak_kinds[k].label, peak_kinds[k].unit);
        for (int i = 0; i < m->report_count; i++) {
            const figure *f = m->reports[i].peak[k];
            put_cell(t, "td", f ? "" : "same", f ? ms_text(f->median * peak_kinds[k].scale) : "-");
        }
        for (int i = 1; i < m->report_count; i++) {
            const speed *v = &m->peak[k][i];
            const bool both = peak_compared(m, k, i);
            put_cell(t, "td", both ? verdict_class(v->verdict) : "same", both ? ratio_text(v->ratio) : "-");
            put(t, "<td class=\"l %s\">%s%s</td>", both ? verdict_class(v->verdict) : "same", both ? verdict_sign(v->verdict) : "", both ? verdict_words[v->verdict] : "-");
        }
        put(t, "</tr>\n");
    }
    put(t, "</tbody></table></div>\n");
}

static const char *number_text(pool *p, const char *format, double v) PRINTF(2, 0);
static const char *number_text(pool *p, const char *format, double v)
{
    const char *text = isnan(v) ? "" : pool_text(p, format, v);
    return text ? text : "";
}

static const char *fact(const report *r, int k, pool *p)
{
    switch (k) {
    case 0: return r->name;
    case 1: return r->kind;
    case 2: return r->type;
    case 3: return r->driver;
    case 4: return r->api;
    case 5: return isnan(r->device_bytes) || !(r->device_bytes > 0) ? "" : bytes_text(r->device_bytes);
    case 6: return r->f16 ? "yes" : "no";
    case 7: return r->matrix;
    case 8: return number_text(p, "%.0f", r->subgroup);
    case 9: return number_text(p, "%.0f MHz", r->core_mhz);
    case 10: return number_text(p, "%.0f MHz", r->memory_mhz);
    case 11: return r->os;
    case 12: return r->cpu;
    case 13: return number_text(p, "%.0f", r->threads);
    case 14: return isnan(r->host_bytes) || !(r->host_bytes > 0) ? "" : bytes_text(r->host_bytes);
    case 15: return number_text(p, "%.2f", r->load);
    case 16: return r->weft;
    case 17: return r->kernels;
    case 18: return r->cpu_library;
    case 19: return r->precision;
    case 20: return r->tune ? "yes" : "no";
    default: return number_text(p, "%g s", r->min_seconds);
    }
}

static void put_facts(text_out *t, const comparison *m, pool *p)
{
    static const char *const names[] = { "device", "kind", "type", "driver", "Vulkan", "device memory", "f16 storage", "matrix units", "subgroup", "core clock", "memory clock", "system",
                                         "processor", "threads", "memory", "load before", "weft", "kernels", "processor library", "precision", "tuned", "least time" };
    put(t, "<h2 id=\"devices\">Devices and versions</h2>\n<div class=\"scroll\"><table class=\"facts\"><thead><tr><th></th>");
    for (int i = 0; i < m->report_count; i++) {
        put(t, "<th>");
        put_letter(t, &m->reports[i]);
        put(t, "</th>");
    }
    put(t, "</tr></thead><tbody>\n");
    for (int k = 0; k < (int) (sizeof names / sizeof names[0]); k++) {
        put(t, "<tr><td>%s</td>", names[k]);
        for (int i = 0; i < m->report_count; i++) {
            const char *text = fact(&m->reports[i], k, p);
            put_cell(t, "td", *text ? "" : "same", *text ? text : "not told");
        }
        put(t, "</tr>\n");
    }
    put(t, "</tbody></table></div>\n");
}

// --- The page. -------------------------------------------------------------------------------------------------

static void put_left(text_out *t, const comparison *m)
{
    if (m->left_count) put(t, "<h2 id=\"left\">Not counted</h2>\n<ul>\n");
    for (int i = 0, n; i < m->left_count; i += n > LEFT_ALIKE ? n : 1) {
        n = left_run(m, i);
        put(t, "<li><b>");
        put_escaped(t, m->left[i].suite);
        put(t, "</b> ");
        if (n > LEFT_ALIKE) put(t, "%d results, the first ", n);
        put_escaped(t, m->left[i].name);
        put(t, ": ");
        put_escaped(t, m->left[i].why);
        put(t, "</li>\n");
    }
    if (m->left_count) put(t, "</ul>\n");
}

static void put_method(text_out *t, const comparison *m)
{
    put(t, "<h2 id=\"method\">Method</h2>\n<ul>\n"
           "<li>Each report was written by <code>weft bench</code> on the device it names; all samples are in it, and medians and intervals here are computed from them.</li>\n"
           "<li>Speed is the ratio of medians, base over other. Its 95 %% interval is the percentile bootstrap of both medians, %d draws with fixed random numbers: the same reports give the same page.</li>\n"
           "<li>The verdict is faster or slower where the interval leaves out 1 and the difference is above the noise floor of %.3g %%; fewer than %d samples give no verdict.</li>\n"
           "<li>Geometric means take every row that both reports have, is not void and has no error. A result is void where its values were too far from those of the processor's path.</li>\n"
           "<li>Shares of the peak: the part of the time that the arithmetic, the memory traffic or the launches of a result would need at the measured peaks; the largest is shown. "
           "Above 100 %% are ways that multiply less than the direct algorithm, by which arithmetic is counted, such as Winograd's, and tensors that stay in caches.</li>\n"
           "<li>An interval tells how a run of the benchmark scatters. It does not tell how the machine changes from run to run: repeat a close call.</li>\n"
           "<li>Rows of other shape or arithmetic, and reports of other precision or settings, are not compared unless asked for, and are marked then.</li>\n</ul>\n",
        DRAWS, 100 * m->noise, SAMPLES_LEAST);
}

void put_html(text_out *t, const comparison *m, pool *p)
{
    put(t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>weft compare: ");
    for (int i = 0; i < m->report_count; i++) put(t, i ? ", " : ""), put_escaped(t, m->reports[i].name);
    put(t, "</title>\n");
    put_style(t);
    put(t, "</head>\n<body>\n<main>\n");
    put_head(t, m);
    put_speed(t, m, p);
    put_rows(t, m);
    put_start(t, m);
    put_rooflines(t, m, p);
    put_operators(t, m, p);
    put_peaks(t, m);
    put_facts(t, m, p);
    put_left(t, m);
    put_method(t, m);
    put(t, "</main>\n</body>\n</html>\n");
}
