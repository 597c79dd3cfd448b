#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""StyleGAN and StyleGAN2 in plain PyTorch functions of a state dict, under the key names of four programs: what the imported generators
are held against. Weights are modulated one sample at a time and filters run over zero-stuffed images, as the papers define it, whatever
is faster. Every function takes the tensors `t` and the prefix `p` of their names.

    stylegan.py             makes tests/nets/stylegan/*.safetensors: small generators and what they give
    stylegan.py CASE_DIR    a published case (case.json, small.npz, io.npz) against these functions"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
from torch.nn import functional as F

ROOT2 = math.sqrt(2)


# --- What all of them share. ------------------------------------------------------------------------------------------

def upfirdn(x, f, up=1, down=1, pads=(0, 0, 0, 0), gain=1.):
    """Zeros between pixels, zeros around (top, left, bottom, right; negative: cropped), true convolution with f, every down-th pixel."""
    n, c, h, w = x.shape
    f = torch.outer(f, f) if f.ndim == 1 else f
    z = torch.zeros(n, c, h * up, w * up, dtype=x.dtype)
    z[:, :, ::up, ::up] = x
    z = F.pad(z, (pads[1], pads[3], pads[0], pads[2]))
    k = (f.flip(0, 1) * gain).to(x.dtype)[None, None].expand(c, 1, -1, -1)
    return F.conv2d(z, k, groups=c)[:, :, ::down, ::down]


def around(f, before, after):
    h, w = f.shape[0], f.shape[-1]
    return before(h), before(w), after(h), after(w)


def conv_resample(x, w, f, up=1, down=1):
    """Convolution that keeps, doubles or halves the size; f is the filter of gain 1."""
    k = w.shape[2]
    p = k // 2
    if up == 2:
        x = upfirdn(x, f, up=2, pads=around(f, lambda s: (s + 1) // 2 + p, lambda s: (s - 2) // 2 + p), gain=4)
        return F.conv2d(x, w.flip(2, 3))
    if down == 2:
        x = upfirdn(x, f, pads=around(f, lambda s: (s - 1) // 2 + p, lambda s: (s - 2) // 2 + p))
        return F.conv2d(x, w, stride=2)
    return F.conv2d(x, w, padding=p)


def modulated(x, w, s, f=None, up=1, demodulate=True):
    y = []
    for i in range(len(x)):
        v = w * s[i][None, :, None, None]
        if demodulate:
            v = v * (v.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        y.append(conv_resample(x[i:i + 1], v, f, up=up))
    return torch.cat(y)


def activate(x, b=None, act=True, gain=1., clamp=None):
    if b is not None:
        x = x + b.reshape(1, -1, *[1] * (x.ndim - 2))
    if act:
        x = F.leaky_relu(x, .2) * ROOT2
    x = x * gain
    return x if not clamp else x.clamp(-clamp * gain, clamp * gain)


def unit(z):
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def up_rgb(x, f, gain=4.):
    return upfirdn(x, f, up=2, pads=around(f, lambda s: (s + 1) // 2, lambda s: (s - 2) // 2), gain=gain)


def minibatch_std(x, group):
    n, c, h, w = x.shape
    g = min(group, n)
    y = x.reshape(g, -1, c, h, w)
    y = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))
    return torch.cat([x, y.reshape(-1, 1, 1, 1).repeat(g, 1, h, w)], 1)


# --- StyleGAN2-ADA (github.com/NVlabs/stylegan2-ada-pytorch). -------------------------------------------------------------------

def ada_fc(t, p, x, act=False, lr=1.):
    w = t[p + ".weight"]
    return activate(F.linear(x, w * (lr / math.sqrt(w.shape[1]))), t[p + ".bias"] * lr, act)


def ada_map(t, p, z, c=None):
    x = None if z is None else unit(z)
    if c is not None:
        y = unit(ada_fc(t, p + "embed", c))
        x = y if x is None else torch.cat([x, y], 1)
    i = 0
    while f"{p}fc{i}.weight" in t:
        x = ada_fc(t, f"{p}fc{i}", x, True, .01)
        i += 1
    return x


def ada_blocks(t, p):
    return sorted({int(k[len(p) + 1:].split(".")[0]) for k in t if k.startswith(p + "b") and k[len(p) + 1:len(p) + 2].isdigit()})


def ada_maps(t, p):
    return [k for r in ada_blocks(t, p) for k in (f"b{r}.conv0", f"b{r}.conv1") if f"{p}{k}.noise_const" in t]


def ada_layers(t, p):
    """Modulated layers in order with the index of their ws."""
    out, index = [], 0
    for r in ada_blocks(t, p):
        for k in ("conv0", "conv1"):
            if f"{p}b{r}.{k}.weight" in t:
                out.append((f"b{r}.{k}", index))
                index += 1
        if f"{p}b{r}.torgb.weight" in t:
            out.append((f"b{r}.torgb", index))
    return out, index + 1


def ada_styles(t, p, ws):
    layers, _ = ada_layers(t, p)
    return {k: ada_fc(t, p + k + ".affine", ws[:, i]) for k, i in layers}


def ada_layer(t, p, k, x, s, noise, up, clamp, gain=1.):
    f = t[p + k + ".resample_filter"]
    x = modulated(x, t[p + k + ".weight"], s[k], f, up)
    if noise is not None:
        x = x + noise[k] * t[p + k + ".noise_strength"]
    return activate(x, t[p + k + ".bias"], True, gain, clamp)


def ada_rgb(t, p, k, x, s, clamp):
    w = t[p + k + ".weight"]
    return activate(modulated(x, w, s[k] / math.sqrt(w.shape[1]), demodulate=False), t[p + k + ".bias"], False, 1., clamp)


def ada_synthesis(t, p, s, noise, clamp=256.):
    img, x = None, t[p + "b4.const"][None].expand(len(s["b4.conv1"]), -1, -1, -1)
    for r in ada_blocks(t, p):
        b, resnet = f"{p}b{r}.", f"{p}b{r}.skip.weight" in t
        y = x
        if r > 4:
            x = ada_layer(t, p, f"b{r}.conv0", x, s, noise, 2, clamp)
        x = ada_layer(t, p, f"b{r}.conv1", x, s, noise, 1, clamp, math.sqrt(.5) if resnet else 1.)
        if resnet:
            w = t[b + "skip.weight"]
            x = x + conv_resample(y, w / math.sqrt(w.shape[1]), t[b + "skip.resample_filter"], up=2) * math.sqrt(.5)
        if img is not None:
            img = up_rgb(img, t[b + "resample_filter"])
        if b + "torgb.weight" in t:
            y = ada_rgb(t, p, f"b{r}.torgb", x, s, clamp)
            img = y if img is None else img + y
    return img


def ada_conv(t, p, x, down=1, act=True, gain=1., clamp=None):
    w = t[p + ".weight"]
    f = t.get(p + ".resample_filter")
    x = conv_resample(x, w / math.sqrt(w[0].numel()), f, down=down)
    return activate(x, t.get(p + ".bias"), act, gain, clamp)


def ada_discriminate(t, p, img, c=None, clamp=256.):
    x, half = None, math.sqrt(.5)
    for r in reversed(ada_blocks(t, p)):
        b = f"{p}b{r}."
        if b + "fromrgb.weight" in t:
            y = ada_conv(t, b + "fromrgb", img, clamp=clamp)
            x = y if x is None else x + y
            if f"{p}b4.fromrgb.weight" in t and r > 4:
                f = t[b + "resample_filter"]
                img = upfirdn(img, f, down=2, pads=around(f, lambda s: (s - 1) // 2, lambda s: (s - 2) // 2))
        if r == 4:
            break
        resnet = b + "skip.weight" in t
        y = ada_conv(t, b + "skip", x, 2, False, half) if resnet else None
        x = ada_conv(t, b + "conv0", x, clamp=clamp)
        x = ada_conv(t, b + "conv1", x, 2, True, half if resnet else 1., clamp)
        x = x + y if resnet else x
    x = minibatch_std(x, 4) if t[p + "b4.conv.weight"].shape[1] > x.shape[1] else x
    x = ada_conv(t, p + "b4.conv", x, clamp=clamp)
    x = ada_fc(t, p + "b4.out", ada_fc(t, p + "b4.fc", x.flatten(1), True))
    if c is None:
        return x
    m = ada_map(t, p + "mapping.", None, c)
    return (x * m).sum(1, keepdim=True) / math.sqrt(m.shape[1])


def ada_entries(t, g="", d="D.", clamp=256.):
    p = g + "synthesis."
    consts = {k: t[f"{p}{k}.noise_const"] for k in ada_maps(t, p)}
    _, layers = ada_layers(t, p)

    def mapping(z, c=None):
        return ada_map(t, g + "mapping.", z, c)[:, None].expand(-1, layers, -1)

    e = {
        "synthesis": lambda ws: {"image": ada_synthesis(t, p, ada_styles(t, p, ws), consts, clamp)},
        "synthesis_noise": lambda ws, *maps: {"image": ada_synthesis(t, p, ada_styles(t, p, ws), dict(zip(consts, maps)), clamp)},
        "synthesis_none": lambda ws: {"image": ada_synthesis(t, p, ada_styles(t, p, ws), None, clamp)},
        "mapping": lambda *zc: {"ws": mapping(*zc)},
        "styles": lambda ws: {k + ".style": v for k, v in ada_styles(t, p, ws).items()},
        "synthesis_styles": lambda *s: {"image": ada_synthesis(t, p, dict(zip([k for k, _ in ada_layers(t, p)[0]], s)), consts, clamp)},
        "generate": lambda *zc: {"image": ada_synthesis(t, p, ada_styles(t, p, mapping(*zc)), consts, clamp)},
    }
    if g + "mapping.w_avg" in t:
        e["average"] = lambda: {"w_avg": t[g + "mapping.w_avg"]}
    if d + "b4.out.weight" in t:
        e["discriminator"] = lambda img, *c: {"logits": ada_discriminate(t, d, img, *c, clamp=clamp)}
    return e


# --- StyleGAN2 (github.com/rosinality/stylegan2-pytorch). -------------------------------------------------------------------------

def ros_fc(t, p, x, act=False, lr=1.):
    w = t[p + ".weight"]
    return activate(F.linear(x, w * (lr / math.sqrt(w.shape[1]))), t[p + ".bias"] * lr, act)


def ros_layers(t, p):
    out, size, i, k = [("conv1", 0), ("to_rgb1", 1)], 4, 0, 1
    while f"{p}to_rgbs.{i}.bias" in t:
        out += [(f"convs.{2 * i}", k), (f"convs.{2 * i + 1}", k + 1), (f"to_rgbs.{i}", k + 2)]
        i, k = i + 1, k + 2
    return out, k + 1


def ros_styles(t, p, ws):
    return {k: ros_fc(t, f"{p}{k}.conv.modulation", ws[:, i]) for k, i in ros_layers(t, p)[0]}


def ros_modulated(t, p, x, s, up=1, demodulate=True):
    w = t[p + ".conv.weight"][0]
    f = t[p + ".conv.blur.kernel"] / 4 if up == 2 else None
    return modulated(x, w / math.sqrt(w[0].numel()), s, f, up, demodulate)


def ros_synthesis(t, p, s, noise):
    img, x = None, t[p + "input.input"].expand(len(s["conv1"]), -1, -1, -1)
    index = 0
    for k, _ in ros_layers(t, p)[0]:
        if "rgb" in k:
            y = ros_modulated(t, p + k, x, s[k], demodulate=False) + t[f"{p}{k}.bias"]
            img = y if img is None else up_rgb(img, t[f"{p}{k}.upsample.kernel"], 1) + y
            continue
        x = ros_modulated(t, p + k, x, s[k], 2 if k[:6] == "convs." and int(k[6:]) % 2 == 0 else 1)
        if noise is not None:
            x = x + noise[index] * t[f"{p}{k}.noise.weight"]
        x = activate(x, t[f"{p}{k}.activate.bias"])
        index += 1
    return img


def ros_conv(t, p, i, x, down=1, act=True):
    w = t[f"{p}.{i}.weight"]
    f = t[f"{p}.{i - 1}.kernel"] if down == 2 else None
    x = conv_resample(x, w / math.sqrt(w[0].numel()), f, down=down)
    return activate(x, t[f"{p}.{i + 1}.bias"]) if act else x


def ros_discriminate(t, p, img):
    x, i = ros_conv(t, p + "convs.0", 0, img), 1
    while f"{p}convs.{i}.conv1.0.weight" in t:
        y = ros_conv(t, f"{p}convs.{i}.conv2", 1, ros_conv(t, f"{p}convs.{i}.conv1", 0, x), 2)
        x = (y + ros_conv(t, f"{p}convs.{i}.skip", 1, x, 2, False)) / ROOT2
        i += 1
    x = ros_conv(t, p + "final_conv", 0, minibatch_std(x, 4))
    return ros_fc(t, p + "final_linear.1", ros_fc(t, p + "final_linear.0", x.flatten(1), True))


def ros_entries(t, g="", d="d."):
    consts = []
    while f"{g}noises.noise_{len(consts)}" in t:
        consts.append(t[f"{g}noises.noise_{len(consts)}"])

    def mapping(z):
        x, i = unit(z), 1
        while f"{g}style.{i}.weight" in t:
            x, i = ros_fc(t, f"{g}style.{i}", x, True, .01), i + 1
        return x[:, None].expand(-1, ros_layers(t, g)[1], -1)

    e = {
        "synthesis": lambda ws: {"image": ros_synthesis(t, g, ros_styles(t, g, ws), consts)},
        "synthesis_noise": lambda ws, *maps: {"image": ros_synthesis(t, g, ros_styles(t, g, ws), maps)},
        "synthesis_none": lambda ws: {"image": ros_synthesis(t, g, ros_styles(t, g, ws), None)},
        "mapping": lambda z: {"ws": mapping(z)},
        "styles": lambda ws: {k + ".style": v for k, v in ros_styles(t, g, ws).items()},
        "synthesis_styles": lambda *s: {"image": ros_synthesis(t, g, dict(zip([k for k, _ in ros_layers(t, g)[0]], s)), consts)},
        "generate": lambda z: {"image": ros_synthesis(t, g, ros_styles(t, g, mapping(z)), consts)},
    }
    if "latent_avg" in t:
        e["average"] = lambda: {"w_avg": t["latent_avg"]}
    if d + "final_linear.1.weight" in t:
        e["discriminator"] = lambda img: {"logits": ros_discriminate(t, d, img)}
    return e


# --- StyleGAN. The noise that these checkpoints do not hold: `fixed_noise`, the importer's. -----------------------------------------

def uniform(seed, count):
    """In (0, 1): murmur3's finalizer of the position and a seed."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
        x ^= x >> 16
    return ((x >> 8).astype(np.float64) + .5) * 2. ** -24


def fixed_noise(name, size):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    u = uniform(seed, 2 * size * size)
    z = np.sqrt(-2 * np.log(u[0::2])) * np.cos(2 * np.pi * u[1::2])
    return torch.from_numpy(z.astype(np.float32).reshape(size, size))


def doubled(x, w, fused, average):
    """Twice the size, then the 3x3 convolution w; fused: one transposed convolution by the box-summed weights."""
    if not fused:
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), w, padding=1)
    w = F.pad(w.transpose(0, 1), (1, 1, 1, 1))
    w = w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]
    return F.conv_transpose2d(x, w / 4 if average else w, stride=2, padding=1)


def adain(x, s, one):
    a, b = s[:, :, None, None].chunk(2, 1)
    return F.instance_norm(x) * (a + one) + b


# github.com/lernapparat/lernapparat, style_gan
def map_fc(t, p, x, gain, lr):
    w = t[p + ".weight"]
    return F.linear(x, w * (gain / math.sqrt(w.shape[1]) * lr), t[p + ".bias"] * lr)


def map_entries(t, g="", fused_from=128):
    sizes = sorted(int(k.split("x")[0][len(g) + 19:]) for k in t if k.startswith(g + "g_synthesis.blocks.") and k.endswith("epi1.style_mod.lin.bias"))
    maps = [f"blocks.{r}x{r}.epi{k}" for r in sizes for k in (1, 2)]
    names = [m + ".noise" for m in maps]
    consts = [fixed_noise(m, int(m.split(".")[1].split("x")[0])) for m in names]

    def mapping(z):
        x = unit(z)
        for i in range(8):
            x = F.leaky_relu(map_fc(t, f"{g}g_mapping.dense{i}", x, ROOT2, .01), .2)
        return x[:, None].expand(-1, len(maps), -1)

    def epilogue(k, x, w, noise):
        p = f"{g}g_synthesis.{maps[k]}."
        if noise is not None:
            x = x + t[p + "top_epi.noise.weight"].reshape(1, -1, 1, 1) * noise[k]
        return adain(F.leaky_relu(x, .2), map_fc(t, p + "style_mod.lin", w[:, k], 1., 1.), 1.)

    def conv(p, x, gain, up=False):
        w = t[p + ".weight"]
        w = w * (gain / math.sqrt(w[0].numel()))
        x = doubled(x, w, x.shape[2] * 2 >= fused_from, False) if up else F.conv2d(x, w, padding=w.shape[2] // 2)
        if up:
            x = F.conv2d(x, t[p + ".intermediate.kernel"].expand(x.shape[1], -1, -1, -1), padding=1, groups=x.shape[1])
        return x + t[p + ".bias"].reshape(1, -1, 1, 1)

    def synthesis(ws, noise):
        for i, r in enumerate(sizes):
            p = f"{g}g_synthesis.blocks.{r}x{r}."
            if i == 0:
                x = t[p + "const"].expand(len(ws), -1, -1, -1) + t[p + "bias"].reshape(1, -1, 1, 1)
            else:
                x = conv(p + "conv0_up", x, ROOT2, True)
            x = conv(p + ("conv" if i == 0 else "conv1"), epilogue(2 * i, x, ws, noise), ROOT2)
            x = epilogue(2 * i + 1, x, ws, noise)
        return {"image": conv(g + "g_synthesis.torgb", x, 1.)}

    e = sg1_entries(mapping, synthesis, consts)
    if g + "truncation.avg_latent" in t:
        e["average"] = lambda: {"w_avg": t[g + "truncation.avg_latent"]}
    return e


# github.com/rosinality/style-based-gan-pytorch
def sgr_entries(t, g="", size=None):
    steps = int(math.log2(size)) - 1 if size else max(int(k[len(g) + 22:].split(".")[0]) for k in t if k.startswith(g + "generator.progression.")) + 1
    names = [f"noise_{i}" for i in range(steps)]
    consts = [fixed_noise(m, 4 << i) for i, m in enumerate(names)]

    def mapping(z):
        x = z / torch.sqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for i in range(1, 16, 2):
            w = t[f"{g}style.{i}.linear.weight_orig"]
            x = F.leaky_relu(F.linear(x, w * math.sqrt(2 / w.shape[1]), t[f"{g}style.{i}.linear.bias"]), .2)
        return x[:, None].expand(-1, 2 * steps, -1)

    def half(p, k, x, w, noise):
        if noise is not None:
            v = t[f"{p}noise{k}.weight_orig"]
            x = x + v * math.sqrt(2 / v.shape[1]) * noise
        v = t[f"{p}adain{k}.style.linear.weight_orig"]
        return adain(F.leaky_relu(x, .2), F.linear(w, v * math.sqrt(2 / v.shape[1]), t[f"{p}adain{k}.style.linear.bias"]), 0.)

    def conv(p, x):
        w = t[p + ".conv.weight_orig"]
        return F.conv2d(x, w * math.sqrt(2 / w[0].numel()), t[p + ".conv.bias"], padding=w.shape[2] // 2)

    def blur(p, x):
        return F.conv2d(x, t[p + ".weight"], padding=1, groups=x.shape[1])

    def synthesis(ws, noise):
        for i in range(steps):
            p = f"{g}generator.progression.{i}."
            if i == 0:
                x = t[p + "conv1.input"].expand(len(ws), -1, -1, -1)
            elif p + "conv1.0.weight" in t:
                w = t[p + "conv1.0.weight"]
                x = doubled(x, w.transpose(0, 1) * math.sqrt(2 / (w.shape[0] * 9)), True, True) + t[p + "conv1.0.bias"].reshape(1, -1, 1, 1)
                x = blur(p + "conv1.1", x)
            else:
                x = blur(p + "conv1.2", conv(p + "conv1.1", F.interpolate(x, scale_factor=2, mode="nearest")))
            x = half(p, 1, x, ws[:, 2 * i], noise and noise[i])
            x = half(p, 2, conv(p + "conv2", x), ws[:, 2 * i + 1], noise and noise[i])
        return {"image": conv(f"{g}generator.to_rgb.{steps - 1}", x)}

    return sg1_entries(mapping, synthesis, consts)


def sg1_entries(mapping, synthesis, consts):
    return {
        "synthesis": lambda ws: synthesis(ws, consts),
        "synthesis_noise": lambda ws, *maps: synthesis(ws, maps),
        "synthesis_none": lambda ws: synthesis(ws, None),
        "mapping": lambda z: {"ws": mapping(z)},
        "generate": lambda z: synthesis(mapping(z), consts),
    }


# --- Published cases. ------------------------------------------------------------------------------------------------------------

def rebuild(where):
    case = json.load(open(os.path.join(where, "case.json")))
    small = np.load(os.path.join(where, "small.npz"))
    out = {}
    for v in case["tensors"]:
        if "same_as" in v:
            out[v["name"]] = out[v["same_as"]]
        elif "seed" in v:
            a = np.random.RandomState(v["seed"]).standard_normal(int(np.prod(v["shape"], dtype=np.int64))) * v["std"] + v["mean"]
            out[v["name"]] = torch.from_numpy(a.astype(np.float32).reshape(v["shape"]))
        else:
            out[v["name"]] = torch.from_numpy(small[v["name"]])
    return out


def published(where):
    t, io = rebuild(where), np.load(os.path.join(where, "io.npz"))
    name = os.path.basename(os.path.normpath(where))
    e = map_entries(t) if name.startswith("sg1_map") else sgr_entries(t, size=256) if name.startswith("sg1") else \
        ros_entries(t) if name.startswith("sg2ros") else ada_entries(t)
    entry = "mapping" if "mapping" in name else "generate" if name == "sg1_rosinality" else "synthesis_noise" if "noise" in name else "synthesis"
    x = [torch.from_numpy(io[f"in.{i}"]).requires_grad_("grad.0" in io) for i in range(sum(k.startswith("in.") for k in io))]
    y, = e[entry](*x).values()

    def error(a, b):
        return float((a - b).norm() / b.norm())
    want = torch.from_numpy(io["out.0"])
    if y.shape != want.shape:
        print(f"{name} {entry}: shape {list(y.shape)}, wants {list(want.shape)}")
        want = want[:, :y.shape[1]]
    print(f"{name} {entry}: {error(y.detach(), want):.2e}")
    if "grad.0" in io:
        y.backward(torch.from_numpy(io["cotangent.0"]))
        print("  gradients", *(f"{error(v.grad, torch.from_numpy(io[f'grad.{i}'])):.2e}" for i, v in enumerate(x)))


# --- Small cases, for test_stylegan. ------------------------------------------------------------------------------------------------

SAMPLES, BATCH = 128, 3


def filled(name, shape):
    """float64 in [-1, 1) times the root of 3, from a hash of the name; the same in test_stylegan.c."""
    with np.errstate(over="ignore"):
        seed = 0x811C9DC5
        for byte in name.encode():
            seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
        x = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
        x ^= x >> 16
    return ((x >> 8).astype(np.float32) * np.float32(2 ** -23) - np.float32(1)) * np.float32(1.7320508)


def sampled(v):
    flat = v.detach().numpy().ravel()
    return (flat[np.arange(SAMPLES) * flat.size // SAMPLES] if flat.size > SAMPLES else flat).astype("<f4")


def save(path, tensors):
    header, at = {}, 0
    for k, v in tensors.items():
        header[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for v in tensors.values():
            f.write(np.ascontiguousarray(v, "<f4").tobytes())


class Maker:
    """Tensors of a checkpoint, drawn one after the other."""

    def __init__(self, seed):
        self.random, self.t = np.random.RandomState(seed), {}

    def __call__(self, name, *shape, scale=1., around=0.):
        self.t[name] = np.asarray(self.random.standard_normal(shape) * scale + around, np.float32)

    def fixed(self, name, value):
        self.t[name] = np.asarray(value, np.float32)


def outer(*taps, gain=1.):
    f = np.outer(taps, taps).astype(np.float64)
    return f / f.sum() * gain


def ada_fc_tensors(m, name, into, out, lr=1., around=0.):
    m(name + ".weight", out, into, scale=1 / lr)
    m(name + ".bias", out, scale=.1 / lr, around=around)


def ada_case(seed, form, widths, w, fir, classes=0, judge="resnet", d="D.", gain=1.):
    m = Maker(seed)
    z = w + 1
    if classes:
        ada_fc_tensors(m, "mapping.embed", classes, w)
    for i in range(3):
        ada_fc_tensors(m, f"mapping.fc{i}", (z + w if classes else z) if i == 0 else w, w, .01)
    m("mapping.w_avg", w, scale=.3)
    sizes = [4 << i for i in range(len(widths))]
    for r, c, before in zip(sizes, widths, [0] + widths):
        b = f"synthesis.b{r}."
        m.fixed(b + "resample_filter", fir)
        if r == 4:
            m(b + "const", c, 4, 4)
        for k in ([1] if r == 4 else [0, 1]):
            into = before if k == 0 else c
            p = f"{b}conv{k}"
            m(p + ".weight", c, into, 3, 3, scale=gain)
            m(p + ".noise_strength", scale=.3)
            m(p + ".bias", c, scale=.2)
            m.fixed(p + ".resample_filter", fir)
            m(p + ".noise_const", r, r)
            ada_fc_tensors(m, p + ".affine", w, into, around=1.)
        if form == "skip" or r == sizes[-1]:
            m(b + "torgb.weight", 3, c, 1, 1)
            m(b + "torgb.bias", 3, scale=.2)
            ada_fc_tensors(m, b + "torgb.affine", w, c, around=1.)
        if form == "resnet" and r > 4:
            m(b + "skip.weight", c, before, 1, 1)
            m.fixed(b + "skip.resample_filter", fir)
    for r, c, after in reversed(list(zip(sizes, widths, [0] + widths))):
        b = f"{d}b{r}."
        if r == sizes[-1] or judge == "skip":
            m(b + "fromrgb.weight", c, 3, 1, 1)
            m(b + "fromrgb.bias", c, scale=.2)
        if r > 4:
            m.fixed(b + "resample_filter", fir)
            for k, out in ((0, c), (1, after)):
                m(f"{b}conv{k}.weight", out, c, 3, 3)
                m(f"{b}conv{k}.bias", out, scale=.2)
                m.fixed(f"{b}conv{k}.resample_filter", fir)
            if judge == "resnet":
                m(b + "skip.weight", after, c, 1, 1)
                m.fixed(b + "skip.resample_filter", fir)
        else:
            compared = 4 if classes else 1
            m(b + "conv.weight", c, c + 1, 3, 3)
            m(b + "conv.bias", c, scale=.2)
            ada_fc_tensors(m, b + "fc", 16 * c, c)
            ada_fc_tensors(m, b + "out", c, compared)
            if classes:
                ada_fc_tensors(m, d + "mapping.embed", classes, compared)
                for i in range(2):
                    ada_fc_tensors(m, f"{d}mapping.fc{i}", compared, compared, .01)
    return m.t


def ros_case(seed, widths, w):
    m = Maker(seed)
    g, d, fir = "g_ema.", "d.", (1, 3, 3, 1)
    for i in range(1, 4):
        ada_fc_tensors(m, f"{g}style.{i}", w, w, .01)
    m("latent_avg", w, scale=.3)
    m(g + "input.input", 1, widths[0], 4, 4)

    def layer(name, into, out, k):
        m(name + ".conv.weight", 1, out, into, k, k)
        ada_fc_tensors(m, name + ".conv.modulation", w, into, around=1.)

    def noisy(name, into, out):
        layer(name, into, out, 3)
        m(name + ".noise.weight", 1, scale=.3)
        m(name + ".activate.bias", out, scale=.2)
    noisy(g + "conv1", widths[0], widths[0])
    layer(g + "to_rgb1", widths[0], 3, 1)
    m(g + "to_rgb1.bias", 1, 3, 1, 1, scale=.2)
    m(g + "noises.noise_0", 1, 1, 4, 4)
    for i, (before, c) in enumerate(zip(widths, widths[1:])):
        noisy(f"{g}convs.{2 * i}", before, c)
        m.fixed(f"{g}convs.{2 * i}.conv.blur.kernel", outer(*fir, gain=4))
        noisy(f"{g}convs.{2 * i + 1}", c, c)
        layer(f"{g}to_rgbs.{i}", c, 3, 1)
        m(f"{g}to_rgbs.{i}.bias", 1, 3, 1, 1, scale=.2)
        m.fixed(f"{g}to_rgbs.{i}.upsample.kernel", outer(*fir, gain=4))
        for k in (1, 2):
            m(f"{g}noises.noise_{2 * i + k}", 1, 1, 8 << i, 8 << i)

    def conv(name, into, out, k, down=False, act=True):
        if down:
            m.fixed(name + ".0.kernel", outer(*fir))
        m(f"{name}.{int(down)}.weight", out, into, k, k)
        if act:
            m(f"{name}.{int(down) + 1}.bias", out, scale=.2)
    conv(d + "convs.0", 3, widths[-1], 1)
    for i, (c, after) in enumerate(zip(widths[:0:-1], widths[-2::-1]), 1):
        conv(f"{d}convs.{i}.conv1", c, c, 3)
        conv(f"{d}convs.{i}.conv2", c, after, 3, True)
        conv(f"{d}convs.{i}.skip", c, after, 1, True, False)
    conv(d + "final_conv", widths[0] + 1, widths[0], 3)
    ada_fc_tensors(m, d + "final_linear.0", widths[0] * 16, widths[0])
    ada_fc_tensors(m, d + "final_linear.1", widths[0], 1)
    return m.t


def map_case(seed, widths, w):
    m = Maker(seed)
    for i in range(8):
        ada_fc_tensors(m, f"g_mapping.dense{i}", w, w, .01)
    m("truncation.avg_latent", w, scale=.3)
    for i, (c, before) in enumerate(zip(widths, [0] + widths)):
        b = f"g_synthesis.blocks.{4 << i}x{4 << i}."
        if i == 0:
            m(b + "const", 1, c, 4, 4)
            m(b + "bias", c, scale=.2)
        for k, name in ((1, "conv0_up"), (2, "conv1" if i else "conv")):
            m(f"{b}epi{k}.top_epi.noise.weight", c, scale=.3)
            ada_fc_tensors(m, f"{b}epi{k}.style_mod.lin", w, 2 * c)
            if i or k == 2:
                m(f"{b}{name}.weight", c, before if k == 1 else c, 3, 3)
                m(f"{b}{name}.bias", c, scale=.2)
        if i:
            m.fixed(b + "conv0_up.intermediate.kernel", outer(1, 2, 1)[None, None])
    m("g_synthesis.torgb.weight", 3, widths[-1], 1, 1)
    m("g_synthesis.torgb.bias", 3, scale=.2)
    return m.t


def sgr_case(seed, widths, w, fused_from):
    m = Maker(seed)

    def blur(name, c):
        for part in ("weight", "weight_flip"):
            m.fixed(f"{name}.{part}", np.tile(outer(1, 2, 1), (c, 1, 1, 1)))

    def conv(name, into, out, k):
        m(name + ".conv.weight_orig", out, into, k, k)
        m(name + ".conv.bias", out, scale=.2)
    for i in range(1, 16, 2):
        m(f"style.{i}.linear.weight_orig", w, w)
        m(f"style.{i}.linear.bias", w, scale=.1)
    for i, (c, before) in enumerate(zip(widths, [0] + widths)):
        b = f"generator.progression.{i}."
        if i == 0:
            m(b + "conv1.input", 1, c, 4, 4)
        elif i < fused_from:
            conv(b + "conv1.1", before, c, 3)
            blur(b + "conv1.2", c)
        else:
            m(b + "conv1.0.weight", before, c, 3, 3)
            m(b + "conv1.0.bias", c, scale=.2)
            blur(b + "conv1.1", c)
        conv(b + "conv2", c, c, 3)
        for k in (1, 2):
            m(f"{b}noise{k}.weight_orig", 1, c, 1, 1)
            m(f"{b}adain{k}.style.linear.weight_orig", 2 * c, w)
            m(f"{b}adain{k}.style.linear.bias", 2 * c, scale=.2, around=.5)
        conv(f"generator.to_rgb.{i}", c, 3, 1)
    return m.t


def cases():
    long_fir = np.array([.01, -.03, .05, .2, .3, .3, .2, .05, -.03, .01])  # stored as one row: separable
    long_fir /= long_fir.sum()
    return {
        "ada-skip": (ada_case(1, "skip", [8, 6, 5], 8, outer(1, 3, 3, 1), classes=3), ada_entries, {}),
        "ada-orig": (ada_case(2, "orig", [7, 5, 4], 6, outer(1, 2, 1), judge="orig", gain=.1), ada_entries, {"clamp": .75}),
        "ada-resnet": (ada_case(3, "resnet", [5, 8, 4], 7, long_fir, judge="skip"), ada_entries, {}),
        "rosinality": (ros_case(4, [6, 8, 5], 8), ros_entries, {"g": "g_ema."}),
        "stylegan1": (map_case(5, [5, 4, 4, 3], 6), map_entries, {"fused_from": 16}),
        "stylegan1-rosinality": (sgr_case(6, [6, 4, 4, 3], 5, 2), sgr_entries, {"size": 16}),
    }


def ports(t, name, entry):
    """Inputs of an entry, name to shape."""
    g = "g_ema." if name == "rosinality" else ""
    if name.startswith("ada"):
        styles = {k + ".style": [BATCH, t[f"synthesis.{k}.affine.weight"].shape[0]] for k, _ in ada_layers(t, "synthesis.")[0]}
        maps = {k + ".noise_const": list(t[f"synthesis.{k}.noise_const"].shape) for k in ada_maps(t, "synthesis.")}
        layers, w = ada_layers(t, "synthesis.")[1], len(t["mapping.w_avg"])
        z = {"z": [BATCH, w + 1], **({"c": [BATCH, 3]} if "mapping.embed.weight" in t else {})}
        image = {"image": [BATCH, 3, 16, 16], **({"c": [BATCH, 3]} if "mapping.embed.weight" in t else {})}
    elif name == "rosinality":
        styles = {k + ".style": [BATCH, t[f"{g}{k}.conv.modulation.weight"].shape[0]] for k, _ in ros_layers(t, g)[0]}
        maps = {k[len(g):]: list(t[k].shape[2:]) for k in t if k.startswith(g + "noises.")}
        layers, w, image = ros_layers(t, g)[1], len(t["latent_avg"]), {"image": [BATCH, 3, 16, 16]}
        z = {"z": [BATCH, w]}
    elif name == "stylegan1":
        maps = {f"blocks.{4 << i}x{4 << i}.epi{k}.noise": [4 << i, 4 << i] for i in range(4) for k in (1, 2)}
        layers, w, styles, image = 8, 6, {}, {}
        z = {"z": [BATCH, w]}
    else:
        maps = {f"noise_{i}": [4 << i, 4 << i] for i in range(3)}
        layers, w, styles, image = 6, 5, {}, {}
        z = {"z": [BATCH, w]}
    ws = {"ws": [BATCH, layers, w]}
    return {"mapping": z, "generate": z, "synthesis_noise": {**ws, **maps}, "synthesis_styles": styles, "discriminator": image, "average": {}}.get(entry, ws)


def make():
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stylegan")
    for name, (tensors, entries, more) in cases().items():
        t = {k: torch.from_numpy(v).double() for k, v in tensors.items()}
        expected = {}
        for entry, f in entries(t, **more).items():
            x = {k: torch.from_numpy(filled(f"{entry}/in/{k}", s).astype(np.float64).reshape(s)).requires_grad_(True) for k, s in ports(t, name, entry).items()}
            y = f(*x.values())
            for k, v in y.items():
                expected[f"{entry}/out/{k}"] = sampled(v)
            if x:
                sum((v * torch.from_numpy(filled(f"{entry}/cotangent/{k}", v.shape).astype(np.float64).reshape(v.shape))).sum() for k, v in y.items()).backward()
            for k, v in x.items():
                expected[f"{entry}/grad/{k}"] = sampled(v.grad)
            print(name, entry, *(f"{k} {list(v.shape)} deviation {float(v.detach().std()):.3g}" for k, v in y.items()))
        save(os.path.join(where, name + ".safetensors"), tensors)
        save(os.path.join(where, name + ".expected.safetensors"), expected)


if __name__ == "__main__":
    for where in sys.argv[1:]:
        published(where)
    if len(sys.argv) == 1:
        make()
