// SPDX-License-Identifier: MIT
// weft - run GAN image-editing networks on Vulkan. Core types: results, logging, allocation.
//
// Rules that hold for every function of this API, so they are said once:
//  - Errors.    Functions that can fail return weft_result and write outputs only on WEFT_OK.
//               The library never aborts, exits or prints; text goes to the log callback.
//  - Ownership. `x_create/x_load(..., &x)` gives you x; `x_destroy(&x)` frees it and sets it to
//               NULL; destroying a NULL is a no-op. Every pointer argument is borrowed for the
//               length of the call unless its comment says "kept" (and until when).
//  - Params.    `{0}` is a valid value of every *_params struct and means the defaults.
//  - Threads.   weft_context and weft_model: any thread. weft_device: any thread.
//               weft_session, weft_builder: one thread at a time.
//  - Shapes.    Written [n, c, h, w], slowest dimension first. Sizes in bytes end in `_bytes`,
//               times in `_ns`, everything else counts elements.
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_API_VERSION 1
#define WEFT_VERSION "0.1.0"

#if defined(WEFT_BUILDING) && defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

typedef enum weft_result {
    WEFT_OK              = 0,
    WEFT_ERR_MEMORY      = -1, // host allocation failed
    WEFT_ERR_VRAM        = -2, // device allocation failed or over weft_session_params.max_bytes
    WEFT_ERR_ARGUMENT    = -3, // the caller broke a documented precondition
    WEFT_ERR_FORMAT      = -4, // a file is not what it says it is
    WEFT_ERR_UNSUPPORTED = -5, // valid, but this build or device cannot do it
    WEFT_ERR_DEVICE_LOST = -6, // destroy the device and everything made from it
    WEFT_ERR_IO          = -7, // the operating system refused to read or write a file
    WEFT_ERR_NO_DEVICE   = -8, // no device matches the request; the text says why for each one
    WEFT_ERR_CANCELLED   = -9, // the progress callback asked to stop
    WEFT_ERR_NUMERIC     = -10, // a result holds NaN or infinity
} weft_result;

// A short fixed name: "WEFT_ERR_FORMAT". Never NULL.
WEFT_API const char *weft_result_name(weft_result r);

typedef enum weft_log_level { WEFT_LOG_ERROR, WEFT_LOG_WARN, WEFT_LOG_INFO, WEFT_LOG_DEBUG } weft_log_level;

// Host allocation. `alloc(user, NULL, 0, n)` allocates, `(user, p, old, n)` resizes,
// `(user, p, old, 0)` frees. Alignment: max_align_t. May be called from any thread.
typedef struct weft_allocator {
    void *(*alloc)(void *user, void *p, size_t old_bytes, size_t new_bytes);
    void *user;
} weft_allocator;

typedef struct weft_context_params {
    // Called with one line, no newline, from any thread. NULL: silence.
    void (*log)(void *user, weft_log_level level, const char *line);
    void *log_user;
    weft_log_level log_level; // the least urgent level that is passed on
    weft_allocator allocator; // {0}: malloc/free
    int threads;              // for work on the CPU; 0: as many as the machine has
} weft_context_params;

typedef struct weft_context weft_context;

// A build against other headers than the library's fails at link time, not at run time.
#define WEFT_GLUE_(a, b) a##b
#define WEFT_GLUE(a, b) WEFT_GLUE_(a, b)
#define weft_context_create WEFT_GLUE(weft_context_create_v, WEFT_API_VERSION)

WEFT_API weft_result weft_context_create(const weft_context_params *params, weft_context **out);
WEFT_API void weft_context_destroy(weft_context **ctx); // after everything made from it

// What the last failing call on this thread said, e.g. "conv2d 'enc.3': x has 64 channels, w wants 32".
// Valid until the next weft call on this thread. Never NULL.
WEFT_API const char *weft_error_text(void);

// Element types. Values in a graph are F32 or I32; F16 and U8 are ways to store weights.
typedef enum weft_dtype { WEFT_F32, WEFT_F16, WEFT_I32, WEFT_U8 } weft_dtype;

#define WEFT_MAX_RANK 8

typedef struct weft_shape {
    int rank;                   // 0 is a scalar
    int64_t dim[WEFT_MAX_RANK]; // slowest first
} weft_shape;

// weft_shape of the given sizes: WEFT_SHAPE(1, 3, 256, 256).
#define WEFT_SHAPE(...) { .rank = sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), .dim = { __VA_ARGS__ } }

#ifdef __cplusplus
}
#endif
#endif // WEFT_WEFT_H
