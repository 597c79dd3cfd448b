// SPDX-License-Identifier: MIT
// weft help
#include "command.h"
#include <stdio.h>

static int run_help(call *c)
{
    if (c->arg_count) {
        const command *cmd = find_command(c->args[0]);
        if (!cmd) return usage(c, "there is no command '%s'", c->args[0]);
        return print_help(cmd), CODE_OK;
    }
    printf("weft %s - GAN image editing on any GPU\n\nweft COMMAND [options]\n\n", WEFT_VERSION);
    for (int i = 0; commands[i]; i++) printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n`weft help COMMAND` tells more, with examples. `weft --version` prints the version.\n\n"
           "Exit codes: 0 ok, 1 failed, 2 usage, 3 device lost or unavailable, 4 unsupported, 5 bad input file.\n"
           "6: `weft compare --fail-over` found something slower.\n");
    return CODE_OK;
}

const command command_help = {
    .name = "help", .args = "[COMMAND]", .summary = "what there is, or how a command is used", .most = 1, .run = run_help, .no_context = true,
    .examples = "  weft help inpaint",
};
