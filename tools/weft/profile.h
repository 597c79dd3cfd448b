// SPDX-License-Identifier: MIT
// Where the time of runs goes, by kind of operator.
#pragma once
#include <weft/session.h>

enum { PROFILE_KINDS = 256 };
typedef struct profile_kind { const char *op; int calls; double wall_ms, busy_ms, flops; } profile_kind;
typedef struct profile {
    profile_kind kind[PROFILE_KINDS];
    int count;
} profile;

void profile_add(void *user, const weft_node_time *time); // user: a profile. What weft_session_params.timing wants
void profile_print(profile *p, int runs);                 // means per run, the largest first
