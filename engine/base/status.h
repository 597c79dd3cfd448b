// SPDX-License-Identifier: MIT
// Failing with a sentence.
#pragma once
#include <weft/weft.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define WEFT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define WEFT_PRINTF(f, a)
#endif

// Sets this thread's error text and gives back `r`. The text is cut at 1 KiB.
weft_result weft_fail(weft_result r, const char *format, ...) WEFT_PRINTF(2, 3);
weft_result weft_fail_memory(size_t bytes); // WEFT_ERR_MEMORY
// Puts words in front of the text that is there: "net.weft: " + "weight 3: ...".
weft_result weft_fail_prefix(weft_result r, const char *format, ...) WEFT_PRINTF(2, 3);

// Returns the failure of a call to the caller.
#define WEFT_TRY(call)                              \
    do {                                            \
        const weft_result try_ = (call);            \
        if (try_ != WEFT_OK) return try_;           \
    } while (0)
