// SPDX-License-Identifier: MIT
// weft import: a published checkpoint becomes a model file.
#include "command.h"
#include "import/import.h"
#include <stdio.h>
#include <string.h>

struct import_options { const char *arch, *variant, *prefix, *out; text_list set; int half, list; };
static const option import_options[] = {
    { "arch", 'a', OPTION_TEXT, "NAME", offsetof(struct import_options, arch), "which network it is (--list)" },
    { "variant", 0, OPTION_TEXT, "NAME", offsetof(struct import_options, variant), "which form of it; the first one listed is the default" },
    { "set", 0, OPTION_LIST, "NAME=NUMBER", offsetof(struct import_options, set), "what no tensor tells, where it is not the default that --list shows; may be given again" },
    { "output", 'o', OPTION_TEXT, "FILE", offsetof(struct import_options, out), "the model to write" },
    { "half", 0, OPTION_FLAG, NULL, offsetof(struct import_options, half), "store the large weights as f16: half the size" },
    { "prefix", 0, OPTION_TEXT, "TEXT", offsetof(struct import_options, prefix), "what stands before the tensors' names, where more than one network is in the file" },
    { "list", 'l', OPTION_FLAG, NULL, offsetof(struct import_options, list), "list the networks that are known" },
    { 0 }
};

static void list_archs(void)
{
    const arch *a;
    for (int i = 0; (a = import_arch_at(i)); i++) {
        printf("%-18s %s\n", a->name, a->doc);
        if (a->variants) printf("%-18s variants: %s\n", "", a->variants);
        if (a->settings) printf("%-18s settings: %s\n", "", a->settings);
    }
}

static void warn(void *user, const char *line) { note(user, "%s", line); }

static int unknown_arch(const call *c, const char *name)
{
    const char *names[256];
    int n = 0;
    while (n < 255 && import_arch_at(n)) names[n] = import_arch_at(n)->name, n++;
    names[n] = NULL;
    const char *meant = nearest(name, names);
    return usage(c, "there is no network '%s'%s%s%s", name, meant ? "; is it '" : "", meant ? meant : "", meant ? "'?" : " (`weft import --list`)");
}

static int run_import(call *c)
{
    const struct import_options *o = c->options;
    char error[IMPORT_ERROR];
    weft_model *m;
    if (o->list) return list_archs(), CODE_OK;
    if (!c->arg_count || !o->arch || !o->out) return usage(c, "a checkpoint, --arch and --output are needed");
    if (!import_arch_find(o->arch)) return unknown_arch(c, o->arch);
    const import_params p = {
        .path = c->args[0], .arch = o->arch, .variant = o->variant, .prefix = o->prefix, .set = o->set.at, .set_count = o->set.count, .half = o->half,
        .warn = warn, .user = c,
    };
    weft_result r = import_model(c->ctx, &p, &m, error);
    if (r == WEFT_ERR_ARGUMENT) return usage(c, "%s", error);
    if (r != WEFT_OK) return fail(c, r == WEFT_ERR_FORMAT ? CODE_INPUT : result_code(r), "%s: %s", c->args[0], error);
    r = weft_model_save(m, o->out);
    weft_model_destroy(&m);
    return r == WEFT_OK ? CODE_OK : fail_result(c, r);
}

const command command_import = {
    .name = "import", .args = "CHECKPOINT.safetensors --arch NAME -o MODEL.weft", .summary = "makes a model of a published checkpoint",
    .about = "Reads the tensors of a .safetensors file by the names their authors gave them, checks every shape, and writes the network with its\n"
             "weights as one .weft file. A tensor that is missing is an error; one that is not used is told. PyTorch's .pth and .pt files hold\n"
             "programs: load them in PyTorch and save the state dict with safetensors.torch.save_file.",
    .examples = "  weft import --list\n  weft import deepfill.safetensors --arch deepfillv2 --variant tf -o deepfill.weft",
    .options = import_options, .option_bytes = sizeof(struct import_options), .most = 1, .run = run_import,
};
