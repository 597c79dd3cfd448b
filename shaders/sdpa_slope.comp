#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sdpa_slope    what products of queries and keys receive from what their weights receive, in place: d = w (d - y . dy) scale
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/sdpa_slope.h"
vec2 plus(vec2 a, vec2 b) { return a + b; }
#define JOIN plus
#include "glsl/lines.glsl"

layout(set = 0, binding = 0, std430) buffer d_t { sfloat d[]; };
TENSOR_IN(1, w)
TENSOR_IN(2, y)
TENSOR_IN(3, dy)

float kept[BLOCK], came[BLOCK];
void main() {
    uint query = min(line(), p.lines - 1);
    vec2 along = vec2(0);
    LINE_BLOCKS(p.width, {
        LINE_LOAD(p.width, kept[i] = y(query * p.width + e);)
        LINE_LOAD(p.width, came[i] = dy(query * p.width + e);)
        LINE_BLOCK(p.width, along.x += kept[i] * came[i];)
    })
    along = line_join(along);
    if (line() >= p.lines) return;
    LINE_BLOCKS(p.len, {
        LINE_LOAD(p.len, kept[i] = w(query * p.len + e);)
        LINE_LOAD(p.len, came[i] = afloat(d[query * p.len + e]);)
        LINE_BLOCK(p.len, d[query * p.len + e] = sfloat(kept[i] * (came[i] - along.x) * p.scale);)
    })
}
