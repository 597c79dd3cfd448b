// SPDX-License-Identifier: MIT
// Where the time of runs goes, by kind of operator.
#pragma once
#include <weft/session.h>

enum { PROFILE_KINDS = 256 };
typedef struct profile_kind { // an operator as one way of computing it; on `cpu` and `reference` kernel and way are NULL
    const char *op, *kernel, *way;
    int calls;
    double ms, busy_ms, flops, bytes; // ms: by the device's clock on Vulkan, else by the wall's; below 0: not known
} profile_kind;
typedef struct profile {
    profile_kind kind[PROFILE_KINDS];
    int count;
    char text[PROFILE_KINDS][64]; // of ways
} profile;

void profile_add(void *user, const weft_node_time *time); // user: a profile. What weft_session_params.timing wants
void profile_sort(profile *p); // the slowest kind first
void profile_print(profile *p, int runs);                 // means per run, the largest first
