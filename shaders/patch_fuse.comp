#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel patch_fuse    sums along diagonals, patches counted by rows, then of these sums with patches counted by columns
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/patch_fuse.h"

layout(constant_id = 3) const bool BEFORE = false;
layout(constant_id = 4) const bool AFTER = false;

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, before)
TENSOR_IN(3, after)

// Patch i counted by rows, some steps on in either count; -1: beyond the last.
int step_by_rows(int i, uint h, uint w, int by) { return i + by < 0 || i + by >= int(h * w) ? -1 : i + by; }
int step_by_columns(int i, uint h, uint w, int by) {
    int k = i % int(w) * int(h) + i / int(w) + by;
    return k < 0 || k >= int(h * w) ? -1 : k % int(h) * int(w) + k / int(h);
}
int step_first(int i, uint h, uint w, int by) { return p.turned != 0 ? step_by_rows(i, h, w, by) : step_by_columns(i, h, w, by); }
int step_second(int i, uint h, uint w, int by) { return p.turned != 0 ? step_by_columns(i, h, w, by) : step_by_rows(i, h, w, by); }

// 0: of patches that no input holds.
afloat score(uint row, uint j) {
    if (j - p.x_part[0] < p.x_part[1]) return x(row * p.x_part[1] + j - p.x_part[0]); // unsigned: false below the first
    if (BEFORE && j - p.before_part[0] < p.before_part[1]) return before(row * p.before_part[1] + j - p.before_part[0]);
    if (AFTER && j - p.after_part[0] < p.after_part[1]) return after(row * p.after_part[1] + j - p.after_part[0]);
    return 0;
}

void main() {
    uint id = LINEAR_ID;
    if (id >= p.count) return;
    uint rows = p.from[0] * p.from[1], first = id / (p.y_part[1] * rows) * rows;
    int j = int(id % p.y_part[1] + p.y_part[0]), i = int(id / p.y_part[1] % rows);
    afloat sum = 0;
    for (int a = -p.reach; a <= p.reach; a++) {
        int ia = step_first(i, p.from[0], p.from[1], a), ja = step_first(j, p.to[0], p.to[1], a);
        if (ia < 0 || ja < 0) continue;
        for (int b = -p.reach; b <= p.reach; b++) {
            int ib = step_second(ia, p.from[0], p.from[1], b), jb = step_second(ja, p.to[0], p.to[1], b);
            if (ib >= 0 && jb >= 0) sum += score(first + uint(ib), uint(jb));
        }
    }
    y_put(id, sum);
}
