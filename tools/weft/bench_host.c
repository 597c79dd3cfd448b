// SPDX-License-Identifier: MIT
// What figures depend on beside the device: the machine, what else it does, and clocks where the system shows them.
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

// The first line of a file that begins with `start`, from its first ':' or from its beginning.
static bool find_line(const char *path, const char *start, char *out, size_t room)
{
    char line[512];
    bool found = false;
    FILE *f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, start, strlen(start))) continue;
        const char *at = *start && strchr(line, ':') ? strchr(line, ':') + 1 : line;
        while (*at == ' ' || *at == '\t') at++;
        snprintf(out, room, "%.*s", (int) strcspn(at, "\n"), at);
        found = true;
    }
    if (f) fclose(f);
    return found;
}

static double number_in(const char *path)
{
    char text[128];
    return find_line(path, "", text, sizeof text) ? strtod(text, NULL) : -1;
}

// "1: 1200Mhz *" in amdgpu's tables of levels: the star is the present one.
static double starred_level(const char *path)
{
    char line[128];
    double mhz = -1;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (colon && strchr(line, '*')) mhz = strtod(colon + 1, NULL);
    }
    if (f) fclose(f);
    return mhz;
}

// The card of the same vendor and device; names of its files differ by driver: amdgpu, i915, xe, and what else follows hwmon.
static void read_card(int card, bench_host *h)
{
    const struct { const char *file; double scale; double *to; bool table; } places[] = {
        { "device/pp_dpm_sclk", 1, &h->core_mhz, true }, { "gt_act_freq_mhz", 1, &h->core_mhz, false }, { "gt_cur_freq_mhz", 1, &h->core_mhz, false },
        { "device/tile0/gt0/freq0/act_freq", 1, &h->core_mhz, false }, { "device/pp_dpm_mclk", 1, &h->memory_mhz, true },
    };
    char path[256];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "/sys/class/drm/card%d/%s", card, places[i].file);
        const double v = places[i].table ? starred_level(path) : number_in(path);
        if (v > 0 && *places[i].to < 0) *places[i].to = v * places[i].scale;
    }
    for (int m = 0; m < 16 && h->core_mhz < 0; m++) { // hwmon's freq1 is the core's, in Hz
        snprintf(path, sizeof path, "/sys/class/drm/card%d/device/hwmon/hwmon%d/freq1_input", card, m);
        const double v = number_in(path);
        if (v > 0) h->core_mhz = v * 1e-6;
    }
}

static void read_clocks(bench_host *h, const weft_device_info *info)
{
    char path[128], text[64];
    if (info->kind != WEFT_DEVICE_VULKAN || !strcmp(info->type, "software")) {
        const double khz = number_in("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
        if (khz > 0) h->core_mhz = khz * 1e-3;
        else if (find_line("/proc/cpuinfo", "cpu MHz", text, sizeof text)) h->core_mhz = strtod(text, NULL);
        return;
    }
    for (int card = 0; card < 16; card++) {
        unsigned long id[2];
        static const char *const files[] = { "vendor", "device" };
        for (int k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "/sys/class/drm/card%d/device/%s", card, files[k]);
            id[k] = find_line(path, "", text, sizeof text) ? strtoul(text, NULL, 16) : 0;
        }
        if (id[0] == info->vendor_id && id[1] == info->device_id) read_card(card, h);
    }
}

void host_watch(bench_host *h, const weft_device_info *info)
{
    bench_host now = { .core_mhz = -1, .memory_mhz = -1 };
    read_clocks(&now, info);
    if (now.core_mhz > h->core_mhz) h->core_mhz = now.core_mhz;
    if (now.memory_mhz > h->memory_mhz) h->memory_mhz = now.memory_mhz;
}

void host_read(bench_host *h, const weft_device_info *info)
{
    struct utsname u;
    char text[128];
    const time_t now = time(NULL);
    struct tm utc;
    *h = (bench_host) { .load = -1, .core_mhz = -1, .memory_mhz = -1, .threads = (int) sysconf(_SC_NPROCESSORS_ONLN) };
    strftime(h->date, sizeof h->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    if (!uname(&u)) snprintf(h->os, sizeof h->os, "%.40s %.60s %.20s", u.sysname, u.release, u.machine);
    if (!find_line("/proc/cpuinfo", "model name", h->cpu, sizeof h->cpu)) find_line("/proc/cpuinfo", "Hardware", h->cpu, sizeof h->cpu);
    if (find_line("/proc/loadavg", "", text, sizeof text)) h->load = strtod(text, NULL);
    h->memory_bytes = (double) sysconf(_SC_PHYS_PAGES) * (double) sysconf(_SC_PAGESIZE);
    host_watch(h, info);
}
