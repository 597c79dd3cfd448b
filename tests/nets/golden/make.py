#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/nets/expected/CASE.f32 for the cases named (default: all): the outputs of nets.py on seeded weights and inputs.

A case file has lines `arch A`, `variant V`, `gain G` (of the large weights; 1), `in KIND DIMS...` and `tensor NAME DIMS...`. Numbers come from a hash of name and
position, the same here and in test_nets.c. An expected file holds SAMPLES elements of each output, evenly spaced."""
import os
import sys

import numpy as np
import torch

import nets

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = 1024


def uniform(name, count):
    """float32 in [-1, 1): murmur3's finalizer of position and the FNV-1a hash of the name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
        x ^= x >> 16
    return (x >> 8).astype(np.float32) * np.float32(2 ** -23) - np.float32(1)


def tensor(name, shape, gain):
    u = uniform(name, int(np.prod(shape, dtype=np.int64)))
    if not shape:
        return np.zeros((), np.int64)
    if name.endswith("mask_conv.weight"):
        u[:] = 1
    elif len(shape) == 1:
        u = u * np.float32(.5) + np.float32(1) if name.endswith(("weight", "running_var", "gamma")) else u * np.float32(.125)
    else:
        u = u * np.float32(gain * np.sqrt(3 / np.prod(shape[1:])))
    return u.reshape(shape)


def value(kind, index, shape):
    u = uniform(f"in.{index}", int(np.prod(shape))).reshape(shape)
    if kind == "tokens":
        return ((u + 1) * np.float32(5000)).astype(np.int64)
    if kind == "uniform":
        return u
    hole = np.zeros(shape, np.float32)  # the middle, off centre
    h, w = shape[2:]
    hole[:, :, h // 4:h // 4 + h // 3, w // 3:w // 3 + w // 2] = 1
    return hole if kind == "hole" else 1 - hole


def load(path):
    case = {"in": [], "tensors": {}, "variant": None, "gain": 1.}
    for words in map(str.split, open(path)):
        if words[0] in ("arch", "variant"):
            case[words[0]] = words[1]
        elif words[0] == "gain":
            case["gain"] = float(words[1])
        elif words[0] == "in":
            case["in"].append(value(words[1], len(case["in"]), [int(d) for d in words[2:]]))
        else:
            case["tensors"][words[1]] = tensor(words[1], [int(d) for d in words[2:]], case["gain"])
    return case


def bundled(case, x):
    """The definition that the bundled weights were trained in."""
    sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tools", "train"))
    from network import Network
    net = Network()
    net.load_state_dict({k: torch.from_numpy(v) for k, v in case["tensors"].items()})
    return net(*x)


def run(case):
    w = nets.Weights({k: torch.from_numpy(v) for k, v in case["tensors"].items()})
    x = [torch.from_numpy(v) for v in case["in"]]
    variant = case["variant"]
    norm = dict(norm="instance" if variant == "instance" else "batch", batch_stats=variant == "batch-stats")
    return {
        "weft-garment": lambda: bundled(case, x),
        "deepfillv2": lambda: nets.deepfillv2(w, *x, variant),
        "partialconv-unet": lambda: nets.partial_unet(w, *x),
        "dpconv": lambda: nets.dpconv(w, *x),
        "dafii-coarse": lambda: nets.dafii(w, *x),
        "dafii-refine": lambda: nets.dafii(w, *x),
        "dafii-text": lambda: nets.dafii_text(w, *x),
        "pix2pix-unet256": lambda: nets.pix2pix_unet(w, *x, **norm),
        "pix2pix-resnet9": lambda: nets.pix2pix_resnet(w, *x, **norm),
    }[case["arch"]]()


def main():
    where = os.path.join(HERE, "..", "cases")
    torch.set_grad_enabled(False)
    for name in sys.argv[1:] or sorted(f[:-4] for f in os.listdir(where)):
        out = run(load(os.path.join(where, name + ".txt")))
        samples = []
        for y in out:
            flat = y.contiguous().numpy().astype("<f4").ravel()
            samples.append(flat[np.arange(SAMPLES, dtype=np.int64) * flat.size // SAMPLES] if flat.size > SAMPLES else flat)
            print(f"{name}: {list(y.shape)} mean {y.mean():.4f} deviation {y.std():.4f}")
        np.concatenate(samples).tofile(os.path.join(HERE, "..", "expected", name + ".f32"))


if __name__ == "__main__":
    main()
