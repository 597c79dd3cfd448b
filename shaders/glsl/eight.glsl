// Eight numbers of half precision in one load of 16 bytes, as two fours; where numbers are loaded in fours the second is never looked at.
struct eight { f16vec4 a, b; };
eight eight_of(uvec4 v) {
    return eight(f16vec4(unpackFloat2x16(v.x), unpackFloat2x16(v.y)), f16vec4(unpackFloat2x16(v.z), unpackFloat2x16(v.w)));
}
#define EIGHT_ZEROS eight(f16vec4(0), f16vec4(0))
#define TENSOR_IN8(binding_, name) TENSOR_IN_AS(binding_, name, uvec4, uvec4)
