// SPDX-License-Identifier: MIT
// weft: the command. A row in `commands` is a command; each lives in a file of its name.
#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS(X) \
    X(inpaint) X(generate) X(invert) X(edit) X(metrics) X(bench) X(compare) X(devices) X(info) X(ops) X(run) X(check) X(import) X(tokens) X(help)
#define DECLARE(name) extern const command command_##name;
#define LIST(name) &command_##name,
COMMANDS(DECLARE)
const command *const commands[] = { COMMANDS(LIST) NULL };

const command *find_command(const char *name)
{
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static void log_line(void *user, weft_log_level level, const char *line)
{
    static const char *const words[] = { "error: ", "warning: ", "", "" };
    const call *c = user;
    end_progress();
    fprintf(stderr, "weft %s: %s%s\n", c->command->name, words[level], line);
}

static int unknown_command(const char *name)
{
    const char *names[32];
    int n = 0;
    for (; commands[n] && n < 31; n++) names[n] = commands[n]->name;
    names[n] = NULL;
    const char *meant = nearest(name, names);
    fprintf(stderr, meant ? "weft: there is no command '%s'; did you mean '%s'?\n" : "weft: there is no command '%s'\n", name, meant);
    fprintf(stderr, "`weft help` lists them.\n");
    return CODE_USAGE;
}

static int run_command(const command *cmd, int argc, char **argv)
{
    call c = { .command = cmd, .options = calloc(1, cmd->option_bytes + 1) };
    if (!c.options) return fail(&c, CODE_FAILED, "out of memory");
    int code = parse_options(&c, argc, argv);
    if (code < 0 && !cmd->no_context) {
        const weft_context_params params = { // -v: what is done; -vv: every detail
            .log = log_line, .log_user = &c,
            .log_level = c.quiet ? WEFT_LOG_ERROR : c.verbose > 1 ? WEFT_LOG_DEBUG : c.verbose ? WEFT_LOG_INFO : WEFT_LOG_WARN,
        };
        const weft_result r = weft_context_create(&params, &c.ctx);
        if (r != WEFT_OK) code = fail_result(&c, r);
    }
    if (code < 0) {
        catch_interrupts();
        code = cmd->run(&c);
        end_progress();
    }
    weft_context_destroy(&c.ctx);
    free(c.options);
    // A full disk or a closed pipe shows here at the latest.
    if ((fflush(stdout) || ferror(stdout)) && code == CODE_OK) code = fail(&c, CODE_FAILED, "cannot write to standard output");
    return code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) return printf("weft %s\n", WEFT_VERSION), CODE_OK;
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    const command *cmd = find_command(name);
    if (!cmd) return unknown_command(name);
    const int code = run_command(cmd, argc > 2 ? argc - 2 : 0, argv + 2);
    return argc > 1 ? code : CODE_USAGE;
}
