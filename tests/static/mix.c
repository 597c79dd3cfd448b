// SPDX-License-Identifier: MIT
#include "static/figures.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 16 };

static weft_result get_texts(weft_vk_device *dev, VkPipeline pipeline, VkPipelineExecutableInternalRepresentationKHR *list, uint32_t *count)
{
    const PFN_vkGetPipelineExecutableInternalRepresentationsKHR get = (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)
        dev->vk.vkGetDeviceProcAddr(dev->device, "vkGetPipelineExecutableInternalRepresentationsKHR");
    const VkPipelineExecutableInfoKHR which = { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, 0 };
    const VkResult r = get ? get(dev->device, &which, count, list) : VK_ERROR_EXTENSION_NOT_PRESENT;
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkGetPipelineExecutableInternalRepresentationsKHR");
}

weft_result mix_text(weft_vk_device *dev, VkPipeline pipeline, char **out)
{
    VkPipelineExecutableInternalRepresentationKHR list[TEXTS];
    uint32_t count = TEXTS;
    weft_result r;
    *out = NULL;
    for (int i = 0; i < TEXTS; i++)
        list[i] = (VkPipelineExecutableInternalRepresentationKHR) { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR };
    WEFT_TRY(r = get_texts(dev, pipeline, list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (!(list[i].pData = calloc(1, list[i].dataSize + 1))) r = WEFT_ERR_MEMORY;
    if (r == WEFT_OK) r = get_texts(dev, pipeline, list, &count);
    for (uint32_t i = 0; i < count; i++) {
        const bool wanted = r == WEFT_OK && !*out && list[i].isText && strstr(list[i].name, "ssembly");
        if (wanted) *out = list[i].pData;
        else free(list[i].pData);
    }
    return r;
}

// --- What the instructions of a line do. ---

static int times(const char *line, const char *what)
{
    int count = 0;
    for (; (line = strstr(line, what)); line += strlen(what)) count++;
    return count;
}

static int bytes_of(const char *line) // that an invocation moves
{
    static const struct { const char *text; int bytes; } names[] = {
        { "dwordx4", 16 }, { "dwordx3", 12 }, { "dwordx2", 8 }, { "dword", 4 }, { "short", 2 }, { "ushort", 2 }, { "d16", 2 }, { "ubyte", 1 },
        { "b128", 16 }, { "b96", 12 }, { "b64", 8 }, { "b32", 4 }, { "b16", 2 },
        { "V4", 16 }, { "V3", 12 }, { "V2", 8 },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(line, names[i].text)) return names[i].bytes * (strstr(line, "read2") || strstr(line, "2addr") ? 2 : 1);
    return 4;
}

static bool starts(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

// False: no instruction. The line of a message of Intel's is taken where it says what it is about, after its "send".
static bool count_line(const char *line, mix *m)
{
    const bool amd = isalpha((unsigned char) *line) && strchr(line, '_') && (starts(line, "v_") || starts(line, "s_") || starts(line, "ds_") ||
                     starts(line, "buffer_") || starts(line, "global_"));
    const bool nvidia = strstr(line, "// delay="), intel = strstr(line, "{ align1");
    if (!amd && !nvidia && !intel) return false;
    if (strstr(line, "MsgDesc")) {
        if (strstr(line, "slm") && strstr(line, "load")) m->shared += bytes_of(line);
        if (strstr(line, "ugm") && strstr(line, "load,")) m->global += bytes_of(line);
        return true;
    }
    m->all++;
    if (amd) m->fma += times(line, "fma_f32") + times(line, "mac_f32") + times(line, "mad_f32") + times(line, "fma_mix");
    if (nvidia) m->fma += times(line, "ffma");
    if (intel) m->fma += starts(line, "mad(") && strstr(line, "F ") != NULL;
    if (starts(line, "ds_read") || starts(line, "ds_load") || strstr(line, "ld.shared")) m->shared += bytes_of(line);
    if (starts(line, "buffer_load") || starts(line, "global_load") || strstr(line, "ld.global")) m->global += bytes_of(line);
    m->vector += (amd && starts(line, "v_")) || intel || (nvidia && !strstr(line, "ur"));
    return true;
}

// --- Loops: from a label to a branch back to it. ---

typedef struct label { char name[16]; int line; } label;
typedef struct loop { int first, last; mix m; } loop;
typedef struct text { char **line; int lines; label *labels; int label_count; } text;

static bool label_of(const char *line, char name[16])
{
    const char *at = line;
    name[0] = 0;
    if (starts(line, "block")) at = strstr(line, " L"), at = at ? at + 1 : line; // "block.u 17 L22 [16, 69] -> {"
    else if (!starts(line, "BB") && !starts(line, "LABEL")) return false;
    snprintf(name, 16, "%.*s", (int) strcspn(at, ": ["), at);
    return true;
}

static int line_of(const text *t, const char *name)
{
    for (int i = 0; i < t->label_count; i++)
        if (!strcmp(t->labels[i].name, name)) return t->labels[i].line;
    return -1;
}

// Where a line may go back to, -1: nowhere.
static int back_to(const text *t, int at)
{
    char word[16];
    for (const char *w = t->line[at]; *w;) {
        const size_t n = strcspn(w, " \t,");
        snprintf(word, sizeof word, "%.*s", (int) n, w);
        const int to = isupper((unsigned char) *word) ? line_of(t, word) : -1;
        if (to >= 0 && to < at) return to;
        w += n;
        w += strspn(w, " \t,");
    }
    return -1;
}

static mix count_lines(const text *t, int first, int last)
{
    mix m = { 0 };
    for (int i = first; i <= last; i++) count_line(t->line[i], &m);
    return m;
}

static void cut_lines(text *t, char *from)
{
    for (char *rest, *line = strtok_r(from, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        t->line[t->lines++] = line;
        if (label_of(line, t->labels[t->label_count].name)) t->labels[t->label_count++].line = t->lines - 1;
    }
}

static bool fits_better(const loop *a, const loop *b) { return !b->m.fma || a->m.fma > b->m.fma || (a->m.fma == b->m.fma && a->m.all < b->m.all); }

// Of the innermost loop with most multiplications and, where it does not do so itself, of the one around it that loads what they multiply.
static mix mix_of(const text *t, int turns)
{
    loop inner = { 0 }, outer = { 0 };
    for (int i = 0; i < t->lines; i++) {
        char name[16];
        const int to = label_of(t->line[i], name) ? -1 : back_to(t, i);
        const loop l = { to, i, to < 0 ? (mix) { 0 } : count_lines(t, to, i) };
        if (to >= 0 && fits_better(&l, &inner)) inner = l;
    }
    for (int i = inner.last + 1; i < t->lines; i++) {
        char name[16];
        const int to = label_of(t->line[i], name) ? -1 : back_to(t, i);
        const loop l = { to, i, to < 0 ? (mix) { 0 } : count_lines(t, to, i) };
        if (to >= 0 && to <= inner.first && !outer.m.all) outer = l;
    }
    const bool nested = outer.m.all && !inner.m.global; // else it was unrolled
    mix m = nested ? outer.m : inner.m;
    const int more = nested ? turns - 1 : 0;
    m.all += more * inner.m.all, m.vector += more * inner.m.vector, m.fma += more * inner.m.fma, m.shared += more * inner.m.shared;
    return m;
}

weft_result mix_measure(weft_vk_device *dev, VkPipeline pipeline, int turns, mix *out)
{
    char *from;
    WEFT_TRY(mix_text(dev, pipeline, &from));
    *out = (mix) { 0 };
    if (!from) return WEFT_OK;
    int lines = 1;
    for (const char *c = from; *c; c++) lines += *c == '\n';
    text t = { .line = calloc((size_t) lines, sizeof *t.line), .labels = calloc((size_t) lines + 1, sizeof *t.labels) };
    if (t.line && t.labels) cut_lines(&t, from), *out = mix_of(&t, turns);
    const bool made = t.line && t.labels;
    free(t.line), free(t.labels), free(from);
    return made ? WEFT_OK : WEFT_ERR_MEMORY;
}
