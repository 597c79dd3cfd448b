// SPDX-License-Identifier: MIT
#include "import/import.h"
#include "import/net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARCH(name) extern const arch arch_##name;
#include "import/archs.def"
#undef ARCH

static const arch *const archs[] = {
#define ARCH(name) &arch_##name,
#include "import/archs.def"
#undef ARCH
};
enum { ARCHS = sizeof archs / sizeof *archs };

const arch *import_arch_at(int index) { return index >= 0 && index < ARCHS ? archs[index] : NULL; }

const arch *import_arch_find(const char *name)
{
    for (int i = 0; i < ARCHS; i++)
        if (!strcmp(archs[i]->name, name)) return archs[i];
    return NULL;
}

static weft_result find_variant(const arch *a, const char *word, int *index, char *error)
{
    const char *v = a->variants ? a->variants : "";
    *index = 0;
    if (!word) return WEFT_OK;
    for (;; ++*index) {
        const size_t len = strcspn(v, "|");
        if (len == strlen(word) && len && !memcmp(v, word, len)) return WEFT_OK;
        if (!v[len]) break;
        v += len + 1;
    }
    snprintf(error, IMPORT_ERROR, "%s has no variant '%s'%s%s", a->name, word, a->variants ? "; there are " : "", a->variants ? a->variants : "");
    return WEFT_ERR_ARGUMENT;
}

static const char *setting_at(const char *list, const char *name, size_t length)
{
    for (const char *s = list ? list : ""; *s; s += strcspn(s, " "), s += *s == ' ')
        if (!strncmp(s, name, length) && s[length] == '=') return s + length + 1;
    return NULL;
}

static weft_result check_settings(const arch *a, const import_params *p, char *error)
{
    for (int i = 0; i < p->set_count; i++) {
        const size_t length = strcspn(p->set[i], "=");
        char *end = NULL;
        if (!setting_at(a->settings, p->set[i], length)) {
            snprintf(error, IMPORT_ERROR, "%s has no setting '%.*s'%s%s", a->name, (int) length, p->set[i], a->settings ? "; there are " : "",
                     a->settings ? a->settings : "");
            return WEFT_ERR_ARGUMENT;
        }
        if (p->set[i][length] && isfinite(strtod(p->set[i] + length + 1, &end)) && end > p->set[i] + length + 1 && !*end) continue;
        snprintf(error, IMPORT_ERROR, "'%s' is not a setting and a number, as in %s", p->set[i], a->settings);
        return WEFT_ERR_ARGUMENT;
    }
    return WEFT_OK;
}

double setting(const net *n, const char *name)
{
    const char *value = setting_at(n->settings, name, strlen(name));
    for (int i = 0; i < n->set_count; i++)
        if (setting_at(n->set[i], name, strlen(name))) value = setting_at(n->set[i], name, strlen(name));
    return value ? strtod(value, NULL) : 0;
}

// What stands before the probe in the one tensor whose name ends with it: "module.", "G.", "netG.module.", nothing.
// WEFT_ERR_FORMAT without a text: there is none.
static weft_result find_probe(const char *probe, size_t n, const safetensors *f, char prefix[NET_PATH], char *error)
{
    const char *found = NULL;
    for (int i = 0; i < f->count; i++) {
        const char *name = f->tensors[i].name;
        const size_t len = strlen(name);
        if (len < n || memcmp(name + len - n, probe, n) || (len > n && name[len - n - 1] != '.')) continue;
        if (found && strlen(found) == n) break; // without a prefix: that is the one
        if (found && len > n) {
            snprintf(error, IMPORT_ERROR, "the checkpoint holds more than one such network ('%s' and '%s'): choose by --prefix", found, name);
            return WEFT_ERR_ARGUMENT;
        }
        found = name;
    }
    if (!found) return WEFT_ERR_FORMAT;
    snprintf(prefix, NET_PATH, "%.*s", (int) (strlen(found) - n), found);
    return WEFT_OK;
}

static weft_result find_prefix(const arch *a, int variant, const safetensors *f, char prefix[NET_PATH], char *error)
{
    const char *probe = a->probe;
    while (variant-- > 0 && probe[strcspn(probe, "|")]) probe += strcspn(probe, "|") + 1;
    const size_t all = strcspn(probe, "|");
    weft_result r = WEFT_ERR_FORMAT;
    for (size_t at = 0; at < all && r == WEFT_ERR_FORMAT;) {
        const size_t n = strcspn(probe + at, "| ");
        r = find_probe(probe + at, n, f, prefix, error);
        at += n + 1;
    }
    const int first = (int) strcspn(probe, "| ");
    if (r == WEFT_ERR_FORMAT)
        snprintf(error, IMPORT_ERROR, "this is no checkpoint of %s: no tensor is called '%.*s'%s", a->name, first, probe,
                 (size_t) first < all ? ", nor as in another naming that is known" : "");
    return r;
}

static void report_unused(const net *n)
{
    char line[NET_PATH + 64];
    int unused = 0;
    for (int i = 0; i < n->file->count; i++) {
        if (n->file->tensors[i].used || unused++ >= 8 || !n->warn) continue;
        snprintf(line, sizeof line, "tensor '%s' was not used", n->file->tensors[i].name);
        n->warn(n->user, line);
    }
    if (unused <= 8 || !n->warn) return;
    snprintf(line, sizeof line, "... and %d more", unused - 8);
    n->warn(n->user, line);
}

static weft_result build(weft_context *ctx, const arch *a, const char *variant, net *n, weft_model **out, char *error)
{
    weft_result r = weft_builder_create(ctx, &n->b);
    if (r == WEFT_OK) {
        weft_build_meta(n->b, "architecture", a->name);
        if (a->variants) {
            char first[64];
            snprintf(first, sizeof first, "%.*s", (int) strcspn(a->variants, "|"), a->variants);
            weft_build_meta(n->b, "variant", variant ? variant : first);
        }
        for (int i = 0; i < n->set_count; i++) {
            char key[64];
            snprintf(key, sizeof key, "setting.%.*s", (int) strcspn(n->set[i], "="), n->set[i]);
            weft_build_meta(n->b, key, n->set[i] + strcspn(n->set[i], "=") + 1);
        }
        for (const char *const *m = a->meta; m && m[0]; m += 2) weft_build_meta(n->b, m[0], m[1]);
        a->build(n);
        r = weft_builder_finish(&n->b, out);
    }
    if (r != WEFT_OK) snprintf(error, IMPORT_ERROR, "%s", weft_error_text());
    else report_unused(n);
    return r;
}

static weft_result prepare(const import_params *p, net *n, const arch **a, char *error)
{
    *a = import_arch_find(p->arch);
    if (!*a) return snprintf(error, IMPORT_ERROR, "there is no architecture '%s'", p->arch), WEFT_ERR_ARGUMENT;
    *n = (net) { .half = p->half, .warn = p->warn, .user = p->user, .settings = (*a)->settings, .set = p->set, .set_count = p->set_count };
    const weft_result r = find_variant(*a, p->variant, &n->variant, error);
    return r == WEFT_OK ? check_settings(*a, p, error) : r;
}

weft_result import_tensors(weft_context *ctx, const import_params *p, const safetensors *file, weft_model **out, char error[IMPORT_ERROR])
{
    const arch *a;
    net n;
    char prefix[NET_PATH] = "";
    weft_result r = prepare(p, &n, &a, error);
    if (r != WEFT_OK) return r;
    if (p->prefix) snprintf(prefix, sizeof prefix, "%s", p->prefix);
    else r = find_prefix(a, n.variant, file, prefix, error);
    n.file = file;
    n.prefix = prefix;
    return r == WEFT_OK ? build(ctx, a, p->variant, &n, out, error) : r;
}

weft_result import_model(weft_context *ctx, const import_params *p, weft_model **out, char error[IMPORT_ERROR])
{
    const arch *a;
    net n;
    safetensors file;
    weft_result r = prepare(p, &n, &a, error); // what is asked for comes before what is there
    if (r != WEFT_OK) return r;
    if (safetensors_open(p->path, &file, error)) return WEFT_ERR_FORMAT;
    r = import_tensors(ctx, p, &file, out, error);
    safetensors_close(&file);
    return r;
}
