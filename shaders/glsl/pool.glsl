// The windows of pooling: needs the parameters of params/pool.h, ADAPTIVE and COUNT_PAD.

// First pixel, end, and what an average divides by: ops/pool.c says the same.
ivec3 span(int at, int size, int sizes_out, int d) {
    if (ADAPTIVE) {
        // at * size / sizes_out with products that fit 32 bits
        uint outs = uint(sizes_out), whole = uint(size) / outs, part = uint(size) % outs, a = uint(at);
        int begin = int(a * whole + a * part / outs), end = int((a + 1) * whole + ((a + 1) * part + outs - 1) / outs);
        return ivec3(begin, end, end - begin);
    }
    int begin = at * p.stride[d] - p.pads[d];
    int end = min(begin + (p.kernel[d] - 1) * p.dilation[d] + 1, size + p.pads[2 + d]);
    int counted = end - begin;
    if (begin < 0) begin += (-begin + p.dilation[d] - 1) / p.dilation[d] * p.dilation[d];
    end = min(end, size);
    return ivec3(begin, end, COUNT_PAD ? counted : max(end - begin, 0));
}
