// SPDX-License-Identifier: MIT
#include "bundled.h"
#include "dims.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool find_bundled(const char *name, char *path, size_t room)
{
    static const char *const places[] = { "/../share/weft/models/", "/share/weft/models/", "/../../samples/data/", "/../samples/data/" };
    char self[2048];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return false;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const int length = snprintf(path, room, "%s%s%s.weft", self, places[i], name);
        if (length > 0 && (size_t) length < room && !access(path, R_OK)) return true;
    }
    return false;
}

int load_named_model(const call *c, const char *name, weft_model **out)
{
    char path[4096];
    const bool is_word = !strchr(name, '/') && !strchr(name, '.') && access(name, F_OK);
    if (is_word && !find_bundled(name, path, sizeof path)) return fail(c, CODE_INPUT, "there is no file and no bundled model '%s'", name);
    return load_model(c, is_word ? path : name, out);
}
