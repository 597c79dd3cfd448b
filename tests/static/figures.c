// SPDX-License-Identifier: MIT
// kernel_figures: compiles every kernel as programs want it, on a driver that keeps its compiler's statistics - for which no GPU is
// needed - and fails when a hot kernel spills. The driver and the hardware that it is to believe in come from the environment: see
// tests/static/on.
//   kernel_figures [--tables FOLDER --name NAME] [--keep yes] [--known FILE] [--rows no] [--only KERNEL] [--raw KERNEL] [--text KERNEL] [--mix yes]
//                  [LAYERS.txt | MODEL.weft]...
// --tables: says what changed against FOLDER/mesa-22/NAME.csv, by the driver's release, or with --keep writes it; --known: spills that are
// accepted, "NAME LABEL: why" a line; --only: one kernel, no table; --raw: and all that the driver says about its pipelines; --text: and what they were compiled to;
// --mix: instead of the table, what the loops of products through shared memory are made of; --rows no: none of the rows' cases.
#include "static/figures.h"
#include "vk/kernel.h"
#include <stdlib.h>
#include <string.h>

// Where the time goes. Others may spill, but are named.
static const char *const hot[] = { "conv_", "matmul_", "sdpa", "attention", "winograd", "upfirdn2d", "norm", "layer_norm", "batch_norm", "softmax",
                                   "lstm_", "bias_act", "peak_", "patch_fuse", "pool", "resample", "where", "unfold", "fold", "gate", "binary", "unary", "copy", "reduce",
                                   "up_conv", "down_conv", "products", "pad", "add_parts", "partial_finish", "adam" };

typedef struct check {
    weft_context *ctx;
    weft_vk_device *dev;
    const char *tables, *name, *keep, *known, *only, *raw, *text, *rows, *mix;
    int messages, failed, spilled, silent;
} check;

static void log_line(void *user, weft_log_level level, const char *line)
{
    check *c = user;
    (void) level;
    c->messages++;
    printf("FAIL log: %s\n", line);
}

static bool is_hot(const char *kernel)
{
    for (size_t i = 0; i < sizeof hot / sizeof *hot; i++)
        if (!strncmp(kernel, hot[i], strlen(hot[i]))) return true;
    return false;
}

static bool starts(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

// A way's fifth number and what follows it are into how many parts sums are cut: that changes no registers. Nor does any of a long cut
// in a kernel that goes before or after the way's own.
static void make_label(const wanted *w, char label[LABEL])
{
    enum { CUTS = 4 };
    const size_t n = strlen(w->dispatch.kernel);
    const bool own = starts(w->way, w->dispatch.kernel) && (w->way[n] == ' ' || !w->way[n]); // or a way of several kernels
    const char *cut = w->way + strcspn(w->way, " "), *end = cut;
    int count = 0;
    for (; *end && count < CUTS; count++) end += 1 + strcspn(end + 1, " ");
    const int bytes = own || count < CUTS ? (int) (end - w->way) : (int) (cut - w->way);
    snprintf(label, LABEL, "%s.%s%s%.*s", w->dispatch.kernel, w->variant, own || !*w->way ? "" : " in ", own ? bytes - (int) n : bytes, own ? w->way + n : w->way);
}

// Whether the file accepts that this pipeline spills.
static bool is_known(const check *c, const char *label)
{
    char line[512];
    bool found = false;
    FILE *f = c->known ? fopen(c->known, "r") : NULL;
    while (f && !found && fgets(line, sizeof line, f)) {
        const size_t n = strcspn(line, " ");
        if (*line == '#' || !line[n]) continue;
        line[n] = 0;
        found = c->name && !strcmp(c->name, line) && starts(line + n + 1, label) && line[n + 1 + strlen(label)] == ':';
    }
    if (f) fclose(f);
    return found;
}

static int spilled(const figures *f) { return (f->spills > 0 ? f->spills : 0) + (f->scratch > 0 ? f->scratch : 0); }

// What a driver does not compile: weft takes another way there, if it has one.
static void judge_refused(check *c, const wanted *w, const char *label)
{
    const bool known = is_known(c, label);
    c->failed += !known;
    printf("%s %s: not compiled, constants", known ? "  known:" : "FAIL", label);
    for (int i = 0; i < w->dispatch.spec_count; i++) printf(" %u", w->dispatch.spec[i]);
    printf(" (%s)\n", w->from);
}

// One line for a row of the table whose pipelines spill: how many, and the worst.
static void judge(check *c, const collection *all, const figures *f, const char *row_label)
{
    char label[LABEL];
    int count = 0, worst = -1;
    for (int i = 0; i < all->count; i++) {
        make_label(&all->list[i], label);
        if (strcmp(label, row_label) || !spilled(&f[i])) continue;
        if (worst < 0 || spilled(&f[i]) > spilled(&f[worst])) worst = i;
        count++;
    }
    if (!count) return;
    const wanted *w = &all->list[worst];
    const bool known = is_known(c, row_label), bad = is_hot(w->dispatch.kernel) && !known;
    c->spilled += count;
    c->failed += bad;
    printf("%s %s: %d pipelines spill; the worst %d registers, %d bytes of scratch, constants", bad ? "FAIL" : known ? "  known:" : "  note:", row_label, count,
           f[worst].spills, f[worst].scratch);
    for (int i = 0; i < w->dispatch.spec_count; i++) printf(" %u", w->dispatch.spec[i]);
    printf(", group %u,%u,%u (%s)\n", w->dispatch.group[0], w->dispatch.group[1], w->dispatch.group[2], w->from);
}

static weft_result compile_all(check *c, const collection *all)
{
    const weft_node node = { .op = weft_op_at(0), .name = "a kernel by itself" };
    weft_vk_want *wants = calloc((size_t) all->count + 1, sizeof *wants);
    weft_vk_pipeline *made = calloc((size_t) all->count + 1, sizeof *made);
    for (int i = 0; i < all->count && wants; i++) wants[i] = (weft_vk_want) { &node, &all->list[i].dispatch, all->list[i].variant };
    const weft_result r = wants && made ? weft_vk_kernels_get(c->dev->kernels, wants, all->count, made, NULL) : WEFT_ERR_MEMORY;
    free(wants), free(made);
    return r == WEFT_ERR_UNSUPPORTED ? WEFT_OK : r; // which ones is said one by one
}

static weft_result print_text(const check *c, const char *label, VkPipeline made)
{
    char *text;
    WEFT_TRY(mix_text(c->dev, made, &text));
    printf("%s\n%s\n", label, text ? text : "");
    free(text);
    return WEFT_OK;
}

// Kernels whose time is a loop of multiplications, and how often it is gone round in a step.
static const struct { const char *kernel; int turns; } loops[] = {
    { "conv_tile", 8 }, { "conv_tile_split", 8 }, { "matmul_tile", 16 }, { "conv_weights_tile", 8 },
};

static weft_result print_mix(const check *c, const wanted *w, const char *label, const figures *f, VkPipeline made)
{
    mix m;
    int turns = 0;
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        if (!strcmp(loops[i].kernel, w->dispatch.kernel)) turns = loops[i].turns;
    if (!turns) return WEFT_OK;
    WEFT_TRY(mix_measure(c->dev, made, turns, &m));
    if (m.fma) printf("| %s | %s | %d | %d | %d | %d | %.0f | %.0f | %.2f | %.3f |\n", label, w->from, f->subgroup, f->registers, f->waves, m.fma, 100.0 * m.fma / m.all,
                      100.0 * m.fma / m.vector, (double) m.shared / m.fma, (double) m.global / m.fma / 2);
    return WEFT_OK;
}

static weft_result measure(check *c, const collection *all, figures *f, table *now)
{
    char label[LABEL];
    WEFT_TRY(compile_all(c, all));
    snprintf(now->driver, sizeof now->driver, "%.*s", (int) sizeof now->driver - 1, weft_vk_info(c->dev)->driver);
    for (int i = 0; i < all->count; i++) {
        make_label(&all->list[i], label);
        const bool raw = c->raw && !strcmp(all->list[i].dispatch.kernel, c->raw);
        if (raw) printf("%s (%s)\n", label, all->list[i].from);
        VkPipeline made;
        const weft_result r = inspect(c->dev, &all->list[i], raw, &f[i], &made);
        if (r == WEFT_ERR_UNSUPPORTED) {
            judge_refused(c, &all->list[i], label);
            continue;
        }
        WEFT_TRY(r);
        c->silent += f[i].spills < 0 && f[i].scratch < 0;
        if (c->mix) WEFT_TRY(print_mix(c, &all->list[i], label, &f[i], made));
        if (c->text && !strcmp(all->list[i].dispatch.kernel, c->text)) WEFT_TRY(print_text(c, label, made));
        WEFT_TRY(table_add(now, label, &f[i]));
    }
    table_sort(now);
    for (int k = 0; k < now->count; k++) judge(c, all, f, now->rows[k].label);
    if (c->silent) printf("FAIL of %d pipelines the driver does not say whether they spill: does it call that otherwise?\n", c->silent);
    return WEFT_OK;
}

// "FOLDER/mesa-22/NAME.csv"; another compiler has a table of its own.
static void table_path(const check *c, const char *driver, char *path, size_t bytes)
{
    const char *version = strstr(driver, "Mesa "); // "Intel open-source Mesa driver Mesa 26.1.6"
    while (version && !atoi(version + 5)) version = strstr(version + 5, "Mesa ");
    snprintf(path, bytes, "%s/%s-%d/%s.csv", c->tables, version ? "mesa" : "other", version ? atoi(version + 5) : 0, c->name);
}

static weft_result report(const check *c, const table *now)
{
    char path[512];
    table kept;
    if (!c->tables || !c->name) return WEFT_OK;
    table_path(c, now->driver, path, sizeof path);
    if (c->keep) return table_write(now, path);
    const weft_result r = table_read(&kept, path);
    if (r == WEFT_ERR_IO) printf("  there is no table %s to compare with\n", path);
    const int worse = r == WEFT_OK ? table_compare(&kept, now) : 0;
    if (worse) printf("  %d of %d rows are worse than in %s; tools/static --keep takes them over\n", worse, now->count, path);
    table_free(&kept);
    return r == WEFT_ERR_IO ? WEFT_OK : r;
}

static void keep_only(collection *all, const char *kernel)
{
    int kept = 0;
    for (int i = 0; i < all->count; i++)
        if (!strcmp(all->list[i].dispatch.kernel, kernel)) all->list[kept++] = all->list[i];
    all->count = kept;
}

static void print_unwanted(const char *kernel) { printf("  nothing wants %s on this device\n", kernel); }

static weft_result run(check *c, char **files, int file_count)
{
    collection all = { .ctx = c->ctx, .caps = &c->dev->caps };
    table now = { 0 };
    weft_result r = c->rows && !strcmp(c->rows, "no") ? WEFT_OK : collect_rows(&all);
    for (int i = 0; i < file_count && r == WEFT_OK; i++) {
        const char *dot = strrchr(files[i], '.');
        r = dot && !strcmp(dot, ".txt") ? collect_layers(&all, files[i]) : collect_model(&all, files[i]);
    }
    if (c->only) keep_only(&all, c->only);
    figures *f = calloc((size_t) all.count + 1, sizeof *f);
    if (c->mix) printf("| kernel and cut | layer | subgroup | registers | waves | FMA in a step | FMA of all %% | of vector %% | shared bytes / FMA | global bytes / flop |\n"
                       "|---|---|---|---|---|---|---|---|---|---|\n");
    if (r == WEFT_OK) r = f ? measure(c, &all, f, &now) : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) {
        if (!c->only && !c->mix) collect_unwanted(&all, print_unwanted);
        printf("  %d pipelines of %d programs in %d rows, %d spill\n", all.count, all.programs, now.count, c->spilled);
        if (c->only) table_print(&now);
        else if (!c->mix) r = report(c, &now);
    }
    free(f);
    table_free(&now);
    collection_free(&all);
    return r;
}

int main(int argc, char **argv)
{
    check c = { 0 };
    int at = 1;
    for (; at + 1 < argc && starts(argv[at], "--"); at += 2)
        *(!strcmp(argv[at], "--tables") ? &c.tables : !strcmp(argv[at], "--name") ? &c.name : !strcmp(argv[at], "--keep") ? &c.keep :
          !strcmp(argv[at], "--known") ? &c.known : !strcmp(argv[at], "--only") ? &c.only :
          !strcmp(argv[at], "--rows") ? &c.rows : !strcmp(argv[at], "--mix") ? &c.mix : !strcmp(argv[at], "--text") ? &c.text : &c.raw) = argv[at + 1];
    if (weft_context_create(&(weft_context_params) { .log = log_line, .log_user = &c, .log_level = WEFT_LOG_WARN }, &c.ctx)) return 1;
    weft_result r = weft_vk_open_inspected(c.ctx, &(weft_device_params) { .name = "0" }, &c.dev);
    if (r == WEFT_OK) {
        c.dev->texts = c.text || c.mix;
        printf("%s, %s\n", weft_vk_info(c.dev)->name, weft_vk_info(c.dev)->driver);
        r = run(&c, argv + at, argc - at);
    }
    if (r != WEFT_OK) printf("FAIL %s\n", weft_error_text());
    weft_vk_close(c.dev);
    weft_context_destroy(&c.ctx);
    return r != WEFT_OK || c.failed || c.silent || c.messages;
}
