// SPDX-License-Identifier: MIT
// weft import: the place of the importers.
#include "command.h"

static int run_import(call *c) { return fail(c, CODE_UNSUPPORTED, "this build has no importers"); }

const command command_import = {
    .name = "import", .args = "CHECKPOINT -o MODEL.weft", .summary = "makes a model of a published checkpoint", .most = 1, .run = run_import,
};
