// SPDX-License-Identifier: MIT
// Models by name: those that are installed with the program.
#pragma once
#include "command.h"

// Looks for a bundled model beside the program: as installed, then as built in the source tree.
bool find_bundled(const char *name, char *path, size_t room);

// Loads a .weft file or a bundled model; a failure is printed. CODE_OK or the exit code.
int load_named_model(const call *c, const char *name, weft_model **out);
