// Elements that are only moved: raw words of the storage's size, so that integers and NaNs arrive as they were.
#if defined(DTYPE_F16)
#define sword uint16_t
#define word_of(v) (packHalf2x16(vec2(v, 0.0)) & 0xffffu)
#else
#define sword uint
#define word_of(v) floatBitsToUint(v)
#endif
#define TENSOR_IN_WORD(binding_, name) TENSOR_IN_AS(binding_, name, sword, uint)
#define TENSOR_OUT_WORD(binding_, name) TENSOR_OUT_AS(binding_, name, sword, uint)
// As WEIGHT_IN.
#if defined(DTYPE_F16)
#define WEIGHT_IN_WORD(binding_, name, halves) TENSOR_IN_WORD(binding_, name)
#else
#define WEIGHT_IN_WORD(binding_, name, halves) \
    layout(set = 0, binding = binding_, std430) readonly alone buffer name##_t { uint name##_data[]; }; \
    uint name(uint i) { \
        if (halves) return floatBitsToUint(unpackHalf2x16(name##_data[i / 2] >> i % 2 * 16).x); \
        return name##_data[i]; \
    }
#endif
