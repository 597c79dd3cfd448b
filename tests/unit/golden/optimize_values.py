#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/unit/optimize_values.def: trajectories of torch.optim (PyTorch 1.13 or later), in double precision, on the small network
of test_optimize.c.   optimize_values.py > tests/unit/optimize_values.def"""
import math
import numpy as np
import torch

rng = np.random.default_rng(11)
STEPS = 50


def draw(*shape, scale=8):  # eighths: exact in f32
    return rng.integers(-8, 9, shape).astype(np.float64) / scale


def array(name, a):
    flat = np.asarray(a).reshape(-1)
    print("static const float %s[%d] = { %s };" % (name, flat.size, ", ".join(number(v) for v in flat)))


def number(v):
    s = "%.9g" % v
    return (s if "." in s or "e" in s else s + ".0") + "f"


x0, w1, b1, w2, b2, target, noise = draw(2, 3), draw(5, 3), draw(5), draw(2, 5), draw(2), draw(2, 2), draw(STEPS, 2, 3, scale=64)
cosine = np.float32([0.1 * (0.5 + 0.5 * math.cos(math.pi * i / (STEPS - 1))) for i in range(STEPS)]).astype(np.float64)
T = torch.from_numpy


def run(make, noisy=False, clip=0.0, normalize=False, rates=None, scale=(1.0, 0.5)):
    x, w = torch.nn.Parameter(T(x0.copy())), torch.nn.Parameter(T(w1.copy()))
    optimizer = make([{"params": [x]}, {"params": [w]}])
    losses, xs, ws = [], [], []
    for i in range(STEPS):
        for group, s in zip(optimizer.param_groups, scale):
            group["lr"] = (cosine[i] if rates is None else rates) * s
        y = torch.tanh((x + T(noise[i] if noisy else 0 * noise[0])) @ w.t() + T(b1)) @ T(w2).t() + T(b2)
        penalty = (x ** 2).sum()
        loss = ((y - T(target)) ** 2).sum() + penalty / 64
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([x, w], clip)
        optimizer.step()
        if normalize:
            with torch.no_grad():
                x -= x.mean()
                x *= (x ** 2).mean().rsqrt()
        losses.append((float(loss), float(penalty)))
        xs.append(x.detach().numpy().copy())
        ws.append(w.detach().numpy().copy())
    return losses, xs, ws


# name, how PyTorch does it, what weft_step_params has, and the loop's own settings
adam, adamw, sgd = torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD
cases = [
    ("adam", lambda p: adam(p, 1), ".optimizer = WEFT_ADAM", {}),
    ("adam with other attributes", lambda p: adam(p, 1, (0.5, 0.75), 0.125, 0.0625),
     ".beta1 = 0.5, .beta2 = 0.75, .eps = 0.125, .weight_decay = 0.0625", {}),
    ("adam without a first moment, at a constant rate", lambda p: adam(p, 1, (0, 0.99)), ".beta1 = -1, .beta2 = 0.99, .rate = 0.015625", {"rates": 0.015625}),
    ("adam with decoupled decay", lambda p: adamw(p, 1, (0.9, 0.999), 1e-8, 0.5), ".weight_decay = 0.5, .decoupled = 1", {}),
    ("adam with clipping, and noise from a table", lambda p: adam(p, 1), ".clip_norm = 0.25", {"clip": 0.25, "noisy": True}),
    ("adam and a variable that is normalised", lambda p: adam(p, 1), ".optimizer = WEFT_ADAM", {"normalize": True}),
    ("sgd", lambda p: sgd(p, 1), ".optimizer = WEFT_SGD", {}),
    ("sgd with momentum", lambda p: sgd(p, 1, 0.75), ".optimizer = WEFT_SGD, .momentum = 0.75", {}),
    ("sgd with momentum by Nesterov, decay and clipping", lambda p: sgd(p, 1, 0.5, 0, 0.0625, True),
     ".optimizer = WEFT_SGD, .momentum = 0.5, .nesterov = 1, .weight_decay = 0.0625, .clip_norm = 0.5", {"clip": 0.5}),
]

print("// Written by tests/unit/golden/optimize_values.py. See test_optimize.c.\n// clang-format off")
for name, a in [("x_data", x0), ("w1_data", w1), ("b1_data", b1), ("w2_data", w2), ("b2_data", b2), ("target_data", target), ("noise_data", noise),
                ("rates_data", cosine)]:
    array(name, a)
print("static const trajectory trajectories[] = {")
for name, make, params, own in cases:
    losses, xs, ws = run(make, **own)
    print('{ "%s", { %s }, %d, %d, %d,' % (name, params, own.get("rates") is None, own.get("noisy", False), own.get("normalize", False)))
    print("  { %s }," % ", ".join("{ %s, %s }" % tuple(map(number, l)) for l in losses))
    print("  { %s }," % ",\n    ".join("{ %s }" % ", ".join(map(number, xs[i].reshape(-1))) for i in (0, 9, STEPS - 1)))
    print("  { %s } }," % ", ".join(map(number, ws[-1].reshape(-1))))
print("};")
