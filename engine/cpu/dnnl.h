// SPDX-License-Identifier: MIT
// What the versions on oneDNN share. Include within WEFT_DNNL.
#pragma once
#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#define WEFT_DNNL_TRY(call)                       \
    do {                                          \
        const dnnl_status_t r_ = (call);          \
        if (r_ != dnnl_success) return r_;        \
    } while (0)

static inline size_t weft_dnnl_room(const dnnl_memory_desc_t *d) { return (dnnl_memory_desc_get_size(d) + 63) / 64 * 64; }

// *out stays NULL where both are the same.
static inline dnnl_status_t weft_dnnl_reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to, dnnl_primitive_t *out)
{
    dnnl_primitive_desc_t pd;
    if (dnnl_memory_desc_equal(from, to)) return dnnl_success;
    WEFT_DNNL_TRY(dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL));
    const dnnl_status_t r = dnnl_primitive_create(out, pd);
    dnnl_primitive_desc_destroy(pd);
    return r;
}

static inline dnnl_status_t weft_dnnl_execute(dnnl_stream_t stream, dnnl_primitive_t p, int count, const dnnl_exec_arg_t *args)
{
    WEFT_DNNL_TRY(dnnl_primitive_execute(p, stream, count, args));
    return dnnl_stream_wait(stream);
}

static inline dnnl_status_t weft_dnnl_move(dnnl_stream_t stream, dnnl_primitive_t move, dnnl_memory_t from, dnnl_memory_t to)
{
    return weft_dnnl_execute(stream, move, 2, (dnnl_exec_arg_t[]) { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } });
}
