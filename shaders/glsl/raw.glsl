// TENSOR_RAW4(1, x, halves) declares x4_raw(i), four elements as they are stored, and x4_of(raw), what they are: for loads that are to be in
// flight while something else is computed, because a conversion would wait for them. halves: as WEIGHT_IN has it.
#if defined(DTYPE_F16)
#define RAW_HALVES(halves) true
#else
#define RAW_HALVES(halves) (halves)
#endif
#define TENSOR_RAW4(binding_, name, halves)                                                                                \
    layout(set = 0, binding = binding_, std430) readonly restrict buffer name##_raw_t { uvec4 name##_raw_data[]; };         \
    layout(set = 0, binding = binding_, std430) readonly restrict buffer name##_raw_half_t { uvec2 name##_raw_halves[]; };  \
    uvec4 name##4_raw(uint i) {                                                                                            \
        if (RAW_HALVES(halves)) return uvec4(name##_raw_halves[i], 0, 0);                                                  \
        return name##_raw_data[i];                                                                                         \
    }                                                                                                                      \
    vec4 name##4_of(uvec4 raw) {                                                                                           \
        if (RAW_HALVES(halves)) return vec4(unpackHalf2x16(raw.x), unpackHalf2x16(raw.y));                                 \
        return uintBitsToFloat(raw);                                                                                       \
    }
