// SPDX-License-Identifier: MIT
// Whole files: mapped for reading, replaced atomically for writing.
#pragma once
#include "base/context.h"

typedef struct weft_mapping { const void *data; size_t bytes; } weft_mapping;
weft_result weft_file_map(const char *path, weft_mapping *out); // an empty file maps to NULL, 0
void weft_file_unmap(weft_mapping *m);

// Writes beside `path` and renames when whole: readers see the old file or the new one. Links are followed; what is no regular file,
// such as a pipe or /dev/null, is written as it is. Several threads and processes may write the same file: the last one's stays.
// `write` gives the next bytes through weft_file_put and returns a result; on failure nothing is left behind.
typedef struct weft_file_writer weft_file_writer;
weft_result weft_file_replace(weft_context *ctx, const char *path, weft_result (*write)(weft_file_writer *w, void *user), void *user);
weft_result weft_file_put(weft_file_writer *w, const void *data, size_t bytes);
