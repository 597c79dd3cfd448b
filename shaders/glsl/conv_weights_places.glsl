// What rows and pixels of a weight gradient's tile stand for, worked out once for all invocations because of the divisions. A row: its tap's
// place relative to the first one's, and the channel of x; -1: there is none. A pixel: where its image begins in x, and where the first tap
// meets it; -1 as well.
ivec3 row_of(uint row, uint group) {
    uint tap = row / p.ci_group;
    int ky = int(tap) / p.kernel[1], kx = int(tap) - ky * p.kernel[1];
    if (ky >= p.kernel[0]) return ivec3(0, 0, -1);
    return ivec3(ky * p.dilation[0], kx * p.dilation[1], group * p.ci_group + row - tap * p.ci_group);
}
ivec3 pixel_of(uint j, uint end) {
    if (j >= end) return ivec3(-1, 0, 0);
    uint line = j / uint(p.wo), n = line / uint(p.ho);
    return ivec3(n * uint(p.hi), int(line - n * uint(p.ho)) * p.stride[0] - p.pad[0], int(j - line * uint(p.wo)) * p.stride[1] - p.pad[1]);
}

// Where in x a row meets a pixel, -1: nowhere, which is zero.
int x_place(ivec3 row, ivec3 pixel) {
    if (row.z < 0 || pixel.x < 0) return -1;
    int hi = x_at(0, pixel.y + row.x), wi = x_at(1, pixel.z + row.y);
    return hi < 0 || wi < 0 ? -1 : ((pixel.x + hi) * p.wi + wi) * int(p.ci) + row.z;
}
