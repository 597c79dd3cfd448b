#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A step of an inversion in w+ (StyleGAN2's synthesis, mean squared difference to a picture, gradient by the latents, Adam) through
weft and through PyTorch (OpenBLAS, oneDNN), taking turns on the same cores. Random weights; the first losses and gradients are compared.

    stylegan2_step.py BUILD [--turns N] [--base 32768] [--size 256] [--device cpu] [--threads N]

The PyTorch side modulates the weights, as published programs do: one convolution (grouped by image) with weights of its own for
every step, whose gradient by the style passes through the weights. Prints ms, by the clock and of processor time (all threads
together), which a busy machine disturbs less; needs python3-torch."""
import argparse
import math
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--turns", type=int, default=5)
parser.add_argument("--base", type=int, default=32768)
parser.add_argument("--size", type=int, default=256)
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=os.cpu_count())
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)
SIZES = [4 * 2 ** i for i in range(int(math.log2(args.size)) - 1)]
FILTER = torch.outer(torch.tensor([1., 3, 3, 1]), torch.tensor([1., 3, 3, 1])) / 64
numbers = []  # in the order in which time_stylegan2 reads them


def make(*shape, scale=1.0, shift=0.0):
    numbers.append(torch.randn(*shape) * scale + shift)
    return numbers[-1]


def width(size):
    return min(args.base // size, 512)


def make_style(channels):
    return make(channels, 512, scale=1 / math.sqrt(512)), make(channels, scale=0.1, shift=1)


def make_layer(ci, size):
    co = width(size)
    affine, weight, bias = make_style(ci), make(co, ci, 3, 3), make(co, scale=0.1)
    return dict(affine=affine, weight=weight, bias=bias, noise=make(1, 1, size, size), strength=make(1, scale=0.1))


def make_rgb(size):
    return dict(affine=make_style(width(size)), weight=make(3, width(size), 1, 1), bias=make(3, scale=0.1))


def style(p, w):
    return F.linear(w, *p["affine"])


def modulate(weight, s, demodulate):
    w = weight[None] * s[:, None, :, None, None]
    if demodulate:
        w = w * (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    return w


def smooth(x, pads, gain):
    c = x.shape[1]
    return F.conv2d(F.pad(x, pads), (FILTER * gain)[None, None].expand(c, 1, 4, 4), groups=c)


def layer(p, x, w, up):
    n, ci, h, _ = x.shape
    weight = modulate(p["weight"], style(p, w), True)
    co = weight.shape[1]
    if up:
        x = F.conv_transpose2d(x.reshape(1, n * ci, h, h), weight.transpose(1, 2).reshape(n * ci, co, 3, 3), stride=2, groups=n)
        x = smooth(x.reshape(n, co, 2 * h + 1, 2 * h + 1), [1, 1, 1, 1], 4)
    else:
        x = F.conv2d(x.reshape(1, n * ci, h, h), weight.reshape(n * co, ci, 3, 3), padding=1, groups=n).reshape(n, co, h, h)
    x = x + p["noise"] * p["strength"]
    return F.leaky_relu(x + p["bias"][:, None, None], 0.2) * math.sqrt(2)


def to_rgb(p, x, w):
    n, c, h, _ = x.shape
    weight = modulate(p["weight"], style(p, w) / math.sqrt(c), False)
    return F.conv2d(x.reshape(1, n * c, h, h), weight.reshape(n * 3, c, 1, 1), groups=n).reshape(n, 3, h, h) + p["bias"][:, None, None]


def upsample(x):
    n, c, h, w = x.shape
    x = F.pad(x[:, :, :, None, :, None], [0, 1, 0, 0, 0, 1]).reshape(n, c, 2 * h, 2 * w)
    return smooth(x, [2, 1, 2, 1], 4)


def synthesis(p, ws):
    x, image, at = p["const"].expand(len(ws), -1, -1, -1), None, 0
    for i, size in enumerate(SIZES):
        if i:
            x, at = layer(p[size, 0], x, ws[:, at], True), at + 1
        x, at = layer(p[size, 1], x, ws[:, at], False), at + 1
        rgb = to_rgb(p[size, 2], x, ws[:, at])
        image = upsample(image) + rgb if i else rgb
    return image


with torch.no_grad():
    start, target, params = make(1, 2 * len(SIZES), 512), make(1, 3, args.size, args.size), {}
    params["const"] = make(1, width(4), 4, 4)
    for size in SIZES:
        if size > 4:
            params[size, 0] = make_layer(width(size // 2), size)
        params[size, 1] = make_layer(width(size), size)
        params[size, 2] = make_rgb(size)
ws = start.clone().requires_grad_(True)
adam = torch.optim.Adam([ws], lr=0.01)


def step():
    adam.zero_grad()
    loss = (synthesis(params, ws) - target).square().mean()
    loss.backward()
    return loss


first = float(step().detach())
gradient = ws.grad.numpy().copy()
times = {"weft " + args.device: [], "PyTorch": []}
with tempfile.TemporaryDirectory() as folder:
    file, out = os.path.join(folder, "numbers"), os.path.join(folder, "gradient")
    with open(file, "wb") as f:
        for t in numbers:
            f.write(t.contiguous().numpy().tobytes())
    for turn in range(args.turns):
        command = [os.path.join(args.build, "tests", "time_stylegan2"), file, str(args.base), str(args.size), args.device, "2", out]
        lines = subprocess.check_output(command, text=True, env=dict(os.environ, OMP_NUM_THREADS=str(args.threads))).splitlines()
        times["weft " + args.device] += [tuple(map(float, line.split())) for line in lines[:-1]]
        peak = float(lines[-1].split()[3])
        if turn == 0:
            g = np.fromfile(out, np.float32).reshape(gradient.shape)
            print(f"loss: PyTorch {first:.7g}, weft {float(lines[-1].split()[1]):.7g};",
                  f"gradients differ by {np.linalg.norm(g - gradient) / np.linalg.norm(gradient):.1e}", flush=True)
        for _ in range(2):
            begin, busy = time.time(), time.process_time()
            step()
            adam.step()
            times["PyTorch"].append((1e3 * (time.time() - begin), 1e3 * (time.process_time() - busy)))
for k, kind in enumerate(["clock", "processor time"]):
    ours, theirs = [[t[k] for t in list_] for list_ in times.values()]
    for name, list_ in zip(times, (ours, theirs)):
        print(f"{kind}, {name}: median {statistics.median(list_):.0f} ms, least {min(list_):.0f}, most {max(list_):.0f}, {len(list_)} steps")
    print(f"{kind}: weft / PyTorch {statistics.median(ours) / statistics.median(theirs):.3f} of the medians, {min(ours) / min(theirs):.3f} of the least;",
          f"{args.threads} threads")
own = next(float(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"most memory of the process: weft {peak:.0f} MiB, PyTorch {own:.0f} MiB")
