#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel patch_fuse    sums along diagonals, patches counted by columns, of sums along diagonals, patches counted by rows
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/patch_fuse.h"

TENSOR_OUT(0, y)
TENSOR_IN(1, x)

void main() {
    uint id = LINEAR_ID;
    if (id >= p.count) return;
    int rows = int(p.from[0] * p.from[1]), width = int(p.to[0] * p.to[1]);
    int from_h = int(p.from[0]), from_w = int(p.from[1]), to_h = int(p.to[0]), to_w = int(p.to[1]);
    int j = int(id) % width, i = int(id) / width % rows;
    uint first = id / uint(rows * width) * uint(rows * width);
    int i_columns = i % from_w * from_h + i / from_w, j_columns = j % to_w * to_h + j / to_w;
    afloat sum = 0;
    for (int a = -p.reach; a <= p.reach; a++) {
        int ic = i_columns + a, jc = j_columns + a;
        if (ic < 0 || jc < 0 || ic >= rows || jc >= width) continue;
        int ir = ic % from_h * from_w + ic / from_h, jr = jc % to_h * to_w + jc / to_h;
        for (int b = -p.reach; b <= p.reach; b++)
            if (ir + b >= 0 && jr + b >= 0 && ir + b < rows && jr + b < width) sum += x(first + uint((ir + b) * width + jr + b));
    }
    y_put(id, sum);
}
