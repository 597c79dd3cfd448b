// SPDX-License-Identifier: MIT
// Named dimensions on the command line: --dim h=512.
#pragma once
#include "command.h"

enum { INPUTS_MOST = 64 };
#define DIM_OPTION(T) { "dim", 'D', OPTION_LIST, "NAME=SIZE", offsetof(T, dims), "a named dimension's size instead of its preset; may be given again" }

// The shapes of an entry's inputs with `dims` and the presets put in. Gives the count, or -1 with a failure printed in *code.
int bind_inputs(const call *c, const weft_model *m, int entry, const text_list *dims, weft_port_shape *shapes, int *code);

// The entry called `name` (NULL: the first); -1 with the failure printed.
int pick_entry(const call *c, const weft_model *m, const char *name);

// Loads the model at `path`; a failure is printed. CODE_OK or the exit code.
int load_model(const call *c, const char *path, weft_model **out);
