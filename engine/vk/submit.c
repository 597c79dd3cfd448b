// SPDX-License-Identifier: MIT
#include "vk/submit.h"
#include "base/clock.h"

static const double HOLD_SECONDS = 0.05; // desktops share the device, and watchdogs reset it after some seconds
static const double CHUNK_SECONDS = 0.006; // an eighth of that

double weft_vk_chunk_cost(const weft_vk_device *dev) { return CHUNK_SECONDS * atomic_load(&dev->rate); }

weft_result weft_vk_queue_create(weft_vk_device *dev, weft_vk_queue *out)
{
    *out = (weft_vk_queue) { .dev = dev };
    const VkCommandPoolCreateInfo pool = { VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL, VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, dev->family };
    const VkFenceCreateInfo fence = { VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, NULL, 0 };
    VK_TRY(&dev->vk, vkCreateCommandPool, dev->device, &pool, NULL, &out->pool);
    for (int i = 0; i < 2; i++) VK_TRY(&dev->vk, vkCreateFence, dev->device, &fence, NULL, &out->fence[i]);
    return WEFT_OK;
}

void weft_vk_queue_destroy(weft_vk_queue *q)
{
    weft_vk_device *dev = q->dev;
    if (!dev) return;
    for (int i = 0; i < 2; i++)
        if (q->fence[i]) dev->vk.vkDestroyFence(dev->device, q->fence[i], NULL);
    if (q->pool) dev->vk.vkDestroyCommandPool(dev->device, q->pool, NULL);
    *q = (weft_vk_queue) { 0 };
}

weft_result weft_vk_queue_commands(weft_vk_queue *q, int count, VkCommandBuffer *out)
{
    const VkCommandBufferAllocateInfo info = { VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, q->pool, VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                               (uint32_t) count };
    VK_TRY(&q->dev->vk, vkAllocateCommandBuffers, q->dev->device, &info, out);
    return WEFT_OK;
}

static weft_result submit(weft_vk_queue *q, const weft_vk_line *line, int64_t first, int count, VkFence fence)
{
    weft_vk_device *dev = q->dev;
    const double begin = weft_seconds();
    for (int i = 0; i < count; i++) line->list[i] = line->chunks[(first + i) % line->count].cmd;
    const VkSubmitInfo info = { VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = (uint32_t) count, .pCommandBuffers = line->list };
    VkResult r;
    pthread_mutex_lock(&dev->queue_lock);
    VK_SET(r, &dev->vk, vkQueueSubmit, dev->queue, 1, &info, fence);
    pthread_mutex_unlock(&dev->queue_lock);
    q->submit_seconds += weft_seconds() - begin;
    return r == VK_SUCCESS ? WEFT_OK : weft_vk_fail(r, "vkQueueSubmit");
}

static weft_result wait(weft_vk_queue *q, VkFence fence)
{
    weft_vk_device *dev = q->dev;
    VK_TRY(&dev->vk, vkWaitForFences, dev->device, 1, &fence, VK_TRUE, UINT64_MAX);
    VK_TRY(&dev->vk, vkResetFences, dev->device, 1, &fence);
    return WEFT_OK;
}

// After a failure: nothing may run any more when its memory is freed. The error text of the failure is kept.
static void drain(weft_vk_queue *q)
{
    pthread_mutex_lock(&q->dev->queue_lock);
    q->dev->vk.vkDeviceWaitIdle(q->dev->device);
    pthread_mutex_unlock(&q->dev->queue_lock);
}

static void learn(weft_vk_device *dev, double cost, double seconds)
{
    if (dev->rate_fixed || seconds < 0.002 || !(cost > 0)) return; // mostly overhead, or work that is not counted
    const double old = atomic_load(&dev->rate);
    atomic_store(&dev->rate, old + 0.3 * (cost / seconds - old));
}

typedef struct flight { // a submission under way
    double cost;
    int chunks;
} flight;

// Whether the chunk after the first `count` of a submission may join them. What costs nothing always may.
static bool joins(const weft_vk_queue *q, const weft_vk_line *line, int64_t next, int count, double cost)
{
    const double most = HOLD_SECONDS * atomic_load(&q->dev->rate);
    const int at = (int) ((next + count) % line->count);
    double more = line->chunks[at].cost;
    if (count == line->most) return false;
    if (!line->whole) return !(cost > 0) || !(more > 0) || cost + more <= most;
    if (at) return true;
    for (int i = 1; i < line->count; i++) more += line->chunks[i].cost;
    return count + line->count <= line->most && cost + more <= most;
}

// Whether states have begun to change in the time of which only the chunks before `next` were submitted.
static bool half_done(const weft_vk_line *line, int64_t next)
{
    for (int i = 0; i < next % line->count; i++)
        if (line->chunks[i].changes) return true;
    return false;
}

static weft_result run(weft_vk_queue *q, const weft_vk_line *line, int (*progress)(void *, double), void *user)
{
    double total = 0, done = 0, before = weft_seconds();
    flight air[2];
    int64_t next = 0, end = line->times < INT64_MAX / line->count ? line->times * line->count : INT64_MAX / line->count * line->count; // whole times
    int submitted = 0, landed = 0;
    bool stop = false;
    for (int i = 0; i < line->count; i++) total += line->chunks[i].cost * (double) line->times;
    while (next < end || landed < submitted) {
        while (next < end && submitted - landed < 2) { // the second waits behind the first, so that the device does not
            flight f = { line->chunks[next % line->count].cost, 1 };
            while (next + f.chunks < end && joins(q, line, next, f.chunks, f.cost)) f.cost += line->chunks[(next + f.chunks++) % line->count].cost;
            WEFT_TRY(submit(q, line, next, f.chunks, q->fence[submitted % 2]));
            air[submitted++ % 2] = f;
            next += f.chunks;
        }
        WEFT_TRY(wait(q, q->fence[landed % 2]));
        const double at = weft_seconds();
        learn(q->dev, air[landed % 2].cost, at - before);
        before = at;
        done += air[landed++ % 2].cost;
        q->submissions = submitted;
        q->times_done = next / line->count;
        if (stop || !progress || !progress(user, total > 0 && done < total ? done / total : 1)) continue;
        stop = true;
        if (!half_done(line, next)) break;
        end = (next / line->count + 1) * line->count;
    }
    return stop ? weft_fail(WEFT_ERR_CANCELLED, "stopped by the progress callback") : WEFT_OK;
}

weft_result weft_vk_queue_run(weft_vk_queue *q, const weft_vk_line *line, int (*progress)(void *, double), void *user)
{
    q->submissions = 0, q->submit_seconds = 0;
    q->times_done = 0;
    const weft_result r = run(q, line, progress, user);
    if (r == WEFT_OK) return r;
    drain(q);
    q->dev->vk.vkResetFences(q->dev->device, 2, q->fence); // some may have signalled unseen
    return r;
}

weft_result weft_vk_queue_once(weft_vk_queue *q, VkCommandBuffer cmd)
{
    VkCommandBuffer list[1];
    return weft_vk_queue_run(q, &(weft_vk_line) { &(weft_vk_chunk) { cmd, 0, false }, 1, 1, true, list, 1 }, NULL, NULL);
}
