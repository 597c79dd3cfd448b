// SPDX-License-Identifier: MIT
#include "vk/tune.h"
#include "base/file.h"
#include "base/fnv.h"
#include "base/text.h"
#include "vk/kernel.h"
#include "vk/trial.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The file, a section per device, the one used last first:
//     weft-tune 1
//     device VENDOR:DEVICE DRIVER-VERSION CACHE-UUID KERNELS
//     NANOSECONDS <tab> WAY <tab> KEY
//     ...
//     sum FNV-1a of all before this line
static const char MAGIC[] = "weft-tune 1\n";
enum { MAX_SECTIONS = 8, DEVICE_TEXT = 128, LINE_TEXT = 64 + WEFT_WAY_TEXT + WEFT_NODE_KEY };
static const double HOPELESS = 2; // a way that first takes so many times the best is not looked at again

typedef struct entry {
    char *key;
    char way[WEFT_WAY_TEXT];
    uint64_t nanoseconds;
} entry;

struct weft_vk_tuner {
    weft_vk_device *dev;
    char *path; // NULL: nowhere to keep it
    char device[DEVICE_TEXT]; // the head of its section
    size_t model_length;      // of `device`: up to here it says which device, not which driver and kernels
    bool measure, changed, unsaved; // unsaved: the file cannot be written, as was said
    pthread_mutex_t lock; // of the table, and of trials: one at a time
    entry *entries;
    int count;
    uint64_t *refused; // hashes of key and way
    int refused_count;
};

// --- The table. ------------------------------------------------------------------------------------------------

static entry *find(const weft_vk_tuner *t, const char *key, size_t length)
{
    for (int i = 0; i < t->count; i++)
        if (!strncmp(t->entries[i].key, key, length) && !t->entries[i].key[length]) return &t->entries[i];
    return NULL;
}

static weft_result note(weft_vk_tuner *t, const char *key, size_t key_length, const char *way, size_t way_length, uint64_t nanoseconds)
{
    entry *e = find(t, key, key_length);
    if (way_length >= WEFT_WAY_TEXT) return WEFT_OK;
    if (!e) {
        entry *more = weft_resize(t->dev->ctx, t->entries, sizeof *more * (size_t) (t->count + 1));
        if (!more) return WEFT_ERR_MEMORY;
        t->entries = more;
        e = &more[t->count];
        *e = (entry) { .key = weft_new(t->dev->ctx, key_length + 1) };
        if (!e->key) return WEFT_ERR_MEMORY;
        memcpy(e->key, key, key_length);
        t->count++;
    }
    memset(e->way, 0, sizeof e->way);
    memcpy(e->way, way, way_length);
    e->nanoseconds = nanoseconds;
    return WEFT_OK;
}

// --- The file. -------------------------------------------------------------------------------------------------

typedef struct section { const char *head, *end; } section; // whole lines

static const char *line_end(const char *p, const char *end)
{
    const char *e = memchr(p, '\n', (size_t) (end - p));
    return e ? e + 1 : NULL;
}

static bool starts(const char *p, const char *end, const char *with)
{
    const size_t n = strlen(with);
    return (size_t) (end - p) >= n && !memcmp(p, with, n);
}

// All sections of a file; NULL or what is wrong with it.
static const char *read_sections(const weft_mapping *file, section list[MAX_SECTIONS], int *count)
{
    const char *p = file->data, *end = p + file->bytes, *next;
    char sum[32];
    *count = 0;
    if (!p || !starts(p, end, MAGIC)) return "is no table of weft's tuner";
    if (!weft_text_is_plain(p, file->bytes, true)) return "is damaged";
    for (p += sizeof MAGIC - 1; p < end; p = next) {
        if (!(next = line_end(p, end))) return "is cut off";
        if (starts(p, end, "sum ")) {
            snprintf(sum, sizeof sum, "sum %016llx\n", (unsigned long long) weft_fnv(WEFT_FNV_BEGIN, file->data, (size_t) (p - (const char *) file->data)));
            return next == end && starts(p, end, sum) ? NULL : "is damaged";
        }
        if (starts(p, end, "device ")) {
            if (*count == MAX_SECTIONS) return "has too many devices";
            list[(*count)++].head = p;
        }
        else if (!*count) return "is damaged";
        list[*count - 1].end = next;
    }
    return "is cut off";
}

// Without its newline; what is known stays.
static weft_result read_line(weft_vk_tuner *t, const char *p, const char *end)
{
    uint64_t ns = 0;
    int digits = 0;
    for (; p < end && *p >= '0' && *p <= '9' && digits < 18; p++, digits++) ns = ns * 10 + (uint64_t) (*p - '0');
    const char *way = p + 1, *tab = p < end && digits && *p == '\t' ? memchr(way, '\t', (size_t) (end - way)) : NULL;
    if (!tab || end - tab - 1 >= WEFT_NODE_KEY) return WEFT_OK; // of some later version
    if (find(t, tab + 1, (size_t) (end - tab - 1))) return WEFT_OK;
    return note(t, tab + 1, (size_t) (end - tab - 1), way, (size_t) (tab - way), ns);
}

static weft_result read_section(weft_vk_tuner *t, section s)
{
    for (const char *p = line_end(s.head, s.end), *next; p < s.end; p = next) {
        next = line_end(p, s.end);
        WEFT_TRY(read_line(t, p, next - 1));
    }
    return WEFT_OK;
}

static const char *open_file(const weft_vk_tuner *t, weft_mapping *file, section list[MAX_SECTIONS], int *count)
{
    *file = (weft_mapping) { 0 };
    *count = 0;
    if (access(t->path, F_OK)) return NULL;
    const char *wrong = weft_file_map(t->path, file) == WEFT_OK ? read_sections(file, list, count) : "cannot be read";
    if (wrong) *count = 0;
    return wrong;
}

static bool of_this_device(const weft_vk_tuner *t, section s) // perhaps with another driver or other kernels
{
    return (size_t) (s.end - s.head) > t->model_length && !memcmp(s.head, t->device, t->model_length);
}

static weft_result read_file(weft_vk_tuner *t)
{
    weft_mapping file;
    section list[MAX_SECTIONS];
    int count;
    const char *wrong = open_file(t, &file, list, &count);
    weft_result r = WEFT_OK;
    if (wrong) weft_log(t->dev->ctx, WEFT_LOG_WARN, "tuning table %s %s: kernels are chosen without it", t->path, wrong);
    for (int i = 0; r == WEFT_OK && i < count; i++) {
        if (!of_this_device(t, list[i])) continue;
        if (starts(list[i].head, list[i].end, t->device)) r = read_section(t, list[i]);
        else weft_log(t->dev->ctx, WEFT_LOG_WARN, "tuning table %s was measured with another driver or other kernels: tune again", t->path);
    }
    weft_file_unmap(&file);
    return r;
}

typedef struct output {
    const weft_vk_tuner *tuner;
    section others[MAX_SECTIONS];
    int other_count;
    uint64_t sum;
} output;

static weft_result put(weft_file_writer *w, output *o, const char *text, size_t bytes)
{
    o->sum = weft_fnv(o->sum, text, bytes);
    return weft_file_put(w, text, bytes);
}

static weft_result write_sections(weft_file_writer *w, void *user)
{
    output *o = user;
    const weft_vk_tuner *t = o->tuner;
    char line[LINE_TEXT];
    WEFT_TRY(put(w, o, MAGIC, sizeof MAGIC - 1));
    WEFT_TRY(put(w, o, t->device, strlen(t->device)));
    for (int i = 0; i < t->count; i++) {
        const entry *e = &t->entries[i];
        const int n = snprintf(line, sizeof line, "%llu\t%s\t%s\n", (unsigned long long) e->nanoseconds, e->way, e->key);
        WEFT_TRY(put(w, o, line, (size_t) n));
    }
    for (int i = 0; i < o->other_count; i++) WEFT_TRY(put(w, o, o->others[i].head, (size_t) (o->others[i].end - o->others[i].head)));
    const int n = snprintf(line, sizeof line, "sum %016llx\n", (unsigned long long) o->sum);
    return weft_file_put(w, line, (size_t) n);
}

// Ours first, with what others measured on this device in the meantime, then other devices' as they are on disk by now.
static weft_result write_file(weft_vk_tuner *t)
{
    weft_mapping file;
    section list[MAX_SECTIONS];
    int count;
    output o = { .tuner = t, .sum = WEFT_FNV_BEGIN };
    weft_result r = WEFT_OK;
    open_file(t, &file, list, &count); // what is wrong was said before
    for (int i = 0; i < count && r == WEFT_OK; i++) {
        if (starts(list[i].head, list[i].end, t->device)) r = read_section(t, list[i]);
        else if (!of_this_device(t, list[i]) && o.other_count < MAX_SECTIONS - 1) o.others[o.other_count++] = list[i];
    }
    if (r == WEFT_OK) r = weft_file_replace(t->dev->ctx, t->path, write_sections, &o);
    weft_file_unmap(&file);
    return r;
}

// --- The tuner. ------------------------------------------------------------------------------------------------

static void describe_device(weft_vk_tuner *t)
{
    VkPhysicalDeviceProperties props;
    weft_text text = { t->device, sizeof t->device, 0 };
    t->dev->vk.vkGetPhysicalDeviceProperties(t->dev->physical, &props);
    weft_text_add(&text, "device %04x:%04x ", (unsigned) props.vendorID, (unsigned) props.deviceID);
    t->model_length = text.length;
    weft_text_add(&text, "%08x ", (unsigned) props.driverVersion);
    for (size_t i = 0; i < VK_UUID_SIZE; i++) weft_text_add(&text, "%02x", (unsigned) props.pipelineCacheUUID[i]);
    weft_text_add(&text, " %016llx\n", (unsigned long long) weft_kernels_hash);
}

weft_result weft_vk_tuner_create(weft_vk_device *dev, bool measure, weft_vk_tuner **out)
{
    weft_vk_tuner *t = weft_new(dev->ctx, sizeof *t);
    if (!t) return WEFT_ERR_MEMORY;
    *out = t;
    t->dev = dev, t->measure = measure;
    pthread_mutex_init(&t->lock, NULL);
    if (!dev->cache_path) return WEFT_OK;
    const size_t length = strlen(dev->cache_path);
    if (!(t->path = weft_new(dev->ctx, length + sizeof ".tune"))) return WEFT_ERR_MEMORY;
    memcpy(t->path, dev->cache_path, length);
    memcpy(t->path + length, ".tune", sizeof ".tune");
    if (access(t->path, F_OK) && !measure) return WEFT_OK;
    describe_device(t);
    return read_file(t);
}

void weft_vk_tuner_save(weft_vk_tuner *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->path && t->changed && !t->unsaved && write_file(t) != WEFT_OK) {
        weft_log(t->dev->ctx, WEFT_LOG_WARN, "the tuning table is not saved: %s", weft_error_text());
        t->unsaved = true;
    }
    t->changed = false;
    pthread_mutex_unlock(&t->lock);
}

void weft_vk_tuner_destroy(weft_vk_tuner *t)
{
    if (!t) return;
    weft_vk_tuner_save(t);
    for (int i = 0; i < t->count; i++) weft_delete(t->dev->ctx, t->entries[i].key);
    weft_delete(t->dev->ctx, t->entries);
    weft_delete(t->dev->ctx, t->refused);
    weft_delete(t->dev->ctx, t->path);
    pthread_mutex_destroy(&t->lock);
    weft_delete(t->dev->ctx, t);
}

static uint64_t hash_of(const char *key, const char *way)
{
    return weft_fnv(weft_fnv(WEFT_FNV_BEGIN, key, strlen(key) + 1), way, strlen(way));
}

static bool is_refused(const weft_vk_tuner *t, uint64_t hash)
{
    for (int i = 0; i < t->refused_count; i++)
        if (t->refused[i] == hash) return true;
    return false;
}

bool weft_vk_tuner_refuse(weft_vk_tuner *t, const char *key, const char *way)
{
    const uint64_t hash = hash_of(key, way);
    pthread_mutex_lock(&t->lock);
    uint64_t *more = is_refused(t, hash) ? NULL : weft_resize(t->dev->ctx, t->refused, sizeof *more * (size_t) (t->refused_count + 1));
    if (more) t->refused = more, more[t->refused_count++] = hash;
    pthread_mutex_unlock(&t->lock);
    return more != NULL;
}

// The ways that are left, and which of all they are.
static int without_refused(const weft_vk_tuner *t, const char *key, const weft_way *ways, int count, weft_way left[WEFT_MAX_WAYS], int which[WEFT_MAX_WAYS])
{
    char text[WEFT_WAY_TEXT];
    int n = 0;
    for (int i = 0; i < count; i++)
        if (!t->refused_count || !is_refused(t, hash_of(key, weft_way_text(&ways[i], text)))) left[n] = ways[i], which[n++] = i;
    return n;
}

static int known(const weft_vk_tuner *t, const char *key, const weft_way *ways, int count) // -1: not
{
    char text[WEFT_WAY_TEXT];
    const entry *e = find(t, key, strlen(key));
    for (int i = 0; e && i < count; i++)
        if (!strcmp(e->way, weft_way_text(&ways[i], text))) return i;
    return -1;
}

// A way that fails is not taken; where none can be measured, or the table has no room, nothing is noted.
static int measure(weft_vk_tuner *t, const weft_graph *g, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    double least = INFINITY, first = INFINITY;
    int best = -1;
    char text[WEFT_WAY_TEXT];
    for (int i = 0; i < count; i++) {
        double s;
        const weft_result r = weft_vk_trial(t->dev, g, n, &ways[i], least * HOPELESS, &s);
        if (r != WEFT_OK) weft_log(t->dev->ctx, WEFT_LOG_WARN, "tuning %s, %s: %s", n->name, weft_way_text(&ways[i], text), weft_error_text());
        if (r == WEFT_ERR_DEVICE_LOST) return t->measure = false, 0; // the session will say so
        if (r != WEFT_OK) continue;
        weft_log(t->dev->ctx, WEFT_LOG_DEBUG, "tuning %s: %s %lld us", n->name, weft_way_text(&ways[i], text), (long long) (s * 1e6));
        if (i == 0) first = s;
        if (s < least) least = s, best = i;
    }
    if (best < 0) return 0;
    weft_way_text(&ways[best], text);
    if (note(t, key, strlen(key), text, strlen(text), (uint64_t) (least * 1e9)) == WEFT_OK) t->changed = true;
    weft_log(t->dev->ctx, WEFT_LOG_INFO, "tuned %s: %s, %lld us (as guessed: %lld)", n->name, text, (long long) (least * 1e6),
             (long long) (fmin(first, 1e9) * 1e6));
    return best;
}

int weft_vk_tuner_choose(void *tuning, const weft_node *n, const char *key, const weft_way *ways, int count)
{
    const weft_vk_tuning *u = tuning;
    weft_vk_tuner *t = u->tuner;
    weft_way left[WEFT_MAX_WAYS];
    int which[WEFT_MAX_WAYS] = { 0 };
    pthread_mutex_lock(&t->lock);
    count = without_refused(t, key, ways, count, left, which);
    int way = known(t, key, left, count);
    if (way < 0) way = t->measure ? measure(t, u->physical, n, key, left, count) : 0;
    pthread_mutex_unlock(&t->lock);
    return which[way]; // the first, where none is left
}
