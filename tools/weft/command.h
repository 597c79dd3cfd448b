// SPDX-License-Identifier: MIT
// What a command is: a row with its options, and what all commands share - context, device, exit codes.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <weft/edit.h>

enum { // documented in `weft help`; result_code maps library results to them
    CODE_OK,
    CODE_FAILED,
    CODE_USAGE,
    CODE_DEVICE,
    CODE_UNSUPPORTED,
    CODE_INPUT,
    CODE_SLOWER, // `weft compare --fail-over` alone
};

// --- Options: one row each; parsing and help text both come from it. ------------------------------------------

typedef enum option_type {
    OPTION_FLAG,   // int, counted
    OPTION_TEXT,   // const char *
    OPTION_INT,    // int, least to most
    OPTION_REAL,   // double
    OPTION_LIST,   // text_list: may be given again
    OPTION_CHOICE, // int: index into `arg`, which reads "exact|fast"
} option_type;

typedef struct option {
    const char *name; // without the dashes; NULL ends a table
    char letter;      // 0: none
    option_type type;
    const char *arg;  // what the help calls the value
    size_t offset;    // into the command's struct of options
    const char *doc;
    int least, most;  // OPTION_INT; 0, 0: any
} option;

enum { LIST_MOST = 256 };
typedef struct text_list { const char *at[LIST_MOST]; int count; } text_list;

typedef struct command command;
typedef struct call { // one use of a command
    const command *command;
    void *options; // the command's struct, zeroed before parsing
    const char *const *args;
    int arg_count;
    int verbose, quiet; // -v counts
    weft_context *ctx;
} call;

struct command {
    const char *name, *args, *summary; // args: for the usage line
    const char *about;                 // more words; NULL: none
    const char *examples;              // lines
    const option *options;
    size_t option_bytes;
    int least, most;                   // arguments that are not options
    int (*run)(call *c);
    bool no_context;                   // c->ctx is not made
};

extern const command *const commands[]; // ends with NULL
const command *find_command(const char *name);

// Fills c->options, c->args and the rest from argv (moved in place). A failure is printed; -1: go on.
int parse_options(call *c, int argc, char **argv);
void print_help(const command *cmd);
// The nearest of `names` (ends with NULL) if it is near enough to have been meant; else NULL.
const char *nearest(const char *word, const char *const *names);

// --- Saying what went wrong: "weft inpaint: photo.jpg: ..." on stderr. ------------------------------------------

#if defined(__GNUC__)
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF(f, a)
#endif
int fail(const call *c, int code, const char *format, ...) PRINTF(3, 4); // gives `code`
void note(const call *c, const char *format, ...) PRINTF(2, 3);          // not with -q
int result_code(weft_result r);
int fail_result(const call *c, weft_result r);                   // the library's text
int fail_input(const call *c, weft_result r);                    // the same while reading a file: 5, unless memory ran out or it is unsupported
int usage(const call *c, const char *format, ...) PRINTF(2, 3);  // with a pointer to the help

// --- Devices: the options that every running command has. --------------------------------------------------------

typedef struct device_options {
    const char *device, *gpu;
    int precision;
    int no_cache, validate, no_optional, tune;
} device_options;
#define DEVICE_OPTIONS(T)                                                                                             \
    { "device", 'd', OPTION_TEXT, "DEVICE", offsetof(T, device.device), "auto, reference, cpu, vulkan, an index, part of a name, or a UUID (`weft devices`)" }, \
    { "gpu", 'g', OPTION_TEXT, "INDEX", offsetof(T, device.gpu), "the same by index; -1 is cpu" },                                     \
    { "no-cache", 0, OPTION_FLAG, NULL, offsetof(T, device.no_cache), "compile every kernel anew, keep none" },                      \
    { "validate", 0, OPTION_FLAG, NULL, offsetof(T, device.validate), "switch on Vulkan's validation layer if it is installed" },    \
    { "autotune", 0, OPTION_FLAG, NULL, offsetof(T, device.tune), "measure which kernel is fastest for each operator, once, and remember it" }, \
    { "no-optional", 0, OPTION_FLAG, NULL, offsetof(T, device.no_optional), "use no optional device feature" }
#define PRECISION_OPTION(T) \
    { "precision", 'p', OPTION_CHOICE, "exact|fast|mixed", offsetof(T, device.precision), "f32 storage (the default), f16 where the device has it, or f16 for the large images alone" }

// Opens the device asked for; a failure is printed. CODE_OK or the exit code.
int open_device(const call *c, const device_options *o, weft_device **out);
const char *user_cache(const device_options *o); // the pipeline cache it reads and writes; NULL: none
// With a pipeline cache at this path, whatever the options say; NULL: none.
int open_device_cached(const call *c, const device_options *o, const char *cache, weft_device **out);

// --- Long work: a bar on a terminal, and Ctrl-C. ----------------------------------------------------------------

int show_progress(void *user, double done); // a progress callback; user: the call
void end_progress(void);                    // wipes the bar
bool interrupted(void);                     // Ctrl-C came; the progress callback stops the run then
void catch_interrupts(void);

// --- Files. ----------------------------------------------------------------------------------------------------

// What `put` writes of `what` appears at `path` whole or not at all; a failure is printed. put: false where it could not. Links are
// followed; what is no regular file, such as a pipe or /dev/null, is written as it is.
int write_whole(const call *c, const char *path, bool (*put)(const void *what, FILE *to), const void *what);
bool can_write(const char *path); // whether that would find a place, as far as can be told before; else errno says why

// --- Text. -----------------------------------------------------------------------------------------------------

const char *shape_text(weft_shape s, const weft_model *m); // "1x3x256x256"; named dimensions by name if m; valid for 8 calls
const char *bytes_text(double bytes);                      // "12.3 MiB"; valid for 8 calls
const char *dtype_text(weft_dtype t);
double seconds_since(double start); // seconds_since(0): now
