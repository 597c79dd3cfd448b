// SPDX-License-Identifier: MIT
#include "graph/shape.h"
#include <stdio.h>

const char *weft_shape_text(weft_shape s, char text[WEFT_SHAPE_TEXT])
{
    int n = snprintf(text, WEFT_SHAPE_TEXT, "[");
    for (int i = 0; i < s.rank && n < WEFT_SHAPE_TEXT - 24; i++)
        n += snprintf(text + n, WEFT_SHAPE_TEXT - (size_t) n, i ? ", %lld" : "%lld", (long long) s.dim[i]);
    snprintf(text + n, WEFT_SHAPE_TEXT - (size_t) n, "]");
    return text;
}

weft_result weft_shape_check(weft_shape s, const char *what)
{
    char text[WEFT_SHAPE_TEXT];
    int64_t n = 1;
    if (s.rank < 0 || s.rank > WEFT_MAX_RANK)
        return weft_fail(WEFT_ERR_ARGUMENT, "%s: rank %d is not 0..%d", what, s.rank, WEFT_MAX_RANK);
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] < 1)
            return weft_fail(WEFT_ERR_ARGUMENT, "%s: dimension %d of %s is not positive", what, i, weft_shape_text(s, text));
        if (s.dim[i] > ((int64_t) 1 << 40) / n)
            return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: %s has more than 2^40 elements", what, weft_shape_text(s, text));
        n *= s.dim[i];
    }
    return WEFT_OK;
}

bool weft_shape_broadcast(weft_shape a, weft_shape b, weft_shape *out)
{
    out->rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 0; i < out->rank; i++) {
        const int ia = i - out->rank + a.rank, ib = i - out->rank + b.rank;
        const int64_t da = ia < 0 ? 1 : a.dim[ia], db = ib < 0 ? 1 : b.dim[ib];
        if (da != db && da != 1 && db != 1) return false;
        out->dim[i] = da == 1 ? db : da;
    }
    return true;
}

void weft_shape_stretch(weft_shape s, const int64_t stride[WEFT_MAX_RANK], weft_shape to, int64_t out[WEFT_MAX_RANK])
{
    for (int i = 0; i < to.rank; i++) {
        const int k = i - to.rank + s.rank;
        out[i] = k < 0 || s.dim[k] == 1 ? 0 : stride[k];
    }
}
