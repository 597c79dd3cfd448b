// Attention on matrix units: M, N and K of a matrix.
#define SUM coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>

// Four numbers, from column c on, of the row that begins at `at`; zeros beyond its end and where it does not exist.
#define FOUR(name, data, data4, WIDE_)                                                                                  \
    f16vec4 name(bool exists, uint at, uint c, uint width) {                                                            \
        f16vec4 all = f16vec4(0);                                                                                       \
        if (!exists) return all;                                                                                        \
        if (WIDE_) { if (c < width) all = data4[(at + c) / 4]; }                                                        \
        else [[unroll]] for (uint l = 0; l < 4; l++) if (c + l < width) all[l] = data[at + c + l];                      \
        return all;                                                                                                     \
    }
