#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Prints the table of tests/unit/test_latent.c: principal components by NumPy's SVD.
import numpy as np

x = np.random.RandomState(3).randn(200, 12).astype(np.float32)
x *= (5 - 0.4 * np.arange(12)).astype(np.float32)
x[:, 0] += np.float32(0.5) * x[:, 1]
x += np.float32(2)
x = x.astype(np.float64)
_, s, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
v *= np.sign(v[np.arange(12), np.abs(v).argmax(1)])[:, None]


def show(name, values):
    print("static const double %s[] = { %s };" % (name, ", ".join("%.9f" % a for a in values)))


show("mean", x.mean(0))
show("stdev", s / np.sqrt(len(x)))
for k in range(3):
    show("direction_%d" % k, v[k])
