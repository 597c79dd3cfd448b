// SPDX-License-Identifier: MIT
// Placeholder until the reader lands.
#include "graph/model.h"
weft_result weft_model_read(weft_context *ctx, const void *data, size_t bytes, const char *name, weft_model **out) { (void) ctx, (void) data, (void) bytes, (void) out; return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: reading is not there yet", name); }
