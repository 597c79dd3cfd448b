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
