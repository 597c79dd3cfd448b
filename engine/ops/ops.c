// SPDX-License-Identifier: MIT
// The table of operators: ops.def is the one list.
#include "graph/op.h"
#include <string.h>

#define OP(name) extern const weft_op weft_op_##name;
#define FAMILY(name) extern const weft_op *const weft_family_##name[];
#include "ops.def"
#undef OP
#undef FAMILY

// Calls `visit` for every row until it returns true; gives that row.
static const weft_op *find(bool (*visit)(const weft_op *, void *), void *user)
{
#define OP(name) if (visit(&weft_op_##name, user)) return &weft_op_##name;
#define FAMILY(name) for (int i = 0; weft_family_##name[i]; i++) if (visit(weft_family_##name[i], user)) return weft_family_##name[i];
#include "ops.def"
#undef OP
#undef FAMILY
    return NULL;
}

static bool has_name(const weft_op *op, void *name) { return !strcmp(op->name, name); }
const weft_op *weft_op_find(const char *name) { return find(has_name, (void *) (uintptr_t) name); }

static bool countdown(const weft_op *op, void *left) { (void) op; return (*(int *) left)-- == 0; }
const weft_op *weft_op_at(int index) { return find(countdown, &index); }
