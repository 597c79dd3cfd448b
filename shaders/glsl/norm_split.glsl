// Where a workgroup of norm_partial or norm_apply is.
uint split_n, split_c, split_count, x_first, y_first, zero_place; // count: of positions
void split_begin() {
    uint at = min(line(), p.lines - 1), rest = at / p.channels, chunk = rest % p.chunks * p.chunk;
    split_c = at % p.channels;
    split_n = rest / p.chunks;
    split_count = min(p.chunk, p.rows - chunk);
    x_first = split_n * p.x_stride[0] + split_c * p.x_stride[1] + chunk * p.x_stride[2];
    y_first = split_n * p.y_stride[0] + split_c * p.y_stride[1] + chunk * p.y_stride[2];
    // The first element of the statistic, which all that make it take for zero, so that a large mean costs no digits.
    zero_place = (p.over_n != 0 ? 0 : split_n * p.x_stride[0]) + split_c / p.per_group * p.per_group * p.x_stride[1];
}
