// SPDX-License-Identifier: MIT
// Several products of a few rows and a matrix each in one node, with the elementwise operators before and behind them.
#pragma once
#include "graph/op.h"
#include "ops/activation.h"
#include "ops/part.h"

enum { WEFT_PRODUCTS_MOST = 28 }; // of a node; each bit of half_inputs is one's matrix
// Inputs: the matrices, then the table, then each product's operands. In the place of what is left out: the table.
enum { WEFT_PRODUCTS_TABLE = WEFT_PRODUCTS_MOST, WEFT_PRODUCTS_OPERANDS };
enum { WEFT_PRODUCT_X, WEFT_PRODUCT_P, WEFT_PRODUCT_B, WEFT_PRODUCT_M, WEFT_PRODUCT_R, WEFT_PRODUCT_OPERANDS };
static inline int weft_products_input(int product, int operand) { return WEFT_PRODUCTS_OPERANDS + WEFT_PRODUCT_OPERANDS * product + operand; }

typedef struct weft_product_step { // what is done to a number: 1 + lines of unary.def, 0 for none
    weft_activation act;           // its value there
    weft_activation back;          // times the derivative, where the operand (p before, m behind) is the function's value as well as its argument
} weft_product_step;

typedef struct weft_products_attrs {
    int32_t count, rows;
    int32_t transposed; // matrices are [k, width], not [width, k]
    weft_product_step before, behind;
    weft_list shape; // of y, whose elements all belong to some product
} weft_products_attrs;

// A line of the table, which is an I32 constant [count, WEFT_PRODUCT_LINE]: row i of an operand begins at element at + i step.
// y = r + behind(gain sum over k of before(x[k]) w[.., k] + bias_gain b + shift)
typedef struct weft_product_line {
    int32_t k, width;
    int32_t x_at, x_step, p_at, p_step, m_at, m_step, r_at, r_step, y_at, y_step;
    float gain, bias_gain, shift;
    int32_t b_at;
} weft_product_line;
enum { WEFT_PRODUCT_LINE = sizeof(weft_product_line) / 4, WEFT_PRODUCTS_ROOM = 3584, WEFT_PRODUCTS_ROWS = 8 }; // rows k at most; rows at most

static inline bool weft_products_has(const weft_node *n, int input) { return n->in[input] != n->in[WEFT_PRODUCTS_TABLE]; }
int64_t weft_product_k(const weft_node *n, int product);
int64_t weft_product_width(const weft_node *n, int product);

// Where a product's rows, which lie one after the other, begin in y; and where those of the next one do.
int64_t weft_products_place(const weft_node *n, int product);
static inline int64_t weft_products_next(int64_t at, int64_t rows, int64_t width) { return (at + rows * width + WEFT_PART_ALIGN - 1) / WEFT_PART_ALIGN * WEFT_PART_ALIGN; }
