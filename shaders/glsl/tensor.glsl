// Tensors in shaders. Bindings are in row order: outputs, then inputs, then scratch (engine/graph/op.h).
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_control_flow_attributes : enable

#if defined(DTYPE_F16)
#define sfloat float16_t // as stored
#define svec4 f16vec4
#else
#define sfloat float
#define svec4 vec4
#endif
#define afloat float // as computed
#define avec4 vec4

// TENSOR_IN(1, x) declares x(i); TENSOR_OUT(0, y) declares y_put(i, v); _I32 forms hold integers whatever the storage;
// TENSOR_IN4 / OUT4 count in groups of four elements. F32 forms are float whatever the storage.
#if defined(IN_PLACE) // outputs may lie where inputs lie: WEFT_OP_INPLACE
#define alone
#else
#define alone restrict
#endif
#define TENSOR_IN_AS(binding_, name, stored, computed) \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_t { stored name##_data[]; }; \
    computed name(uint i) { return computed(name##_data[i]); }
#define TENSOR_OUT_AS(binding_, name, stored, computed) \
    layout(set = 0, binding = binding_, std430) writeonly alone buffer name##_t { stored name##_data[]; }; \
    void name##_put(uint i, computed v) { name##_data[i] = stored(v); }
#define TENSOR_IN(binding_, name) TENSOR_IN_AS(binding_, name, sfloat, afloat)
#define TENSOR_OUT(binding_, name) TENSOR_OUT_AS(binding_, name, sfloat, afloat)
#define TENSOR_IN4(binding_, name) TENSOR_IN_AS(binding_, name, svec4, avec4)
#define TENSOR_OUT4(binding_, name) TENSOR_OUT_AS(binding_, name, svec4, avec4)
#define TENSOR_IN_I32(binding_, name) TENSOR_IN_AS(binding_, name, int, int)
#define TENSOR_OUT_I32(binding_, name) TENSOR_OUT_AS(binding_, name, int, int)
#define TENSOR_IN_F32(binding_, name) TENSOR_IN_AS(binding_, name, float, float)
#define TENSOR_OUT_F32(binding_, name) TENSOR_OUT_AS(binding_, name, float, float)

// A large weight, which may lie in halves where all else is stored in f32: `halves`, made of specialization constants, says so. Halves are read
// as packed words, which wants no 16-bit storage of the device.
#if defined(DTYPE_F16)
#define WEIGHT_IN(binding_, name, halves) TENSOR_IN(binding_, name)
#define WEIGHT_IN4(binding_, name, halves) TENSOR_IN4(binding_, name)
#else
#define WEIGHT_IN(binding_, name, halves) \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_t { float name##_data[]; }; \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_halves_t { uint name##_halves[]; }; \
    float name(uint i) { \
        if (halves) return unpackHalf2x16(name##_halves[i / 2] >> i % 2 * 16).x; \
        return name##_data[i]; \
    }
#define WEIGHT_IN4(binding_, name, halves) \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_t { vec4 name##_data[]; }; \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_halves_t { uvec2 name##_halves[]; }; \
    vec4 name(uint i) { \
        if (halves) return vec4(unpackHalf2x16(name##_halves[i].x), unpackHalf2x16(name##_halves[i].y)); \
        return name##_data[i]; \
    }
#endif

// Workgroup size is always spec constants 0..2; a kernel's own constants start at 3.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

// The invocation's number in a one-dimensional grid. The recorder folds such grids into rows of 32768 workgroups,
// because a device need not take more than 65535 in one dimension.
#define LINEAR_ID ((gl_WorkGroupID.y * 32768u + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationID.x)
// The workgroup's number in such a grid.
#define LINEAR_GROUP (gl_WorkGroupID.y * 32768u + gl_WorkGroupID.x)
