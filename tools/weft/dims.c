// SPDX-License-Identifier: MIT
#include "dims.h"
#include <stdlib.h>
#include <string.h>

int load_model(const call *c, const char *path, weft_model **out)
{
    const weft_result r = weft_model_load(c->ctx, path, out);
    return r == WEFT_OK ? CODE_OK : fail_input(c, r);
}

int pick_entry(const call *c, const weft_model *m, const char *name)
{
    const char *names[64];
    int n = 0;
    const int entry = weft_model_find_entry(m, name);
    if (entry >= 0) return entry;
    for (; n < 63 && weft_model_entry_name(m, n); n++) names[n] = weft_model_entry_name(m, n);
    names[n] = NULL;
    const char *meant = nearest(name, names);
    fail(c, CODE_USAGE, meant ? "the model has no entry '%s'; did you mean '%s'?" : "the model has no entry '%s'; `weft info` lists them", name, meant);
    return -1;
}

static int64_t size_of(const weft_model *m, int index, const text_list *dims)
{
    const weft_dim *d = weft_model_dim(m, index);
    const size_t n = strlen(d->name);
    for (int i = 0; i < dims->count; i++)
        if (!strncmp(dims->at[i], d->name, n) && dims->at[i][n] == '=') return strtoll(dims->at[i] + n + 1, NULL, 10);
    return d->preset;
}

static int check_dims(const call *c, const weft_model *m, const text_list *dims)
{
    for (int i = 0; i < dims->count; i++) {
        const size_t n = strcspn(dims->at[i], "=");
        bool found = false;
        char *end = NULL;
        for (int k = 0; k < weft_model_dim_count(m); k++)
            found = found || (strlen(weft_model_dim(m, k)->name) == n && !strncmp(weft_model_dim(m, k)->name, dims->at[i], n));
        if (!found) return usage(c, "the model has no dimension '%.*s'", (int) n, dims->at[i]);
        if (!dims->at[i][n] || strtoll(dims->at[i] + n + 1, &end, 10) < 1 || *end) return usage(c, "--dim wants NAME=SIZE, not '%s'", dims->at[i]);
    }
    return CODE_OK;
}

int bind_inputs(const call *c, const weft_model *m, int entry, const text_list *dims, weft_port_shape *shapes, int *code)
{
    const weft_port *ports;
    const int count = weft_model_inputs(m, entry, &ports);
    *code = check_dims(c, m, dims);
    if (*code) return -1;
    if (count > INPUTS_MOST) return *code = fail(c, CODE_UNSUPPORTED, "more than %d inputs", INPUTS_MOST), -1;
    for (int i = 0; i < count; i++) {
        shapes[i] = (weft_port_shape) { ports[i].name, ports[i].shape };
        for (int d = 0; d < ports[i].shape.rank; d++)
            if (ports[i].shape.dim[d] < 0) shapes[i].shape.dim[d] = size_of(m, (int) (-ports[i].shape.dim[d] - 1), dims);
    }
    return count;
}
