// SPDX-License-Identifier: MIT
// Barriers, the memory that causes some of them, and slices are plain data: decided without a device.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "graph/lower.h"
#include "graph/model.h"
#include "graph/place.h"
#include "vk/hazard.h"
#include "vk/slice.h"
#include <string.h>

static weft_context *ctx;

static int set_up(void **state) { return (void) state, weft_context_create(NULL, &ctx); }
static int tear_down(void **state) { return (void) state, weft_context_destroy(&ctx), 0; }

static void a_read_after_a_write_needs_visibility(void **state)
{
    (void) state;
    weft_vk_hazards h = { 0 };
    const weft_vk_range wrote = { 0, 256, 512, true }, reads = { 0, 500, 600, false }, beside = { 0, 512, 600, false }, other = { 1, 256, 512, false };
    assert_int_equal(weft_vk_hazard_add(ctx, &h, &wrote, 1), WEFT_OK);
    assert_int_equal(weft_vk_hazard_check(&h, &reads, 1), WEFT_VK_VISIBLE);
    assert_int_equal(weft_vk_hazard_check(&h, &beside, 1), WEFT_VK_NO_BARRIER);
    assert_int_equal(weft_vk_hazard_check(&h, &other, 1), WEFT_VK_NO_BARRIER);
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 0, 257, true }, 1), WEFT_VK_VISIBLE);
    weft_vk_hazard_free(ctx, &h);
}

static void a_write_after_a_read_needs_order_alone(void **state)
{
    (void) state;
    weft_vk_hazards h = { 0 };
    const weft_vk_range first[] = { { 0, 0, 256, true }, { 0, 256, 512, false } };
    assert_int_equal(weft_vk_hazard_add(ctx, &h, first, 2), WEFT_OK);
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 256, 512, true }, 1), WEFT_VK_ORDER);
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 256, 512, false }, 1), WEFT_VK_NO_BARRIER);
    weft_vk_hazard_passed(&h, WEFT_VK_ORDER); // the read is done, the write is not yet visible
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 256, 512, true }, 1), WEFT_VK_NO_BARRIER);
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 0, 256, false }, 1), WEFT_VK_VISIBLE);
    weft_vk_hazard_passed(&h, WEFT_VK_VISIBLE);
    assert_int_equal(weft_vk_hazard_check(&h, &(weft_vk_range) { 0, 0, 256, true }, 1), WEFT_VK_NO_BARRIER);
    weft_vk_hazard_free(ctx, &h);
}

// Random steps: with the barriers that were asked for, no two conflicting accesses stand side by side.
static void random_steps_are_separated_and_no_barrier_is_idle(void **state)
{
    (void) state;
    enum { STEPS = 300, CELLS = 40 };
    weft_vk_hazards h = { 0 };
    weft_random rng = { 7 };
    int dirty[CELLS] = { 0 }, read[CELLS] = { 0 }; // bytes with writes not visible, reads not done
    for (int s = 0; s < STEPS; s++) {
        weft_vk_range touched[3];
        bool visible = false, order = false;
        for (int k = 0; k < 3; k++) {
            const size_t a = weft_random_u32(&rng) % CELLS, n = 1 + weft_random_u32(&rng) % 6;
            touched[k] = (weft_vk_range) { 0, a, a + n < CELLS ? a + n : CELLS, k == 0 };
            for (size_t c = touched[k].begin; c < touched[k].end; c++) visible |= dirty[c], order |= touched[k].writes && read[c];
        }
        const weft_vk_barrier need = weft_vk_hazard_check(&h, touched, 3);
        assert_int_equal(need, visible ? WEFT_VK_VISIBLE : order ? WEFT_VK_ORDER : WEFT_VK_NO_BARRIER);
        weft_vk_hazard_passed(&h, need);
        if (need != WEFT_VK_NO_BARRIER) memset(read, 0, sizeof read);
        if (need == WEFT_VK_VISIBLE) memset(dirty, 0, sizeof dirty);
        assert_int_equal(weft_vk_hazard_add(ctx, &h, touched, 3), WEFT_OK);
        for (int k = 0; k < 3; k++)
            for (size_t c = touched[k].begin; c < touched[k].end; c++) *(touched[k].writes ? &dirty[c] : &read[c]) = 1;
    }
    weft_vk_hazard_free(ctx, &h);
}

typedef struct placed {
    weft_graph graph;
    weft_program program;
    weft_life *lives;
} placed;

// Barriers of a run; `own`: as if every tensor had memory of its own.
static int barriers(const placed *p, bool own)
{
    weft_vk_hazards h = { 0 };
    int count = 0;
    for (int i = 0; i < p->program.step_count; i++) {
        const weft_dispatch *d = &p->program.steps[i].dispatch;
        weft_vk_range touched[WEFT_MAX_BIND];
        int n = 0;
        for (int k = 0; k < d->bind_count; k++) {
            int b = d->bind[k].index;
            while (p->program.buffers[b].same_as >= 0) b = p->program.buffers[b].same_as;
            if (p->program.buffers[b].constant) continue;
            const size_t at = own ? 0 : p->lives[b].offset;
            const size_t begin = at + d->bind[k].begin, bytes = d->bind[k].count ? d->bind[k].count : p->program.buffers[b].bytes;
            touched[n++] = (weft_vk_range) { own ? b : 0, begin, begin + bytes, d->bind[k].writes };
        }
        const weft_vk_barrier need = weft_vk_hazard_check(&h, touched, n);
        count += need != WEFT_VK_NO_BARRIER;
        weft_vk_hazard_passed(&h, need);
        assert_int_equal(weft_vk_hazard_add(ctx, &h, touched, n), WEFT_OK);
    }
    weft_vk_hazard_free(ctx, &h);
    return count;
}

static weft_result place(const weft_model *m, const char *entry, bool tight, weft_arena *a, placed *out)
{
    const weft_caps caps = { .max_group = 128, .shared_bytes = 16384 };
    const weft_place_params params = { 256, (size_t) 1 << 31, false, tight };
    weft_graph bound, lowered;
    weft_plan plan;
    int64_t dims[8];
    const int e = weft_model_find_entry(m, entry);
    weft_graph_init(&bound, a);
    weft_graph_init(&lowered, a);
    weft_graph_init(&out->graph, a);
    WEFT_TRY(weft_model_bind_dims(m, e, NULL, 0, dims));
    WEFT_TRY(weft_pass_bind(&m->entries[e].graph, dims, &bound));
    WEFT_TRY(weft_lower_device(&bound, ctx->pool, true, &lowered));
    WEFT_TRY(weft_pass_physical(&lowered, WEFT_HALF_NONE, &out->graph));
    WEFT_TRY(weft_program_build(&out->graph, &caps, NULL, a, &out->program));
    out->lives = weft_arena_new(a, sizeof *out->lives * (size_t) out->program.buffer_count);
    return out->lives ? weft_program_plan(&out->program, &out->graph, NULL, &params, out->lives, &plan) : WEFT_ERR_MEMORY;
}

static void memory_is_not_used_again_so_soon_that_it_costs_barriers(void **state)
{
    weft_arena arena = { .ctx = ctx };
    weft_model *m;
    placed p, tight;
    (void) state;
    assert_int_equal(weft_model_load(ctx, "samples/data/garment-generator.weft", &m), WEFT_OK);
    assert_int_equal(place(m, "synthesis_noise", false, &arena, &p), WEFT_OK);
    assert_int_equal(place(m, "synthesis_noise", true, &arena, &tight), WEFT_OK);
    const int least = barriers(&p, true), planned = barriers(&p, false), without = barriers(&tight, false);
    assert_true(least < p.program.step_count); // styles do not depend on each other
    assert_true(planned >= least && planned <= least + least / 20 && planned < without);
    weft_arena_free(&arena);
    weft_model_destroy(&m);
}

static const uint32_t most[3] = { 65535, 65535, 65535 };

static weft_result slice(weft_arena *arena, weft_dispatch d, double flops, double limit, weft_vk_slices *out)
{
    static const weft_op op = { .name = "op" };
    static const weft_node node = { .op = &op, .name = "big" };
    weft_buffer buffer = { .bytes = 4 };
    weft_step step = { .node = &node, .dispatch = d, .variant = "f32", .flops = flops };
    weft_program p = { &buffer, 1, &step, 1 };
    return weft_vk_slice(&p, limit, most, arena, out);
}

static void slices_cover_every_workgroup_once(void **state)
{
    (void) state;
    const weft_dispatch shapes[] = {
        { .kernel = "k", .grid = { 1, 1, 1 }, .group = { 64, 1, 1 } },
        { .kernel = "k", .grid = { 6500, 1, 1 }, .group = { 64, 1, 1 } },
        { .kernel = "k", .grid = { 64 * 32768, 1, 1 }, .group = { 64, 1, 1 } },
        { .kernel = "k", .grid = { 64 * 32768 + 1, 1, 1 }, .group = { 64, 1, 1 } },
        { .kernel = "k", .grid = { 130, 37, 5 }, .group = { 8, 8, 1 } },
        { .kernel = "k", .grid = { 17, 3, 1 }, .group = { 1, 1, 1 } },
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (double limit = 1e5; limit < 1e9; limit *= 7) {
            weft_arena arena = { .ctx = ctx };
            weft_vk_slices out;
            const weft_dispatch *d = &shapes[s];
            assert_int_equal(slice(&arena, *d, 1e7, limit, &out), WEFT_OK);
            uint64_t covered = 0, want = 1;
            int chunks = 0;
            double sum = 0;
            for (int i = 0; i < out.piece_count; i++) {
                const weft_vk_piece *p = &out.pieces[i];
                covered += (uint64_t) p->size[0] * p->size[1] * p->size[2];
                for (int k = 0; k < 3; k++) assert_true(p->size[k] > 0);
                for (int k = 0; i && k < 3; k++) { // each begins where the one before ends
                    const weft_vk_piece *q = &out.pieces[i - 1];
                    assert_true(p->base[k] == q->base[k] || p->base[k] == q->base[k] + q->size[k]);
                }
                if (p->starts_chunk) chunks++, sum = 0;
                sum += p->cost;
                assert_true(sum <= limit || p->starts_chunk);
                assert_int_equal(p->sliced, out.piece_count > 1);
            }
            assert_int_equal(chunks, out.chunk_count);
            for (int k = 0; k < 3; k++) want *= (d->grid[k] + d->group[k] - 1) / d->group[k];
            const bool folded = d->grid[1] == 1 && d->grid[0] > 64 * 32768;
            assert_int_equal(covered, folded ? (want + 32767) / 32768 * 32768 : want);
            assert_true(out.piece_count == 1 || limit < 2e7);
            weft_arena_free(&arena);
        }
}

static void a_grid_beyond_the_device_is_refused_by_name(void **state)
{
    (void) state;
    weft_arena arena = { .ctx = ctx };
    weft_vk_slices out;
    assert_int_equal(slice(&arena, (weft_dispatch) { .kernel = "k", .grid = { 8, 65536, 2 }, .group = { 8, 1, 1 } }, 1, 1e9, &out), WEFT_ERR_UNSUPPORTED);
    assert_non_null(strstr(weft_error_text(), "'big'"));
    weft_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_after_a_write_needs_visibility),
        cmocka_unit_test(a_write_after_a_read_needs_order_alone),
        cmocka_unit_test(random_steps_are_separated_and_no_barrier_is_idle),
        cmocka_unit_test(memory_is_not_used_again_so_soon_that_it_costs_barriers),
        cmocka_unit_test(slices_cover_every_workgroup_once),
        cmocka_unit_test(a_grid_beyond_the_device_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
