// SPDX-License-Identifier: MIT
// Which photo goes with which mask to which file.
#pragma once
#include "command.h"

struct task { char *photo, *mask, *out; };
struct batch { struct task *task; int count, room; };

// From what -i, -m (perhaps none) and -o say. format: 0 as names end, 1 png, 2 jpg. CODE_OK or an exit code, with the failure printed.
int batch_make(const call *c, const text_list *in, const text_list *mask, const char *out, int format, struct batch *b);
void batch_free(struct batch *b);
