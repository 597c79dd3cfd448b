// SPDX-License-Identifier: MIT
// Devices and sessions: a model made ready to run on one device.
#ifndef WEFT_SESSION_H
#define WEFT_SESSION_H

#include <weft/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_device weft_device;
typedef struct weft_session weft_session;

typedef enum weft_device_kind {
    WEFT_DEVICE_REFERENCE, // plain loops, double accumulators: the truth
    WEFT_DEVICE_CPU,       // the same with library-backed heavy operators
    WEFT_DEVICE_VULKAN,
} weft_device_kind;

typedef struct weft_device_info {
    weft_device_kind kind;
    int index;               // for weft_device_params.name, as text
    const char *name;        // as the driver says it
    const char *driver;      // driver name and version
    const char *type;        // "cpu", "discrete", "integrated", "virtual", "software"
    uint8_t uuid[16];
    uint64_t memory_bytes;   // of the largest device-local heap
    int f16_storage;         // WEFT_FAST is available
    int matrix_units;        // cooperative matrices are available
    const char *rejected;    // NULL: usable; otherwise why not
} weft_device_info;

typedef struct weft_device_params {
    // "auto" or NULL: a GPU, else `cpu`, else a software Vulkan driver. "reference", "cpu", "vulkan"
    // (the fastest Vulkan device), an index of weft_device_list, a part of a name, or a UUID.
    const char *name;
    const char *cache_path; // pipeline cache: read now, written by weft_device_destroy; NULL: none. One file
                            // serves several devices. A damaged or unwritable one costs a warning in the log, never an error.
    int validate;           // enable the Khronos validation layer if present; messages go to the log
    int no_optional;        // use no optional device feature: what the smallest driver would get
} weft_device_params;

// Every device there is, usable or not. `each` is called on this thread; its argument lives for the call.
WEFT_API weft_result weft_device_list(weft_context *ctx, void (*each)(void *user, const weft_device_info *info), void *user);
WEFT_API weft_result weft_device_open(weft_context *ctx, const weft_device_params *params, weft_device **out);
WEFT_API const weft_device_info *weft_device_get_info(const weft_device *dev);
WEFT_API void weft_device_destroy(weft_device **dev); // after its sessions

typedef enum weft_precision {
    WEFT_EXACT, // f32 storage
    WEFT_FAST,  // f16 storage where the device has it, f32 accumulation; otherwise as WEFT_EXACT
} weft_precision;

typedef struct weft_session_params {
    int entry;                     // weft_model_find_entry
    const weft_port_shape *shapes; // input shapes; ports left out take the preset dimensions
    int shape_count;
    weft_precision precision;
    size_t max_bytes;  // refuse a plan that needs more memory than this; 0: no limit
    int keep_values;   // keep every value for weft_session_value: costs memory, for checking
    int no_fuse;       // one kernel per node: for checking and profiling
    // Called now and then during a run, on the calling thread, with 0 <= done <= 1. Non-zero: stop.
    int (*progress)(void *user, double done);
    void *progress_user;
} weft_session_params;
WEFT_API weft_result weft_session_create(weft_device *dev, const weft_model *m, const weft_session_params *params,
                                         weft_session **out);
WEFT_API void weft_session_destroy(weft_session **s);

// Ports with their bound shapes, in the order of the model.
WEFT_API int weft_session_inputs(const weft_session *s, const weft_port **ports);
WEFT_API int weft_session_outputs(const weft_session *s, const weft_port **ports);

typedef struct weft_io { // tightly packed host data of the port's dtype and shape
    const char *port;    // NULL: the next port in order
    void *data;
    size_t bytes;
} weft_io;

// Uploads `in`, runs, downloads `out`. Blocks. `in[i].data` is only read. Every input must be given.
WEFT_API weft_result weft_session_run(weft_session *s, const weft_io *in, int in_count, const weft_io *out, int out_count);

typedef struct weft_session_facts {
    size_t weight_bytes, workspace_bytes, workspace_least_bytes;
    int dispatches;  // kernels per run (nodes, on the CPU)
    int submissions; // per run; 0 on the CPU
    int precision;   // what was granted
} weft_session_facts;
WEFT_API void weft_session_measure(const weft_session *s, weft_session_facts *out);

// With keep_values: value `index` of the entry as it was after the last run, converted to f32. Values that
// fusion removed, inputs and weights give WEFT_ERR_UNSUPPORTED; past the end gives WEFT_ERR_ARGUMENT. data NULL: its facts alone.
typedef struct weft_value_info {
    const char *node, *op;
    weft_shape shape;
} weft_value_info;
WEFT_API weft_result weft_session_value(weft_session *s, int index, weft_value_info *info, float *data, size_t count);

#ifdef __cplusplus
}
#endif
#endif // WEFT_SESSION_H
