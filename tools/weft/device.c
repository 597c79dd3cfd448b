// SPDX-License-Identifier: MIT
// Opens the device that the options ask for, with its pipeline cache in the user's cache folder.
#include "command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// $XDG_CACHE_HOME/weft/pipelines, made if need be; NULL: there is no place for it.
static const char *cache_path(char *path, size_t room)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (base && base[0] == '/') n = snprintf(path, room, "%s", base);
    else if (home && home[0] == '/') n = snprintf(path, room, "%s/.cache", home);
    else return NULL;
    if (n < 0 || (size_t) n + 32 > room) return NULL;
    if (mkdir(path, 0700) && errno != EEXIST) return NULL;
    strcat(path, "/weft");
    if (mkdir(path, 0700) && errno != EEXIST) return NULL;
    return strcat(path, "/pipelines");
}

int open_device_cached(const call *c, const device_options *o, const char *cache, weft_device **out)
{
    const char *name = o->device;
    if (o->gpu && o->device) return usage(c, "give --device or --gpu, not both");
    if (o->gpu) {
        char *end;
        const long index = strtol(o->gpu, &end, 10);
        if (strcmp(o->gpu, "auto") && (!*o->gpu || *end || index < -1))
            return usage(c, "--gpu wants an index as `weft devices` gives it (-1: cpu), not '%s'", o->gpu);
        name = index == -1 ? "cpu" : o->gpu;
    }
    const weft_device_params params = {
        .name = name, .cache_path = cache, .validate = o->validate, .no_optional = o->no_optional, .tune = o->tune,
    };
    const weft_result r = weft_device_open(c->ctx, &params, out);
    if (r != WEFT_OK) return fail(c, r == WEFT_ERR_ARGUMENT ? CODE_DEVICE : result_code(r), "%s", weft_error_text());
    if (c->verbose) note(c, "device: %s (%s)", weft_device_get_info(*out)->name, weft_device_get_info(*out)->driver);
    return CODE_OK;
}

const char *user_cache(const device_options *o)
{
    static char path[4096];
    return o->no_cache ? NULL : cache_path(path, sizeof path);
}

int open_device(const call *c, const device_options *o, weft_device **out) { return open_device_cached(c, o, user_cache(o), out); }
