// The body of kernels lstm_step and lstm_step_subgroup.
layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const bool WIDE = false; // h is a multiple of 4
layout(constant_id = 5) const bool REVERSE = false;
layout(constant_id = 6) const bool BIAS = false;
layout(constant_id = 7) const bool H0 = false;
layout(constant_id = 8) const bool C0 = false;
layout(constant_id = 9) const bool HALF_W = false; // w lies in f16 though all else is f32

layout(set = 0, binding = 0, std430) buffer y_t { sfloat y_data[]; }; // its last step is this one's input
layout(set = 0, binding = 0, std430) buffer y4_t { svec4 y4_data[]; };
TENSOR_OUT(1, hn)
TENSOR_OUT(2, cn)
TENSOR_IN(3, gates)
WEIGHT_IN(4, w, HALF_W)
WEIGHT_IN4(4, w4, HALF_W)
TENSOR_IN(5, b)
TENSOR_IN(6, h0)
TENSOR_IN4(6, h04)
TENSOR_IN(7, c0)
layout(set = 0, binding = 8, std430) buffer cells_t { float cells[]; };

float sigmoid(float x) { return 1 / (1 + exp(-x)); }
float bounded_tanh(float x) { return tanh(clamp(x, -10.0, 10.0)); } // drivers may give infinity over infinity

void main() {
    uint tile = LINEAR_GROUP, lane = gl_LocalInvocationIndex;
    uint unit = tile % p.h, row = tile / p.h % p.row_tiles * ROWS, dir = tile / (p.h * p.row_tiles);
    if (dir >= p.dirs) return;
    bool backwards = REVERSE || dir == 1;
    uint t = backwards ? p.steps - 1 - p.step : p.step, t_before = backwards ? t + 1 : t - 1, y_row = p.dirs * p.h;
    bool from_y = p.step > 0;

    float sum[4 * ROWS];
    [[unroll]] for (uint i = 0; i < 4 * ROWS; i++) sum[i] = 0;
    uint before[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint n = min(row + r, p.n - 1);
        before[r] = from_y ? (n * p.gates_n + t_before * p.gates_t) * y_row + dir * p.h : (dir * p.n + n) * p.h;
    }
    uint w_first = (dir * 4 * p.h + unit) * p.h, w_gate = p.h * p.h;
    if (from_y || H0) {
        if (WIDE) for (uint k = 4 * lane; k < p.h; k += 4 * gl_WorkGroupSize.x) {
            avec4 v[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; r++) v[r] = from_y ? avec4(y4_data[(before[r] + k) / 4]) : h04((before[r] + k) / 4);
            [[unroll]] for (uint g = 0; g < 4; g++) {
                avec4 a = w4((w_first + g * w_gate + k) / 4);
                [[unroll]] for (uint r = 0; r < ROWS; r++) sum[4 * r + g] += dot(a, v[r]);
            }
        } else for (uint k = lane; k < p.h; k += gl_WorkGroupSize.x) {
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                afloat v = from_y ? afloat(y_data[before[r] + k]) : h0(before[r] + k);
                [[unroll]] for (uint g = 0; g < 4; g++) sum[4 * r + g] += w(w_first + g * w_gate + k) * v;
            }
        }
        [[dont_unroll]] for (uint i = 0; i < 4 * ROWS; i++) { // the sums move round: constant indices alone keep them in registers
            float all = tree_sum(sum[0]);
            [[unroll]] for (uint k = 1; k < 4 * ROWS; k++) sum[k - 1] = sum[k];
            sum[4 * ROWS - 1] = all;
        }
    }
    if (lane != 0) return;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint n = row + r, at = (dir * p.n + n) * p.h + unit;
        if (n >= p.n) return;
        float gate[4];
        uint in_row = n * p.gates_n + t * p.gates_t;
        [[unroll]] for (uint g = 0; g < 4; g++) {
            gate[g] = sum[4 * r + g] + gates(((dir * p.n * p.steps + in_row) * 4 + g) * p.h + unit);
            if (BIAS) gate[g] += b((dir * 8 + g) * p.h + unit) + b((dir * 8 + 4 + g) * p.h + unit);
        }
        float c = from_y ? cells[at] : C0 ? c0(at) : 0;
        c = sigmoid(gate[1]) * c + sigmoid(gate[0]) * bounded_tanh(gate[2]);
        float h = sigmoid(gate[3]) * bounded_tanh(c);
        cells[at] = c;
        y_data[in_row * y_row + dir * p.h + unit] = sfloat(h);
        if (p.step + 1 < p.steps) continue;
        hn_put(at, h);
        cn_put(at, c);
    }
}
