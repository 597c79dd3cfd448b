// SPDX-License-Identifier: MIT
// Starts, in processes of their own: what a program pays that opens a device, makes a session and wants its first result. The benchmark starts
// itself again, on the same command line, with WEFT_BENCH_START set to the row that is meant, and reads the figures from its output. All
// caches of the driver and of weft lie in a folder that is empty before the first start: that one is cold, later ones are warm.
#include "bench.h"
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char VARIABLE[] = "WEFT_BENCH_START";
static const double SHORT_MS = 1000; // starts and runs below that are repeated
enum { ARGUMENT_BYTES = 1 << 16, ARGUMENTS_MOST = 512, ENVIRONMENT_MOST = 4096, REPLY_BYTES = 1024, WARM_MOST = 3 };

// --- In the process that starts. ----------------------------------------------------------------------------------

const char *bench_start_row(void) { return getenv(VARIABLE); }

void bench_start_tell(const bench_start *s)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "open_ms", s->open_ms);
    cJSON_AddNumberToObject(o, "create_ms", s->create_ms);
    cJSON_AddNumberToObject(o, "pipelines_ms", s->pipelines_ms);
    cJSON_AddNumberToObject(o, "pipelines_new", s->pipelines_new);
    cJSON_AddNumberToObject(o, "first_ms", s->first_ms);
    cJSON_AddNumberToObject(o, "run_ms", s->run_ms);
    char *text = cJSON_PrintUnformatted(o);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(o);
}

// --- The other process. -------------------------------------------------------------------------------------------

// This process' command line, with the loader and its options where one was named to start it.
static bool read_arguments(char *text, char **out)
{
    const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t used = 0, n = 1;
    int count = 0;
    while (fd >= 0 && n > 0 && used < ARGUMENT_BYTES - 1) {
        n = read(fd, text + used, (size_t) (ARGUMENT_BYTES - 1 - used));
        if (n > 0) used += n;
    }
    if (fd >= 0) close(fd);
    if (used <= 0 || n != 0) return false; // none, or too long
    text[used] = 0;
    for (ssize_t at = 0; at < used && count < ARGUMENTS_MOST - 1; at += (ssize_t) strlen(text + at) + 1) out[count++] = text + at;
    out[count] = NULL;
    return count > 1;
}

extern char **environ;

// The environment, with caches in `folder`: weft's own and NVIDIA's by the user's cache folder, Mesa's by its own name.
static void make_environment(const char *row, const char *folder, char own[3][512], char **out)
{
    static const char *const names[] = { VARIABLE, "XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH" };
    int count = 0;
    snprintf(own[0], sizeof own[0], "%s=%s", names[0], row);
    for (int k = 1; k < 3; k++) snprintf(own[k], sizeof own[k], "%s=%s", names[k], folder);
    for (char **e = environ; *e && count < ENVIRONMENT_MOST - 4; e++) {
        bool ours = false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) ours |= !strncmp(*e, names[k], strlen(names[k])) && (*e)[strlen(names[k])] == '=';
        if (!ours) out[count++] = *e;
    }
    for (int k = 0; k < 3; k++) out[count++] = own[k];
    out[count] = NULL;
}

static bool spawn(const char *row, const char *folder, int output, pid_t *pid)
{
    char *text = malloc(ARGUMENT_BYTES), **argv = malloc(sizeof *argv * ARGUMENTS_MOST), **envp = malloc(sizeof *envp * ENVIRONMENT_MOST), own[3][512];
    posix_spawn_file_actions_t actions;
    bool good = text && argv && envp && read_arguments(text, argv) && !posix_spawn_file_actions_init(&actions);
    if (good) {
        make_environment(row, folder, own, envp);
        good = !posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) && !posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, envp);
        posix_spawn_file_actions_destroy(&actions);
    }
    free(text);
    free(argv);
    free(envp);
    return good;
}

// All that comes until the other end is closed; Ctrl-C ends the process, too.
static void read_reply(int fd, pid_t pid, char reply[REPLY_BYTES])
{
    size_t used = 0;
    ssize_t n = 1;
    while (n != 0) {
        struct pollfd p = { fd, POLLIN, 0 };
        const int ready = poll(&p, 1, 200);
        if (interrupted()) kill(pid, SIGTERM);
        if (ready <= 0) continue;
        n = read(fd, reply + used, REPLY_BYTES - 1 - used);
        if (n < 0 && errno != EINTR) break;
        if (n > 0) used += (size_t) n;
        if (used == REPLY_BYTES - 1) break; // more than it can have to say
    }
    reply[used] = 0;
}

static bool parse_reply(const char *reply, bench_start *out)
{
    cJSON *o = cJSON_Parse(reply);
    const struct { const char *name; double *to; } fields[] = { { "open_ms", &out->open_ms }, { "create_ms", &out->create_ms }, { "pipelines_ms", &out->pipelines_ms },
                                                                { "pipelines_new", &out->pipelines_new }, { "first_ms", &out->first_ms }, { "run_ms", &out->run_ms } };
    bool good = o != NULL;
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, fields[k].name);
        good &= cJSON_IsNumber(v);
        *fields[k].to = cJSON_IsNumber(v) ? v->valuedouble : -1;
    }
    cJSON_Delete(o);
    return out->known = good;
}

static bool start_once(const char *row, const char *folder, bench_start *out)
{
    char reply[REPLY_BYTES];
    int ends[2], status;
    pid_t pid;
    *out = (bench_start) { 0 };
    if (pipe(ends)) return false;
    for (int k = 0; k < 2; k++) fcntl(ends[k], F_SETFD, FD_CLOEXEC);
    const bool going = spawn(row, folder, ends[1], &pid);
    close(ends[1]);
    if (going) read_reply(ends[0], pid, reply);
    close(ends[0]);
    if (!going) return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return !interrupted() && parse_reply(reply, out);
}

// --- The folder. --------------------------------------------------------------------------------------------------

// What the tuner knows, for a device with a cache of its own: what was learnt before is no part of a start.
static void copy_tuning(const device_options *o, const char *folder)
{
    char from[4200], to[400], block[4096];
    const char *cache = user_cache(o);
    snprintf(to, sizeof to, "%s/weft", folder);
    if (!cache || mkdir(to, 0700)) return;
    snprintf(from, sizeof from, "%s.tune", cache);
    snprintf(to, sizeof to, "%s/weft/pipelines.tune", folder);
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    for (size_t n; out && (n = fread(block, 1, sizeof block, in)) > 0;)
        if (fwrite(block, 1, n, out) != n) break; // a file that is cut is not taken
    if (in) fclose(in);
    if (out) fclose(out);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    char name[1024];
    while (d && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= (int) sizeof name) continue;
        if (unlink(name)) remove_tree(name);
    }
    if (d) closedir(d);
    rmdir(path);
}

// --- Starts of a row. ---------------------------------------------------------------------------------------------

double bench_start_cost(const bench_start *s, const bench_stat *time)
{
    const double run = s->run_ms >= 0 ? s->run_ms : time->median, cost = s->create_ms + s->first_ms - run;
    return cost > 0 ? cost : 0;
}

static int by_whole(const void *a, const void *b)
{
    const bench_start *x = a, *y = b;
    const double d = x->create_ms + x->first_ms - y->create_ms - y->first_ms;
    return d < 0 ? -1 : d > 0;
}

// Short ones are repeated: the median one counts.
static void start_warm(const bench *b, const char *row, const char *folder, bench_start *out)
{
    bench_start all[WARM_MOST];
    int count = 0;
    while (count < (b->o->quick ? 1 : WARM_MOST) && start_once(row, folder, &all[count])) {
        count++;
        if (all[0].create_ms + all[0].first_ms > SHORT_MS) break;
    }
    qsort(all, (size_t) count, sizeof *all, by_whole);
    if (count) *out = all[(count - 1) / 2];
}

void bench_starts(const bench *b, bench_row *row)
{
    char folder[256], name[256];
    const char *base = getenv("TMPDIR");
    snprintf(name, sizeof name, "%s/%s", row->suite, row->name);
    if (snprintf(folder, sizeof folder, "%.200s/weft-bench-XXXXXX", base && *base ? base : "/tmp") < 0 || !mkdtemp(folder)) return;
    copy_tuning(&b->o->device, folder);
    if (!start_once(name, folder, &row->cold)) note(b->c, "%s: no start in a process of its own could be measured", name);
    else if (weft_device_get_info(b->device)->kind == WEFT_DEVICE_VULKAN) start_warm(b, name, folder, &row->warm); // others keep nothing
    remove_tree(folder);
}
