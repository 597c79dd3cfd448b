#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/nets/expected/CASE.f32 for the cases named (default: all): the outputs of nets.py and loss_nets.py on seeded weights and inputs.

A case file has lines `arch A`, `variant V`, `entry E`, `gain G` (of the large weights; 1), `gradient` (by the first input, of the outputs times seeded numbers),
`by NAME [PART...]` (the same by a weight, or by one that weft joins from these parts),
`half` (weights of rank 2 and more are f16), `in KIND DIMS...` and `tensor NAME DIMS...`. Numbers come from a hash of name and position, the same here and in
test_nets.c. An expected file holds SAMPLES elements of each output, then of the gradient, evenly spaced."""
import os
import sys

import numpy as np
import torch

import loss_nets
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
    if name.startswith("lpips") or name.startswith("lin") and name.endswith("model.1.weight"):  # no weight of a difference is negative
        u = np.abs(u)
    if not shape:
        return np.zeros((), np.int64)
    if name.endswith("mask_conv.weight"):
        u[:] = 1
    elif name.startswith("lpips"):
        u = u * np.float32(.5)
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
    if kind == "bytes":
        return (u + np.float32(1)) * np.float32(127.5)
    hole = np.zeros(shape, np.float32)  # the middle, off centre
    h, w = shape[2:]
    hole[:, :, h // 4:h // 4 + h // 3, w // 3:w // 3 + w // 2] = 1
    return hole if kind == "hole" else 1 - hole


def load(path):
    case = {"in": [], "tensors": {}, "variant": None, "entry": "main", "gain": 1., "gradient": False, "by": [], "half": False}
    for words in map(str.split, open(path)):
        if words[0] in ("arch", "variant", "entry"):
            case[words[0]] = words[1]
        elif words[0] in ("gradient", "half"):
            case[words[0]] = True
        elif words[0] == "by":
            case["by"], case["gradient"] = words[2:] or words[1:], True
        elif words[0] == "gain":
            case["gain"] = float(words[1])
        elif words[0] == "in":
            case["in"].append(value(words[1], len(case["in"]), [int(d) for d in words[2:]]))
        else:
            t = tensor(words[1], [int(d) for d in words[2:]], case["gain"])
            case["tensors"][words[1]] = t.astype(np.float16).astype(np.float32) if case["half"] and t.ndim > 1 else t
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
    by = [w[name] for name in case["by"]] or x[:1]
    for v in by:
        v.requires_grad_(case["gradient"])
    variant = case["variant"]
    entry = case["entry"]
    norm = dict(norm="instance" if variant == "instance" else "batch", batch_stats=variant == "batch-stats")
    out = {
        "weft-garment": lambda: bundled(case, x),
        "deepfillv2": lambda: nets.deepfillv2(w, *x, variant),
        "partialconv-unet": lambda: nets.partial_unet(w, *x),
        "dpconv": lambda: nets.dpconv(w, *x),
        "dafii-coarse": lambda: nets.dafii(w, *x),
        "dafii-refine": lambda: nets.dafii(w, *x),
        "dafii-text": lambda: nets.dafii_text(w, *x),
        "pix2pix-unet256": lambda: nets.pix2pix_unet(w, *x, **norm),
        "pix2pix-resnet9": lambda: nets.pix2pix_resnet(w, *x, **norm),
        "vgg16": lambda: loss_nets.classifier(w, "vgg16", *x) if entry == "classifier" else loss_nets.activations(w, "vgg16", *x)[0],
        "vgg19": lambda: loss_nets.activations(w, "vgg19", *x)[0],
        "lpips-vgg": lambda: loss_nets.lpips_features(w, "vgg16", *x) if entry == "features" else loss_nets.lpips(w, "vgg16", *x),
        "lpips-alex": lambda: loss_nets.lpips_features(w, "alex", *x) if entry == "features" else loss_nets.lpips(w, "alex", *x),
        "vgg16-lpips": lambda: loss_nets.lpips_vector(w, *x),
        "arcface-irse50": lambda: loss_nets.arcface(w, *x),
        "e4e": lambda: loss_nets.style_encoder(w, *x, True, entry == "encode"),
        "psp": lambda: loss_nets.style_encoder(w, *x, False, entry == "encode"),
        "clip-vit-b32": lambda: (loss_nets.clip_text if entry == "text" else loss_nets.clip_vit_image)(w, *x),
        "clip-rn50": lambda: (loss_nets.clip_text if entry == "text" else loss_nets.clip_resnet_image)(w, *x),
    }[case["arch"]]()
    if case["gradient"]:
        cotangents = [torch.from_numpy(uniform(f"cotangent.{k}", y.numel())).view(y.shape) for k, y in enumerate(out)]
        gradient = torch.autograd.grad(out, by, cotangents)
        out = [y.detach() for y in out] + [torch.cat([g.reshape(-1) for g in gradient])]
    return out


def main():
    where = os.path.join(HERE, "..", "cases")
    for name in sys.argv[1:] or sorted(f[:-4] for f in os.listdir(where)):
        case = load(os.path.join(where, name + ".txt"))
        with torch.set_grad_enabled(case["gradient"]):
            out = run(case)
        samples = []
        for y in out:
            flat = y.contiguous().numpy().astype("<f4").ravel()
            samples.append(flat[np.arange(SAMPLES, dtype=np.int64) * flat.size // SAMPLES] if flat.size > SAMPLES else flat)
            print(f"{name}: {list(y.shape)} mean {y.mean():.4f} deviation {y.std():.4f}")
        np.concatenate(samples).tofile(os.path.join(HERE, "..", "expected", name + ".f32"))


if __name__ == "__main__":
    main()
