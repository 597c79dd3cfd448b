// SPDX-License-Identifier: MIT
// Devices: listing, choosing, refusing; the pipeline cache on disk; two contexts on two threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "small_net.h"
#include "vk/cache.h"
#include "vk/choose.h"
#include "vk/quirks.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct listing {
    int count, vulkan, usable;
    weft_device_info first; // the first usable Vulkan device
    char name[256], type[32];
} listing;

static _Atomic int messages;
static char last_message[2048];
static weft_context *ctx;
static weft_model *model;
static listing all;

static void listen(void *user, weft_log_level level, const char *line)
{
    (void) user, (void) level;
    atomic_fetch_add(&messages, 1);
    snprintf(last_message, sizeof last_message, "%s", line);
}

static void see(void *user, const weft_device_info *info)
{
    listing *l = user;
    l->count++;
    if (info->kind != WEFT_DEVICE_VULKAN) return;
    assert_int_equal(info->index, l->vulkan);
    l->vulkan++;
    if (info->rejected || l->usable++) return;
    l->first = *info;
    snprintf(l->name, sizeof l->name, "%s", info->name);
    snprintf(l->type, sizeof l->type, "%s", info->type);
}

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .log = listen, .log_level = WEFT_LOG_WARN }, &ctx)) return 1;
    if (weft_device_list(ctx, see, &all)) return 1;
    return small_net(ctx, &model);
}

static int tear_down(void **state)
{
    (void) state;
    weft_model_destroy(&model);
    weft_context_destroy(&ctx);
    return 0;
}

static void need_vulkan(void)
{
    if (all.usable) return;
    print_message("skipped: there is no Vulkan device\n");
    skip();
}

static void the_list_begins_with_the_two_on_the_processor(void **state)
{
    (void) state;
    assert_true(all.count >= 2);
    assert_int_equal(all.count, all.vulkan + 2);
}

static weft_result open_name(const char *name, weft_device **dev) { return weft_device_open(ctx, &(weft_device_params) { .name = name }, dev); }

static void a_device_is_found_by_index_part_of_name_and_uuid(void **state)
{
    (void) state;
    need_vulkan();
    char by_index[8], by_name[64], by_uuid[40];
    snprintf(by_index, sizeof by_index, "%d", all.first.index);
    snprintf(by_name, sizeof by_name, "%.5s", all.name + 1);
    for (char *c = by_name; *c; c++) *c = *c >= 'a' && *c <= 'z' ? (char) (*c - 32) : *c; // case does not matter
    for (int i = 0; i < 16; i++) snprintf(by_uuid + 2 * i, 3, "%02x", all.first.uuid[i]);
    const char *const names[] = { by_index, by_name, by_uuid, "vulkan" };
    for (int i = 0; i < 4; i++) {
        weft_device *dev = NULL;
        assert_int_equal(open_name(names[i], &dev), WEFT_OK);
        assert_int_equal(weft_device_get_info(dev)->kind, WEFT_DEVICE_VULKAN);
        assert_int_equal(weft_device_get_info(dev)->index, all.first.index);
        weft_device_destroy(&dev);
    }
}

static void a_name_nobody_has_is_refused_with_every_reason(void **state)
{
    (void) state;
    weft_device *dev = NULL;
    assert_int_equal(open_name("no such device", &dev), WEFT_ERR_NO_DEVICE);
    assert_non_null(strstr(weft_error_text(), all.vulkan ? "does not match" : "no"));
    if (all.usable) assert_non_null(strstr(weft_error_text(), all.name));
    assert_int_equal(open_name("97", &dev), WEFT_ERR_NO_DEVICE);
    assert_null(dev);
}

static void auto_prefers_the_processor_to_a_software_driver(void **state)
{
    (void) state;
    weft_device *dev = NULL;
    assert_int_equal(open_name(NULL, &dev), WEFT_OK);
    const bool gpu = all.usable && strcmp(all.type, "software") != 0;
    assert_int_equal(weft_device_get_info(dev)->kind, gpu ? WEFT_DEVICE_VULKAN : WEFT_DEVICE_CPU);
    weft_device_destroy(&dev);
}

static void rejected_candidates_are_passed_over_and_named(void **state)
{
    (void) state;
    weft_vk_candidate list[3] = { { .usable = false, .name = "Old Card", .rejected = "its driver has Vulkan 1.0" },
                                  { .usable = true, .name = "New Card" }, { .usable = true, .name = "Slow card" } };
    const weft_vk_candidate *c = NULL;
    list[2].info.uuid[0] = 0xab;
    assert_int_equal(weft_vk_choose(list, 3, "auto", &c), WEFT_OK);
    assert_ptr_equal(c, &list[1]);
    assert_int_equal(weft_vk_choose(list, 3, "CARD", &c), WEFT_OK);
    assert_ptr_equal(c, &list[1]);
    assert_int_equal(weft_vk_choose(list, 3, "slow", &c), WEFT_OK);
    assert_ptr_equal(c, &list[2]);
    assert_int_equal(weft_vk_choose(list, 3, "ab000000-0000-0000-0000-000000000000", &c), WEFT_OK);
    assert_ptr_equal(c, &list[2]);
    assert_int_equal(weft_vk_choose(list, 3, "2", &c), WEFT_OK);
    assert_ptr_equal(c, &list[2]);
    assert_int_equal(weft_vk_choose(list, 3, "0", &c), WEFT_ERR_NO_DEVICE);
    assert_non_null(strstr(weft_error_text(), "Vulkan 1.0"));
    assert_int_equal(weft_vk_choose(list, 1, "vulkan", &c), WEFT_ERR_NO_DEVICE);
    assert_int_equal(weft_vk_choose(list, 0, "vulkan", &c), WEFT_ERR_NO_DEVICE);
}

// As a loader may list them; two GPUs of a class stay as they are.
static void faster_devices_come_first(void **state)
{
    (void) state;
    const VkPhysicalDeviceDriverProperties swiftshader = { .driverID = VK_DRIVER_ID_GOOGLE_SWIFTSHADER },
        old = { .driverID = VK_DRIVER_ID_MESA_LLVMPIPE, .driverInfo = "Mesa 22.3.6 (LLVM 15.0.6)" },
        new = { .driverID = VK_DRIVER_ID_MESA_LLVMPIPE, .driverInfo = "Mesa 25.0.7 (LLVM 19.1.7)" },
        radv = { .driverID = VK_DRIVER_ID_MESA_RADV, .driverInfo = "Mesa 25.0.7" }, other = { .driverID = VK_DRIVER_ID_NVIDIA_PROPRIETARY };
    const struct { const char *name; int speed_class; const VkPhysicalDeviceDriverProperties *driver; } listed[] = {
        { "swiftshader", 4, &swiftshader }, { "old", 4, &old }, { "laptop", 1, &radv }, { "first card", 0, &radv }, { "new", 4, &new }, { "second card", 0, &other },
    };
    static const char *const want[] = { "first card", "second card", "laptop", "new", "old", "swiftshader" };
    weft_vk_candidate list[6];
    memset(list, 0, sizeof list);
    for (int i = 0; i < 6; i++) {
        list[i].speed_class = listed[i].speed_class, list[i].rank = weft_vk_driver_rank(listed[i].driver), list[i].usable = i != 1;
        snprintf(list[i].name, sizeof list[i].name, "%s", listed[i].name);
        snprintf(list[i].rejected, sizeof list[i].rejected, "why %s", listed[i].name);
    }
    weft_vk_order(list, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(list[i].info.name, want[i]);
        assert_int_equal(list[i].info.index, i);
        assert_true(!list[i].usable == !!list[i].info.rejected);
    }
    assert_string_equal(list[4].info.rejected, "why old");
}

// One run on a device with this cache file; gives the log lines it cost.
static int run_with_cache(const char *path, const net_data *want)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    net_data got;
    const int before = atomic_load(&messages);
    net_fill(&got);
    assert_int_equal(weft_device_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = path }, &dev), WEFT_OK);
    assert_int_equal(weft_session_create(dev, model, NULL, &s), WEFT_OK);
    assert_int_equal(net_run(s, &got), WEFT_OK);
    assert_true(net_equal(&got, want, 1e-5));
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    return atomic_load(&messages) - before;
}

static void damage(const char *path, long at, bool cut)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    if (cut) assert_int_equal(ftruncate(fileno(f), at), 0);
    else {
        fseek(f, at, SEEK_SET);
        const int c = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(c ^ 1, f);
    }
    fclose(f);
}

static void the_pipeline_cache_survives_what_is_done_to_it(void **state)
{
    (void) state;
    need_vulkan();
    net_data want;
    char folder[] = "/tmp/weft-cache-XXXXXX", path[64];
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    assert_int_equal(net_reference(ctx, model, &want), WEFT_OK);
    assert_int_equal(run_with_cache(path, &want), 0); // not there yet: nothing to say
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 64);
    assert_int_equal(run_with_cache(path, &want), 0);
    const struct { long at; bool cut; const char *says; } harm[] = {
        { 10, true, "cut off" }, { 0, false, "no pipeline cache" }, { 9, false, "damaged" }, { 28, false, "damaged" }, { 50, false, "cut off" },
        { 58, false, "damaged" }, { 0, true, "empty" }, { st.st_size - 1, true, "cut off" }, { st.st_size - 1, false, "damaged" },
    };
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        damage(path, harm[i].at, harm[i].cut);
        assert_int_equal(run_with_cache(path, &want), 1);
        assert_non_null(strstr(last_message, harm[i].says));
        assert_int_equal(run_with_cache(path, &want), 0); // written anew
    }
    remove(path);
    rmdir(folder);
    assert_int_equal(run_with_cache(path, &want), 1); // nowhere to write
    assert_non_null(strstr(last_message, "not saved"));
}

static PFN_vkGetPhysicalDeviceProperties true_properties;
static VKAPI_ATTR void VKAPI_CALL other_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out)
{
    true_properties(device, out);
    out->pipelineCacheUUID[3] ^= 0x55; // as if its driver were another
}

static size_t load_and_save(weft_vk_device *dev, weft_vk_form form)
{
    weft_vk_kept kept;
    weft_vk_cache_open(dev, form, &kept);
    const size_t bytes = kept.bytes;
    assert_true(!bytes || (bytes == 3 && !memcmp(kept.data, "ab", 3)));
    weft_vk_cache_close(&kept);
    if (!bytes) weft_vk_cache_write(dev, form, "ab", 3);
    return bytes;
}

static void two_devices_share_a_cache_file(void **state)
{
    (void) state;
    need_vulkan();
    char folder[] = "/tmp/weft-cache-XXXXXX", path[64];
    weft_vk_device *dev = NULL;
    const int before = atomic_load(&messages);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    assert_int_equal(weft_vk_open(ctx, &(weft_device_params) { .name = "vulkan", .cache_path = path }, &dev), WEFT_OK);
    true_properties = dev->vk.vkGetPhysicalDeviceProperties;
    assert_int_equal(load_and_save(dev, WEFT_VK_PIPELINE_CACHE), 0); // no file
    dev->vk.vkGetPhysicalDeviceProperties = other_properties;
    assert_int_equal(load_and_save(dev, WEFT_VK_PIPELINE_CACHE), 0); // none for this one
    assert_true(load_and_save(dev, WEFT_VK_PIPELINE_CACHE) > 0);
    assert_int_equal(load_and_save(dev, WEFT_VK_BINARIES), 0); // nor in this form
    assert_true(load_and_save(dev, WEFT_VK_BINARIES) > 0);
    dev->vk.vkGetPhysicalDeviceProperties = true_properties;
    assert_true(load_and_save(dev, WEFT_VK_PIPELINE_CACHE) > 0); // still there
    damage(path, 7, false); // of another version of weft: nothing to say
    assert_int_equal(load_and_save(dev, WEFT_VK_PIPELINE_CACHE), 0);
    assert_true(load_and_save(dev, WEFT_VK_PIPELINE_CACHE) > 0);
    weft_vk_close(dev);
    assert_int_equal(atomic_load(&messages), before);
    remove(path);
    rmdir(folder);
}

typedef struct lane {
    weft_result result;
    bool same;
} lane;

static void *whole_life(void *arg) // a context, a device, two sessions: nothing shared with the other thread
{
    lane *l = arg;
    weft_context *own = NULL;
    weft_model *m = NULL;
    weft_device *dev = NULL;
    net_data want, got;
    l->result = weft_context_create(NULL, &own);
    if (l->result == WEFT_OK) l->result = small_net(own, &m);
    if (l->result == WEFT_OK) l->result = net_reference(own, m, &want);
    if (l->result == WEFT_OK) l->result = weft_device_open(own, &(weft_device_params) { .name = "vulkan" }, &dev);
    l->same = true;
    for (int i = 0; i < 2 && l->result == WEFT_OK; i++) {
        weft_session *s = NULL;
        net_fill(&got);
        l->result = weft_session_create(dev, m, NULL, &s);
        if (l->result == WEFT_OK) l->result = net_run(s, &got);
        l->same &= l->result == WEFT_OK && net_equal(&got, &want, 1e-5);
        weft_session_destroy(&s);
    }
    weft_device_destroy(&dev);
    weft_model_destroy(&m);
    weft_context_destroy(&own);
    return NULL;
}

static void two_contexts_on_two_threads_do_not_know_each_other(void **state)
{
    (void) state;
    need_vulkan();
    lane lanes[2];
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, whole_life, &lanes[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < 2; i++) assert_int_equal(lanes[i].result, WEFT_OK), assert_true(lanes[i].same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_begins_with_the_two_on_the_processor),
        cmocka_unit_test(a_device_is_found_by_index_part_of_name_and_uuid),
        cmocka_unit_test(a_name_nobody_has_is_refused_with_every_reason),
        cmocka_unit_test(auto_prefers_the_processor_to_a_software_driver),
        cmocka_unit_test(rejected_candidates_are_passed_over_and_named),
        cmocka_unit_test(faster_devices_come_first),
        cmocka_unit_test(the_pipeline_cache_survives_what_is_done_to_it),
        cmocka_unit_test(two_devices_share_a_cache_file),
        cmocka_unit_test(two_contexts_on_two_threads_do_not_know_each_other),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
