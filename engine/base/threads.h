// SPDX-License-Identifier: MIT
// A pool of threads for loops whose turns do not depend on each other. Built with OpenMP (as oneDNN is), it is OpenMP's
// team: a second set of threads would fight with the first, which spins for a while after each of its loops.
#pragma once
#include "base/context.h"

enum { WEFT_MAX_THREADS = 256 };

weft_pool *weft_pool_create(weft_context *ctx, int threads); // 0: one per processor. Fewer if the system gives fewer.
void weft_pool_destroy(weft_context *ctx, weft_pool *pool);
int weft_pool_threads(const weft_pool *pool);

// Calls work(user, begin, end) on pieces that cover [0, count), on several threads at once; returns when all are
// done. A piece is never smaller than `least`. One loop at a time per pool: a second caller waits. No nesting.
void weft_parallel(weft_pool *pool, int64_t count, int64_t least, void (*work)(void *user, int64_t begin, int64_t end),
                   void *user);

// Libraries with threads of their own (OpenMP) use as many as the pool on this thread, from adopt to restore.
int weft_pool_adopt(const weft_pool *pool); // gives what restore wants back
void weft_pool_restore(int before);
