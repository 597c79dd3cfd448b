// Attention on matrix units: M, N and K of a matrix.
#define SUM coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>

// Four numbers of a row from column c on, zeros beyond its end and where it does not exist.
#define FOUR(name, data, data4, WIDE_)                                                                                  \
    f16vec4 name(bool exists, uint row, uint c, uint width) {                                                           \
        f16vec4 all = f16vec4(0);                                                                                       \
        if (!exists) return all;                                                                                        \
        if (WIDE_) { if (c < width) all = data4[(row * width + c) / 4]; }                                               \
        else [[unroll]] for (uint l = 0; l < 4; l++) if (c + l < width) all[l] = data[row * width + c + l];             \
        return all;                                                                                                     \
    }
