// What the kernels of upfirdn2d have in common: constants 3 to 9, tensors, and how a sum becomes y.
#include "params/upfirdn2d.h"

layout(constant_id = 4) const bool FLIP = false; // the filter is taken as it lies

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN(2, f)
TENSOR_IN(3, bias)
TENSOR_IN4(3, bias4)
TENSOR_IN(4, noise)
TENSOR_IN(5, strength)
TENSOR_IN(6, d)
TENSOR_IN4(6, d4)
#include "glsl/ending.glsl"
#include "glsl/put.glsl"
