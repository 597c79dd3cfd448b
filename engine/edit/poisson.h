// SPDX-License-Identifier: MIT
// Poisson's equation on the pixels of a hole.
#pragma once
#include "edit/mask.h"

// For every pixel p of the hole, with N its up to four neighbours in the picture:
//     |N| u(p) - sum of u(q) over q in N and in the hole = b(p)
// what eq. 7 of Perez et al. 2003 has on its left.
typedef struct weft_poisson {
    weft_context *ctx;
    int count;            // of unknowns, in raster order
    int *pixel;           // of each
    int (*neighbour)[4];  // of each: left, up, right, down as unknowns; -1: none in the hole
    uint8_t *degree;      // |N|
    double *factor;       // of the preconditioner
} weft_poisson;

// WEFT_ERR_ARGUMENT for a hole that is the whole picture: nothing is known then.
weft_result weft_poisson_make(const weft_hole *h, weft_poisson *out);
void weft_poisson_free(weft_poisson *p);

// Improves x until the residual is at most `tolerance` times as long as b. Adds to *iterations. WEFT_ERR_NUMERIC if it gets nowhere.
weft_result weft_poisson_solve(const weft_poisson *p, const double *b, double tolerance, double *x, int *iterations);
