// SPDX-License-Identifier: MIT
// Placeholder until the writer lands.
#include "graph/model.h"
weft_result weft_model_write(const weft_model *m, const char *path) { (void) m; return weft_fail(WEFT_ERR_UNSUPPORTED, "%s: writing is not there yet", path); }
