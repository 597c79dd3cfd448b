#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Prints the table of tests/unit/test_random.c: what NumPy's RandomState gives, hashed.
import numpy as np

DRAWS = 5001


def fnv(array):
    h = 0xcbf29ce484222325
    for byte in array.tobytes():
        h = ((h ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return "0x%016x" % h


for seed in (0, 1, 123, 2**31, 2**32 - 1):
    def new():
        return np.random.RandomState(seed)
    bits = new()._bit_generator.random_raw(DRAWS).astype("<u4")
    normal = new().randn(DRAWS)
    hashes = [fnv(a) for a in (bits, new().random_sample(DRAWS), new().permutation(DRAWS).astype("<u4"), normal.astype("<f4"), normal)]
    print("    { %du, %s,\n      { %s } }," % (seed, ", ".join(hashes), ", ".join(float(x).hex() for x in normal[:5])))
for seeds in ([1, 2, 3], [7], list(range(700))):
    r = np.random.RandomState(seeds)
    print(len(seeds), "numbers:", fnv(r.randn(DRAWS).astype("<f4")), fnv(r._bit_generator.random_raw(DRAWS).astype("<u4")))
