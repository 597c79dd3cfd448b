// SPDX-License-Identifier: MIT
#include "ops/activation.h"
#include <string.h>
#include "ops/formula.h"

const char weft_activation_names[] = "none"
#define UNARY(name, ...) "|" #name
#include "params/unary.def"
#undef UNARY
    ;

double weft_activate(int act, double x, double a, double b)
{
    int line = 1;
    (void) a, (void) b;
#define UNARY(label, attributes, values, doc, fwd, bwd) if (act == line++) return fwd;
#include "params/unary.def"
#undef UNARY
    return x;
}

double weft_activate_slope(int act, double x, double y, double a, double b)
{
    int line = 1;
    (void) y, (void) a, (void) b;
#define UNARY(label, attributes, values, doc, fwd, bwd) if (act == line++) return bwd;
#include "params/unary.def"
#undef UNARY
    return 1;
}

int weft_activation_back(int act, double a)
{
    const char *name = weft_activation_row(act);
    int line = 1;
    if (!act) return 0;
    if (!(a >= 0)) return -1;
#define BACK(label, ...) if (!strcmp(name, #label)) return line; line++;
#include "params/unary_back.def"
#undef BACK
    return -1;
}

double weft_activation_slope_from(int line, double y, double a)
{
    int at = 1;
    (void) a;
#define BACK(label, slope, x_slope) if (line == at++) return slope;
#include "params/unary_back.def"
#undef BACK
    return 1;
}

double weft_activation_x_slope_from(int line, double y, double a)
{
    int at = 1;
    (void) a;
#define BACK(label, slope, x_slope) if (line == at++) return x_slope;
#include "params/unary_back.def"
#undef BACK
    return y;
}

static int line_of(const weft_op *row) // 0: none
{
    int line = 1;
#define UNARY(label, ...) if (!strcmp(row->name, #label)) return line; line++;
#include "params/unary.def"
#undef UNARY
    return 0;
}

static bool told(int line, const weft_node *n, weft_activation *out)
{
    const float *parameters = n->attrs; // unary_attrs
    if (line) *out = (weft_activation) { line, parameters[0], parameters[1] };
    return line > 0;
}

bool weft_activation_of(const weft_node *n, weft_activation *out) { return told(line_of(n->op), n, out); }
bool weft_activation_slope_of(const weft_node *n, weft_activation *out) { return n->op->slope_of && told(line_of(n->op->slope_of), n, out); }

const char *weft_activation_row(int act)
{
    static const char *const names[] = {
        "",
#define UNARY(label, ...) #label,
#include "params/unary.def"
#undef UNARY
    };
    return names[act];
}
