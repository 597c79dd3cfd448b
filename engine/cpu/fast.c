// SPDX-License-Identifier: MIT
// The table of fast operators. Without oneDNN at build time the library-backed ones are not in it, and the truth runs.
#include "cpu/fast.h"
#include <string.h>
#ifdef WEFT_DNNL
#include <oneapi/dnnl/dnnl_version.h>
#define TEXT(x) #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
#endif

extern const weft_cpu_fast weft_cpu_fast_point, weft_cpu_fast_point_transposed, weft_cpu_fast_few_rows_matmul, weft_cpu_fast_few_rows_linear,
    weft_cpu_fast_winograd, weft_cpu_fast_winograd_transposed, weft_cpu_fast_conv2d, weft_cpu_fast_conv_transpose2d, weft_cpu_fast_conv_weights, weft_cpu_fast_matmul, weft_cpu_fast_linear,
    weft_cpu_fast_lstm, weft_cpu_fast_products, weft_cpu_fast_upfirdn2d, weft_cpu_fast_bias_act, weft_cpu_fast_bias_act_grad, weft_cpu_fast_bias_act_back, weft_cpu_fast_sum, weft_cpu_fast_mean,
    weft_cpu_fast_sum_product, weft_cpu_fast_sdpa, weft_cpu_fast_sdpa_grad, weft_cpu_fast_lstm_back,
    weft_cpu_fast_instance_norm, weft_cpu_fast_group_norm, weft_cpu_fast_norm_grad, weft_cpu_fast_batch_norm,
    weft_cpu_fast_layer_norm, weft_cpu_fast_softmax, weft_cpu_fast_max_pool2d, weft_cpu_fast_avg_pool2d, weft_cpu_fast_resample, weft_cpu_fast_elu,
    weft_cpu_fast_sigmoid, weft_cpu_fast_tanh, weft_cpu_fast_silu, weft_cpu_fast_quick_gelu, weft_cpu_fast_sum_square, weft_cpu_fast_l2_norm,
    weft_cpu_fast_max_pool2d_grad;

static const weft_cpu_fast *const table[] = {
    &weft_cpu_fast_point,
    &weft_cpu_fast_point_transposed,
    &weft_cpu_fast_few_rows_matmul,
    &weft_cpu_fast_few_rows_linear,
#ifdef WEFT_DNNL
    &weft_cpu_fast_winograd,
    &weft_cpu_fast_winograd_transposed,
    &weft_cpu_fast_conv2d,
    &weft_cpu_fast_conv_transpose2d,
    &weft_cpu_fast_conv_weights,
    &weft_cpu_fast_matmul,
    &weft_cpu_fast_linear,
    &weft_cpu_fast_lstm,
    &weft_cpu_fast_lstm_back,
    &weft_cpu_fast_sdpa,
    &weft_cpu_fast_sdpa_grad,
#endif
    &weft_cpu_fast_products,
    &weft_cpu_fast_upfirdn2d,
    &weft_cpu_fast_bias_act,
    &weft_cpu_fast_bias_act_grad,
    &weft_cpu_fast_bias_act_back,
    &weft_cpu_fast_sum,
    &weft_cpu_fast_instance_norm,
    &weft_cpu_fast_group_norm,
    &weft_cpu_fast_norm_grad,
    &weft_cpu_fast_batch_norm,
    &weft_cpu_fast_layer_norm,
    &weft_cpu_fast_mean,
    &weft_cpu_fast_sum_product,
    &weft_cpu_fast_sum_square,
    &weft_cpu_fast_l2_norm,
    &weft_cpu_fast_softmax,
    &weft_cpu_fast_max_pool2d,
    &weft_cpu_fast_avg_pool2d,
    &weft_cpu_fast_max_pool2d_grad,
    &weft_cpu_fast_resample,
    &weft_cpu_fast_elu,
    &weft_cpu_fast_sigmoid,
    &weft_cpu_fast_tanh,
    &weft_cpu_fast_silu,
    &weft_cpu_fast_quick_gelu,
    NULL
};

const char *weft_cpu_fast_library(void)
{
#ifdef WEFT_DNNL
    return "oneDNN " VERSION(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
#else
    return "none";
#endif
}

const weft_cpu_fast *weft_cpu_fast_next(const char *op, const weft_cpu_fast *after)
{
    int i = 0;
    if (after)
        while (table[i++] != after) {}
    while (table[i] && strcmp(table[i]->op, op)) i++;
    return table[i];
}
