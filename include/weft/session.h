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
    int f16_storage;         // WEFT_FAST and WEFT_MIXED are available
    int matrix_units;        // cooperative matrices are available
    uint32_t matrix[3];      // m, n, k of the matrices used; 0: none
    int matrix_tiles;        // and ones as large as a workgroup's tile (VK_NV_cooperative_matrix2)
    uint32_t subgroup_size;  // 0: not known
    uint32_t vendor_id, device_id; // PCI's
    uint32_t api[3];         // Vulkan version
    const char *rejected;    // NULL: usable; otherwise why not
} weft_device_info;

typedef struct weft_device_params {
    // "auto" or NULL: a GPU, else `cpu`, else a software Vulkan driver. "reference", "cpu", "vulkan"
    // (the fastest Vulkan device), an index of weft_device_list, a part of a name, or a UUID.
    const char *name;
    const char *cache_path; // pipeline cache: read now, written by weft_device_destroy; NULL: none. One file
                            // serves several devices. A damaged or unwritable one costs a warning in the log, never an error.
    int validate;           // enable the Khronos validation layer if present; messages go to the log
    // Where a kernel can cut its work in several ways, measure on the device which is fastest, when a session first needs to know, and
    // remember it in a text file beside the pipeline cache (cache_path with ".tune" added). Sessions then take longer to make, once.
    // 0: what that file says is used all the same, and guesses otherwise. A damaged or unwritable one costs a warning.
    int tune;
    int no_optional;        // use no optional device feature: what the smallest driver would get
} weft_device_params;

// Every device there is, usable or not. `each` is called on this thread; its argument lives for the call.
WEFT_API weft_result weft_device_list(weft_context *ctx, void (*each)(void *user, const weft_device_info *info), void *user);
WEFT_API weft_result weft_device_open(weft_context *ctx, const weft_device_params *params, weft_device **out);
WEFT_API const weft_device_info *weft_device_get_info(const weft_device *dev);
WEFT_API void weft_device_destroy(weft_device **dev); // after its sessions

typedef enum weft_precision {
    WEFT_EXACT, // f32 storage; weights that the model has in f16 lie so, too, and are the same numbers
    WEFT_FAST,  // f16 storage where the device has it, f32 accumulation; otherwise as WEFT_EXACT
    WEFT_MIXED, // so, but only for images with at least a 64th of the pixels of the largest one (the top four sizes of a
                // generator, as StyleGAN2-ADA does it), and f32 for all that is smaller
} weft_precision;

typedef struct weft_node_time { // one node of one run
    const char *op, *node;
    double wall_ms, busy_ms; // by the clock, and of processor time, all threads together; 0 on Vulkan
    double flops, bytes;     // computed, and that it must read and write: inputs and outputs as they are stored, once each
    const char *kernel, *way; // Vulkan: the kernel that does most of it, and the way the node is computed; else NULL
    double gpu_ms;            // by the device's clock; below 0: not known
} weft_node_time;

typedef struct weft_session_params {
    int entry;                     // weft_model_find_entry
    const weft_port_shape *shapes; // input shapes; ports left out take the preset dimensions
    int shape_count;
    weft_precision precision;
    // Refuse a plan that needs more memory than this; 0: no limit. Before that, values that a gradient reads long after they were
    // made are forgotten in between and computed again, where that makes it fit (weft_session_facts.recomputed).
    size_t max_bytes;
    int keep_values;   // keep every value for weft_session_value: costs memory, for checking
    int no_fuse;       // one kernel per node: for checking and profiling
    // Called now and then during a run, on the calling thread, with 0 <= done <= 1. Non-zero: stop.
    int (*progress)(void *user, double done);
    void *progress_user;
    // Called on the calling thread, on `reference` and `cpu` after every node of a run, on Vulkan devices for every node after the run,
    // where kernels then wait for each other, so that the whole takes longer than without.
    void (*timing)(void *user, const weft_node_time *time);
    void *timing_user;
    int time_device; // take weft_session_facts.gpu_ms
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

// Uploads `in`, runs, downloads `out`. Blocks. `in[i].data` is only read. Every input must be given; outputs that are not listed
// are computed but not downloaded, and out_count may be 0.
// States (weft_build_state) are as before the run while it goes on and change when it is over. WEFT_ERR_CANCELLED: they are as they
// were after a whole number of runs, which weft_session_facts.runs counts. That may mean that a run in which states had begun to
// change went on to its end after `progress` asked to stop; its outputs are not downloaded. After any other error of a run the
// states hold nothing that can be relied on until they are set.
WEFT_API weft_result weft_session_run(weft_session *s, const weft_io *in, int in_count, const weft_io *out, int out_count);

// `count` runs one after another with the inputs of the last weft_session_run (an entry without inputs needs none), and nothing up- or
// downloaded: training, or any recurrence through states. Neither allocates nor records; short runs go to a device several at a time,
// and the same calls give the same bits again. `progress` is told how much of all runs is done. Errors: as weft_session_run.
WEFT_API weft_result weft_session_repeat(weft_session *s, int64_t count);

// The states of the entry with their bound shapes, in the order of the model. Gives the count.
WEFT_API int weft_session_states(const weft_session *s, const weft_port **ports);
// A state as tightly packed host data of its dtype and shape, between runs. Setting it to NULL (bytes 0) makes it what it was when the
// session was made; name NULL, and data NULL: all of them. Errors: WEFT_ERR_ARGUMENT names the state and the bytes it wants.
WEFT_API weft_result weft_session_set_state(weft_session *s, const char *name, const void *data, size_t bytes);
WEFT_API weft_result weft_session_get_state(weft_session *s, const char *name, void *data, size_t bytes);

typedef struct weft_session_facts {
    // weight_bytes: on a Vulkan device as they lie there, f16 where the model has them so and their users read it; on the CPU as the model has
    // them, with what was made of them, widened or packed.
    size_t weight_bytes, workspace_bytes, workspace_least_bytes;
    int dispatches;  // kernels per run (nodes, on the CPU)
    int submissions; // of the last weft_session_run or weft_session_repeat; 0 on the CPU
    int precision;   // what was granted
    size_t state_bytes; // of states, with what their updates need
    int recomputed;  // nodes that are there twice, so that max_bytes is kept
    double gpu_ms;   // by the device's clock, from the first kernel of the last run to the end of its last one; below 0: not known
    int64_t runs;    // that went to their end, repeated ones too, since the session was made
    size_t weight_shared_bytes; // of weight_bytes: sessions of the device that were made before had them there already
    double create_ms;    // that weft_session_create took, by the clock
    double pipelines_ms; // of these: until all kernels were ready; drivers may do more at the first run
    int pipelines_new;   // kernels that were not there yet: compiled, or taken from the pipeline cache
    double submit_ms;    // that the calling thread took to hand the last weft_session_run or weft_session_repeat to the driver; 0 on the CPU
} weft_session_facts;
WEFT_API void weft_session_measure(const weft_session *s, weft_session_facts *out);

// With keep_values: value `index` of the entry as it was after the last run, converted to f32. Values that
// fusion removed, inputs, states and weights give WEFT_ERR_UNSUPPORTED; past the end gives WEFT_ERR_ARGUMENT. data NULL: its facts alone.
typedef struct weft_value_info {
    const char *node, *op;
    weft_shape shape;
} weft_value_info;
WEFT_API weft_result weft_session_value(weft_session *s, int index, weft_value_info *info, float *data, size_t count);

#ifdef __cplusplus
}
#endif
#endif // WEFT_SESSION_H
