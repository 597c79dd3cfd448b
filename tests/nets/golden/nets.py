#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The imported architectures once more, in PyTorch functions of a state dict: what the graphs are held against.

nets.py check CASE_DIR CHECKPOINT.npz   a published case (case.json, io.npz): prints the relative error of each output
"""
import json
import os
import sys

import numpy as np
import torch
from torch.nn import functional as F


class Weights:
    """Tensors of a state dict below a prefix."""

    def __init__(self, tensors, prefix=""):
        self.tensors, self.prefix = tensors, prefix

    def __getattr__(self, name):
        return Weights(self.tensors, f"{self.prefix}{name}.")

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def __contains__(self, name):
        return self.prefix + name in self.tensors

    def at(self, path):
        return Weights(self.tensors, f"{self.prefix}{path}.")

    @property
    def bias(self):
        return self["bias"] if "bias" in self else None


def conv(w, x, stride=1, pad=0, dilation=1):
    return F.conv2d(x, w["weight"], w.bias, stride, pad, dilation)


def convt(w, x, stride=2, pad=1, output_pad=0):
    return F.conv_transpose2d(x, w["weight"], w.bias, stride, pad, output_pad)


def batch_norm(w, x, batch_stats=False):
    mean, var = (None, None) if batch_stats else (w["running_mean"], w["running_var"])
    return F.batch_norm(x, mean, var, w["weight"], w["bias"], batch_stats)


def instance_norm(x, w=None):
    return F.instance_norm(x, weight=w["weight"] if w else None, bias=w["bias"] if w else None)


def lrelu(x, slope=.2):
    return F.leaky_relu(x, slope)


def up2(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def cat(*x):
    return torch.cat(x, 1)


# --- DeepFill v2 ---------------------------------------------------------------------------------------------------

def same_conv(w, x, stride, dilation, tf):
    """Padded so that the size is divided by the stride; TensorFlow puts the odd pixel last."""
    kernel = w["weight"].shape[-1]
    total = max((kernel - 1) * dilation + 1 - stride, 0) if tf else (kernel - 1) * dilation
    first = total // 2
    return conv(w, F.pad(x, (first, total - first) * 2), stride, 0, dilation)


def gated(w, x, stride=1, dilation=1, tf=False, act=F.elu):
    a, b = same_conv(w, x, stride, dilation, tf).chunk(2, 1)
    return act(a) * torch.sigmoid(b)


def smaller(x, rate, tf):
    """Nearest neighbours, 1/rate of the size; in TensorFlow with the corners aligned."""
    if not tf:
        return x[:, :, ::rate, ::rate]
    rows, columns = (torch.floor(torch.linspace(0, n - 1, n // rate) + .5).long() for n in x.shape[2:])
    return x[:, :, rows][:, :, :, columns]


def contextual_attention(f, b, mask, tf, fuse, scale=10., rate=2):
    """Each patch of f becomes a mixture of the patches of b that resemble it and lie outside the hole (mask 1)."""
    n, c, h, w = f.shape
    raw = F.unfold(b, 2 * rate, stride=rate, padding=rate // 2)  # n, c*16, l
    fs, bs = smaller(f, rate, tf), smaller(b, rate, tf)
    hs, ws = fs.shape[2:]
    ms = smaller(mask[:1], mask.shape[2] // hs, tf)
    known = (F.unfold(ms, 3, padding=1).mean(1) == 0).float().view(-1, 1, 1)  # l, 1, 1
    out = []
    for i in range(n):
        patches = F.unfold(bs[i:i + 1], 3, padding=1)[0].t().view(hs * ws, c, 3, 3)
        norm = patches.flatten(1).square().sum(1).sqrt().clamp(min=1e-4).view(-1, 1, 1, 1)
        score = F.conv2d(fs[i:i + 1], patches / norm, padding=1)  # 1, l, hs, ws
        if fuse:
            eye = torch.eye(3)[None, None]
            s = F.conv2d(score.view(1, 1, hs * ws, hs * ws), eye, padding=1)
            s = s.view(hs, ws, hs, ws).permute(1, 0, 3, 2).reshape(1, 1, hs * ws, hs * ws)
            s = F.conv2d(s, eye, padding=1)
            score = s.view(ws, hs, ws, hs).permute(1, 0, 3, 2).reshape(1, hs * ws, hs, ws)
        weight = torch.softmax(score * known * scale, 1) * known
        patch = raw[i].t().view(hs * ws, c, 2 * rate, 2 * rate)
        out.append(F.conv_transpose2d(weight, patch, stride=rate, padding=rate // 2) / 4)
    return torch.cat(out)


TF_NAMES = {  # block of the network: the two key schemes
    "pt": dict(
        coarse=["conv1", "down_block1.conv1_downsample", "down_block1.conv2", "down_block2.conv1_downsample", "down_block2.conv2"]
        + [f"conv_bn{i}" for i in range(1, 8)]
        + ["up_block1.conv1_upsample.conv", "up_block1.conv2", "up_block2.conv1_upsample.conv", "up_block2.conv2", "conv_to_rgb"],
        hallu=["conv_conv1", "conv_down_block1.conv1_downsample", "conv_down_block1.conv2", "conv_down_block2.conv1_downsample",
               "conv_down_block2.conv2"] + [f"conv_conv_bn{i}" for i in range(1, 6)],
        attention=["ca_conv1", "ca_down_block1.conv1_downsample", "ca_down_block1.conv2", "ca_down_block2.conv1_downsample",
                   "ca_down_block2.conv2", "ca_conv_bn1", "ca_conv_bn4", "ca_conv_bn5"],
        merged=["conv_bn6", "conv_bn7", "up_block1.conv1_upsample.conv", "up_block1.conv2", "up_block2.conv1_upsample.conv",
                "up_block2.conv2", "conv_to_rgb"]),
    "tf": dict(
        coarse=["conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6"] + [f"conv{i}_atrous" for i in range(7, 11)]
        + ["conv11", "conv12", "conv13_upsample.conv", "conv14", "conv15_upsample.conv", "conv16", "conv17"],
        hallu=["xconv1", "xconv2_downsample", "xconv3", "xconv4_downsample", "xconv5", "xconv6"] + [f"xconv{i}_atrous" for i in range(7, 11)],
        attention=["pmconv1", "pmconv2_downsample", "pmconv3", "pmconv4_downsample", "pmconv5", "pmconv6", "pmconv9", "pmconv10"],
        merged=["allconv11", "allconv12", "allconv13_upsample.conv", "allconv14", "allconv15_upsample.conv", "allconv16", "allconv17"]),
}


def deepfillv2(w, x, mask, variant, fuse=None):
    tf = variant == "tf"
    fuse = not tf if fuse is None else fuse
    names = TF_NAMES[variant]
    one, two = (w, w) if tf else (w.stage1, w.stage2)

    def decode(weights, names, x):  # two convolutions, up, up, to rgb
        for i, name in enumerate(names[:-1]):
            layer = weights.at(name).conv
            x = gated(layer, up2(x) if i in (2, 4) else x, tf=tf)
        return torch.tanh(same_conv(weights.at(names[-1]).conv, x, 1, 1, tf))

    def encode(weights, names, x, dilated=()):
        for i, name in enumerate(names):
            x = gated(weights.at(name).conv, x, 2 if i in (1, 3) else 1, dilated[i - 6] if 6 <= i < 6 + len(dilated) else 1, tf)
        return x

    y = encode(one, names["coarse"][:10], x, (2, 4, 8, 16))
    first = decode(one, names["coarse"][10:], y)
    image = x[:, :3]
    y = image * (1 - mask) + first * mask if not tf else first * mask + image * (1 - mask)
    a = encode(two, names["hallu"], y, (2, 4, 8, 16))
    layers = names["attention"]
    b = encode(two, layers[:5], y)
    b = gated(two.at(layers[5]).conv, b, tf=tf, act=F.relu)
    b = contextual_attention(b, b, mask, tf, fuse)
    for name in layers[6:]:
        b = gated(two.at(name).conv, b, tf=tf)
    return first, decode(two, names["merged"], cat(a, b))


# --- Partial convolutions ------------------------------------------------------------------------------------------

def partial_unet(w, x, mask):
    def layer(w, x, m, stride, act):
        weight, k = w.conv.input_conv["weight"], w.conv.input_conv["weight"].shape[-1]
        y = F.conv2d(x * m, weight, None, stride, k // 2)
        count = F.conv2d(m, torch.ones_like(weight), None, stride, k // 2)
        known = (count != 0).float()
        bias = w.conv.input_conv.bias
        y = y / count.clamp(min=1) if bias is None else y / count.clamp(min=1) + bias.view(1, -1, 1, 1)
        y = y * known
        if "bn.weight" in w:
            y = batch_norm(w.bn, y)
        return act(y), known

    xs, ms = [x], [mask]
    for i in range(1, 8):
        y, m = layer(w.at(f"enc_{i}"), xs[-1], ms[-1], 2, F.relu)
        xs.append(y), ms.append(m)
    y, m = xs.pop(), ms.pop()
    for i in range(7, 0, -1):
        y, m = layer(w.at(f"dec_{i}"), cat(up2(y), xs.pop()), cat(up2(m), ms.pop()), 1, lrelu if i > 1 else lambda v: v)
    return y, m


def attention(w, x):
    """SAGAN: x + gamma * attention over all positions."""
    q, k, v = (conv(w.at(f"{n}_conv"), x).flatten(2) for n in ("query", "key", "value"))
    return w["gamma"] * (v @ torch.softmax(q.transpose(1, 2) @ k, -1).transpose(1, 2)).view_as(x) + x


def dpconv(w, x, mask):
    def partial(w, x, m, stride=1, dilation=1):
        weight = w["weight"]
        pad = dilation * (weight.shape[-1] // 2)
        count = F.conv2d(m, torch.ones_like(weight), None, stride, pad, dilation)
        known = count.clamp(0, 1)
        ratio = weight[0].numel() / (count + 1e-6) * known
        return (F.conv2d(x * m, weight, None, stride, pad, dilation) * ratio + w.bias.view(1, -1, 1, 1)) * known, known

    def plain(w, x):
        return lrelu(instance_norm(conv(w, x, 1, 1)))

    x0, m = partial(w.block_0, x, mask, 2)
    x0 = F.relu(x0)
    x1, m = partial(w.block_1, x0, m, 2)
    x2, m = partial(w.block_2, F.relu(instance_norm(x1)), m)
    x2 = F.relu(instance_norm(x2))
    x3, m = partial(w.block_3, x2, m, 2)
    x3 = F.relu(instance_norm(x3))
    d1, m = partial(w.dilated_block_1, x3, m, 1, 2)
    d1 = F.relu(instance_norm(d1))
    _, m = partial(w.dilated_block_2, d1, m, 1, 4)
    d2 = F.relu(instance_norm(m)) + d1  # of the mask, as published
    d3, m = partial(w.dilated_block_3, d2, m, 1, 8)
    d3 = F.relu(instance_norm(d3)) + d2
    d4, m = partial(w.dilated_block_4, d3, m, 1, 2)
    y = F.relu(attention(w.s_attention_6, F.relu(instance_norm(d4))))
    y = cat(x2, plain(w.block_6, up2(cat(x3, y))))
    y = plain(w.block_7, up2(F.relu(attention(w.s_attention_7, y))))
    y = plain(w.block_8, cat(x0, y))
    return (torch.tanh(conv(w.block_9, cat(x, up2(y)), 1, 1)),)


# --- Description-aware fashion inpainting --------------------------------------------------------------------------

def dafii_text(w, tokens):
    x = w["embedding.weight"][tokens]
    hidden = w["lstm.weight_hh_l0"].shape[1]

    def run(x, suffix):
        h = c = torch.zeros(x.shape[0], hidden)
        out = []
        for t in range(x.shape[1]):
            gates = F.linear(x[:, t], w["lstm.weight_ih" + suffix], w["lstm.bias_ih" + suffix])
            i, f, g, o = (gates + F.linear(h, w["lstm.weight_hh" + suffix], w["lstm.bias_hh" + suffix])).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return torch.stack(out, 1)

    layer = 0
    while f"lstm.weight_ih_l{layer}" in w:
        x = torch.cat((run(x, f"_l{layer}"), run(x.flip(1), f"_l{layer}_reverse").flip(1)), 2)
        layer += 1
    return (F.relu(F.linear(x[:, -1], w["linear_1.weight"], w["linear_1.bias"])),)


def dafii(w, x, tokens=None):
    coarse = tokens is not None

    def down(w, x):
        return lrelu(instance_norm(conv(w.at("0"), x, 2, w["0.weight"].shape[-1] // 2), w.at("1")))

    def up(w, x):
        return lrelu(instance_norm(convt(w.at("0"), x), w.at("1")))

    def mix(w, *x):
        return lrelu(conv(w.at("0"), cat(*x)), .01)

    x1 = down(w.block_1, x)
    x2 = down(w.block_2, x1)
    x3 = down(w.block_3, x2)
    d = x3
    for i in range(4):
        block = w.at(f"dilated_res_blocks.{i}")
        y = F.relu(instance_norm(conv(block.conv_1, d, 1, 4, 2)))
        d = F.relu(instance_norm(conv(block.conv_2, y)) + d)
    seen = attention(w.self_attention, d)
    x4 = down(w.block_4, x3 if coarse else d)
    x5 = down(w.block_5, x4)
    e = x5.mean((2, 3))
    if coarse:
        e = cat(e, dafii_text(w.at("lstm_block.0"), tokens)[0])
    y = mix(w.at("_1x1conv_6"), x5, up(w.block_6, e.view(-1, 16, 4, 4)))
    y = cat(x4, up(w.block_7, y))
    if coarse:
        y = mix(w.at("_1x1conv_7"), y)
    y = mix(w.at("_1x1conv_8"), x3, up(w.block_8, y), seen)
    y = mix(w.at("_1x1conv_9"), x2, up(w.block_9, y))
    y = cat(x1, up(w.block_10, y))
    return (torch.tanh(convt(w.block_11.at("0"), y, 2, 0)),)


# --- pix2pix -------------------------------------------------------------------------------------------------------

def pix2pix_unet(w, x, norm="batch", batch_stats=False, depth=8):
    def normed(w, x):
        return batch_norm(w, x, batch_stats) if norm == "batch" else instance_norm(x)

    def block(w, x, level):  # level 0 is the outermost
        if level == 0:
            y = block(w.at("model.1"), conv(w.at("model.0"), x, 2, 1), 1)
            return torch.tanh(convt(w.at("model.3"), F.relu(y)))
        x = lrelu(x)  # in place in the original: the skip carries it too
        y = conv(w.at("model.1"), x, 2, 1)
        if level == depth - 1:
            y = normed(w.at("model.4"), convt(w.at("model.3"), F.relu(y)))
        else:
            y = block(w.at("model.3"), normed(w.at("model.2"), y), level + 1)
            y = normed(w.at("model.6"), convt(w.at("model.5"), F.relu(y)))
        return cat(x, y)

    return (block(w.model, x, 0),)


def pix2pix_resnet(w, x, norm="instance", batch_stats=False, blocks=9):
    def normed(i, x):
        return instance_norm(x) if norm == "instance" else batch_norm(w.at(f"model.{i}"), x, batch_stats)

    def reflect(x, pad):
        return F.pad(x, (pad,) * 4, mode="reflect")

    y = F.relu(normed(2, conv(w.at("model.1"), reflect(x, 3))))
    for i in (4, 7):
        y = F.relu(normed(i + 1, conv(w.at(f"model.{i}"), y, 2, 1)))
    for i in range(10, 10 + blocks):
        z = F.relu(normed(f"{i}.conv_block.2", conv(w.at(f"model.{i}.conv_block.1"), reflect(y, 1))))
        y = y + normed(f"{i}.conv_block.6", conv(w.at(f"model.{i}.conv_block.5"), reflect(z, 1)))
    for i in (10 + blocks, 13 + blocks):
        y = F.relu(normed(i + 1, convt(w.at(f"model.{i}"), y, 2, 1, 1)))
    return (torch.tanh(conv(w.at(f"model.{blocks + 17}"), reflect(y, 3))),)
