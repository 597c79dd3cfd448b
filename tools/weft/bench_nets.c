// SPDX-License-Identifier: MIT
// Suite `nets`: whole networks, from pictures or latents to pictures.
#include "bench.h"
#include "bundled.h"
#include "dims.h"
#include <stdio.h>
#include <string.h>

static bool measure_entry(bench *b, const char *name, const weft_model *m, int entry, const text_list *dims)
{
    weft_port_shape shapes[INPUTS_MOST];
    int code;
    const int count = bind_inputs(b->c, m, entry, dims, shapes, &code);
    if (count < 0) return bench_error(b, "nets", name, "its inputs cannot be bound");
    return bench_measure(b, &(bench_work) { .suite = "nets", .name = name, .model = m, .entry = entry, .shapes = shapes, .shape_count = count,
                                            .how = WORK_RUN, .cold = true, .limit_exact = 1e-4, .limit_half = 2e-2 });
}

static bool bundled(bench *b, const char *name, const char *entry, const char *row)
{
    char path[4096];
    weft_model *m;
    if (!bench_wants(b, "nets", row)) return true;
    if (!find_bundled(name, path, sizeof path)) return bench_error(b, "nets", row, "the bundled model is not installed");
    if (weft_model_load(b->c->ctx, path, &m) != WEFT_OK) return bench_error(b, "nets", row, weft_error_text());
    const bool on = measure_entry(b, row, m, weft_model_find_entry(m, entry), &(text_list) { 0 });
    weft_model_destroy(&m);
    return on;
}

enum { FILE_MOST = 56, NAME_MOST = FILE_MOST + 16, ENTRY_MOST = 54 }; // characters of a row's name

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Rows have different names, whatever files are called: "net.weft:main" of one folder, "net.weft (2):main" of the next.
static void name_file(const text_list *models, int index, char name[NAME_MOST])
{
    const char *file = file_name(models->at[index]);
    int turn = 1;
    for (int i = 0; i < index; i++) turn += !strncmp(file, file_name(models->at[i]), FILE_MOST);
    if (turn == 1) snprintf(name, NAME_MOST, "%.*s", FILE_MOST, file);
    else snprintf(name, NAME_MOST, "%.*s (%d)", FILE_MOST, file, turn);
}

// A file of the user: every entry.
static bool given(bench *b, int index)
{
    weft_model *m;
    bool on = true;
    char file[NAME_MOST], row[128];
    name_file(&b->o->models, index, file);
    if (weft_model_load(b->c->ctx, b->o->models.at[index], &m) != WEFT_OK) {
        *(b->counting ? &b->planned : &b->begun) += 1;
        return b->counting || b->start || bench_error(b, "nets", file, weft_error_text());
    }
    for (int i = 0; i < weft_model_entry_count(m) && on; i++) {
        snprintf(row, sizeof row, "%s:%.*s", file, ENTRY_MOST, weft_model_entry_name(m, i));
        if (bench_wants(b, "nets", row)) on = measure_entry(b, row, m, i, &b->o->dims);
    }
    weft_model_destroy(&m);
    return on;
}

static bool published(bench *b, const random_net *n)
{
    char error[IMPORT_ERROR] = "out of memory";
    weft_model *m;
    if (!bench_wants(b, "nets", n->row)) return true;
    if (n->make(b->c->ctx, n->size, &m, error) != WEFT_OK) return bench_error(b, "nets", n->row, error);
    const bool on = measure_entry(b, n->row, m, weft_model_find_entry(m, n->entry), &n->dims);
    weft_model_destroy(&m);
    return on;
}

bool bench_nets(bench *b)
{
    for (int i = 0; i < b->o->models.count; i++)
        if (!given(b, i)) return false;
    if (!bundled(b, "garment", NULL, "garment inpainting") || !bundled(b, "garment-generator", "synthesis", "garment generator 64")) return false;
    for (int i = 0; random_net_at(i); i++)
        if (!published(b, random_net_at(i))) return false;
    return true;
}
