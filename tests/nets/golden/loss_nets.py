# SPDX-License-Identifier: MIT
"""Networks that losses look through, once more in PyTorch functions of a state dict, for make.py."""
import math

import torch
from torch.nn import functional as F

from nets import batch_norm, conv

# --- VGG, AlexNet and LPIPS ----------------------------------------------------------------------------------------

NETS = {  # convolutions and poolings in order, as torchvision lists them; "t": the activation before is compared
    "vgg16": "c c t p c c t p c c c t p c c c t p c c c t p",
    "vgg19": "c c t p c c t p c c c c t p c c c c t p c c c c t p",
    "alex": "c t p c t p c t c t c t p",
}


def activations(w, net, x):
    """Every activation and pooling in order, and those that are compared. Names by torchvision, lpips or NVIDIA."""
    every, taps, item, number, stage = [], [], 0, 0, 1
    for word in NETS[net].split():
        if word == "t":
            taps.append(x)
            stage += 1
            continue
        if word == "p":
            x = F.max_pool2d(x, 3 if net == "alex" else 2, 2)
            item += 1
        else:
            number += 1
            layer = next(layer for layer in (w.at(f"features.{item}"), w.at(f"net.slice{stage}.{item}"), w.at(f"layers.conv{number}")) if "weight" in layer)
            first = net == "alex" and number == 1
            x = F.relu(conv(layer, x, 4 if first else 1, 2 if first else layer["weight"].shape[-1] // 2))
            item += 2
        every.append(x)
    return every, taps


def classifier(w, net, x):
    x = activations(w, net, x)[0][-1]
    side = math.isqrt(w["classifier.0.weight"].shape[1] // x.shape[1])
    x = F.adaptive_avg_pool2d(x, side).flatten(1)
    for i in (0, 3, 6):
        x = F.linear(F.relu(x) if i else x, w[f"classifier.{i}.weight"], w[f"classifier.{i}.bias"])
    return (x,)


def unit_taps(w, net, x):
    shift = x.new_tensor([-.030, -.088, -.188]).view(1, 3, 1, 1)
    scale = x.new_tensor([.458, .448, .450]).view(1, 3, 1, 1)
    return [f / (f.square().sum(1, keepdim=True).sqrt() + 1e-10) for f in activations(w, net, (x - shift) / scale)[1]]


def lin(w, k):
    name = f"lin{k}.model.1.weight"
    return w[name] if name in w else w[f"lpips{k}"].view(1, -1, 1, 1)


def lpips(w, net, x, y):
    pairs = zip(unit_taps(w, net, x), unit_taps(w, net, y))
    return (sum((lin(w, k) * (a - b).square()).sum(1, keepdim=True).mean((2, 3), keepdim=True) for k, (a, b) in enumerate(pairs)),)


def lpips_features(w, net, x):
    return tuple(f * lin(w, k).sqrt() / math.sqrt(f.shape[2] * f.shape[3]) for k, f in enumerate(unit_taps(w, net, x)))


def lpips_vector(w, x):
    return (torch.cat([f.flatten(1) for f in lpips_features(w, "vgg16", x / 127.5 - 1)], 1),)


# --- IR-SE and the encoders ----------------------------------------------------------------------------------------

def irse(w, x):
    """The ends of the stages."""
    x = F.prelu(batch_norm(w.at("input_layer.1"), conv(w.at("input_layer.0"), x, 1, 1)), w["input_layer.2.weight"])
    ends, i = [], 0
    while f"body.{i}.res_layer.1.weight" in w:
        unit = w.at(f"body.{i}.res_layer")
        wide = unit["1.weight"].shape[0]
        begins = i == 0 or wide != x.shape[1]
        stride = 2 if begins else 1
        if wide != x.shape[1]:
            skip = batch_norm(w.at(f"body.{i}.shortcut_layer.1"), conv(w.at(f"body.{i}.shortcut_layer.0"), x, stride))
        else:
            skip = x[:, :, ::stride, ::stride]
        y = F.prelu(conv(unit.at("1"), batch_norm(unit.at("0"), x), 1, 1), unit["2.weight"])
        y = batch_norm(unit.at("4"), conv(unit.at("3"), y, stride, 1))
        if "5.fc1.weight" in unit:
            y = y * torch.sigmoid(conv(unit.at("5.fc2"), F.relu(conv(unit.at("5.fc1"), y.mean((2, 3), keepdim=True)))))
        x = y + skip
        ends = ends + [x] if begins else ends[:-1] + [x]
        i += 1
    return ends


def arcface(w, x):
    x = batch_norm(w.at("output_layer.0"), irse(w, x)[-1]).flatten(1)
    x = batch_norm(w.at("output_layer.4"), F.linear(x, w["output_layer.3.weight"], w["output_layer.3.bias"]))
    return (x / x.norm(2, 1, True),)


def style_encoder(w, x, offsets, average=False):
    c1, c2, c3 = irse(w, x)[1:]
    levels = [c3]
    for name, c in (("latlayer1", c2), ("latlayer2", c1)):
        if f"{name}.weight" in w:
            levels.append(F.interpolate(levels[-1], size=c.shape[2:], mode="bilinear", align_corners=True) + conv(w.at(name), c))
    codes, i = [], 0
    while f"styles.{i}.linear.weight" in w:
        style, k = w.at(f"styles.{i}"), 0
        y = next(level for level in levels if level.shape[-1] == 2 ** sum(f"convs.{2 * k}.weight" in style for k in range(16)))
        while f"convs.{k}.weight" in style:
            y = F.leaky_relu(conv(style.at(f"convs.{k}"), y, 2, 1), .01)
            k += 2
        codes.append(F.linear(y.flatten(1), style["linear.weight"] / math.sqrt(y.shape[1]), style["linear.bias"]))
        i += 1
    if offsets:
        codes[1:] = [codes[0] + c for c in codes[1:]]
    y = torch.stack(codes, 1)
    return (y + w["latent_avg"] if average else y,)


# --- CLIP ----------------------------------------------------------------------------------------------------------

def layer_norm(w, x):
    return F.layer_norm(x, x.shape[-1:], w["weight"], w["bias"])


def attend(q, k, v, heads, causal=False):
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def transformer(w, x, causal=False):
    hugging = "layers.0.layer_norm1.weight" in w
    i = 0
    while (f"layers.{i}.layer_norm1.weight" if hugging else f"resblocks.{i}.ln_1.weight") in w:
        b = w.at(f"layers.{i}" if hugging else f"resblocks.{i}")
        heads = x.shape[-1] // 64
        y = layer_norm(b.layer_norm1 if hugging else b.ln_1, x)
        if hugging:
            qkv = [F.linear(y, b[f"self_attn.{n}_proj.weight"], b[f"self_attn.{n}_proj.bias"]) for n in "qkv"]
            out, fc, proj = b.self_attn.out_proj, b.mlp.fc1, b.mlp.fc2
        else:
            qkv = F.linear(y, b["attn.in_proj_weight"], b["attn.in_proj_bias"]).chunk(3, -1)
            out, fc, proj = b.attn.out_proj, b.mlp.c_fc, b.mlp.c_proj
        x = x + F.linear(attend(*qkv, heads, causal), out["weight"], out["bias"])
        y = F.linear(layer_norm(b.layer_norm2 if hugging else b.ln_2, x), fc["weight"], fc["bias"])
        x = x + F.linear(y * torch.sigmoid(1.702 * y), proj["weight"], proj["bias"])
        i += 1
    return x


def clip_vit_image(w, x):
    hugging = "vision_model.post_layernorm.weight" in w
    v, e = (w.vision_model, w.vision_model.embeddings) if hugging else (w.visual, w.visual)
    kernel = e["patch_embedding.weight" if hugging else "conv1.weight"]
    x = F.conv2d(x, kernel, None, kernel.shape[-1]).flatten(2).transpose(1, 2)
    x = torch.cat((e["class_embedding"].expand(x.shape[0], 1, -1), x), 1)
    x = x + e["position_embedding.weight" if hugging else "positional_embedding"]
    x = layer_norm(v.pre_layrnorm if hugging else v.ln_pre, x)
    x = transformer(v.encoder if hugging else v.transformer, x)[:, 0]
    x = layer_norm(v.post_layernorm if hugging else v.ln_post, x)
    return (F.linear(x, w["visual_projection.weight"]) if hugging else x @ v["proj"],)


def clip_resnet_image(w, x):
    v = w.visual
    for i in (1, 2, 3):
        x = F.relu(batch_norm(v.at(f"bn{i}"), conv(v.at(f"conv{i}"), x, 2 if i == 1 else 1, 1)))
    x = F.avg_pool2d(x, 2)
    for layer in (1, 2, 3, 4):
        k = 0
        while f"layer{layer}.{k}.conv1.weight" in v:
            b = v.at(f"layer{layer}.{k}")
            pool = (lambda t: F.avg_pool2d(t, 2)) if layer > 1 and k == 0 else (lambda t: t)
            y = F.relu(batch_norm(b.bn1, conv(b.conv1, x)))
            y = F.relu(batch_norm(b.bn2, conv(b.conv2, y, 1, 1)))
            y = batch_norm(b.bn3, conv(b.conv3, pool(y)))
            skip = batch_norm(b.at("downsample.1"), conv(b.at("downsample.0"), pool(x))) if "downsample.0.weight" in b else x
            x = F.relu(y + skip)
            k += 1
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat((x.mean(1, keepdim=True), x), 1) + v["attnpool.positional_embedding"]
    q, k, val = (F.linear(x, v[f"attnpool.{n}_proj.weight"], v[f"attnpool.{n}_proj.bias"]) for n in "qkv")
    y = attend(q, k, val, x.shape[-1] // 64)[:, 0]
    return (F.linear(y, v["attnpool.c_proj.weight"], v["attnpool.c_proj.bias"]),)


def clip_text(w, tokens):
    hugging = "text_model.final_layer_norm.weight" in w
    t, e = (w.text_model, w.text_model.embeddings) if hugging else (w, w)
    x = e["token_embedding.weight"][tokens] + e["position_embedding.weight" if hugging else "positional_embedding"]
    x = transformer(t.encoder if hugging else t.transformer, x, True)
    x = layer_norm(t.final_layer_norm if hugging else t.ln_final, x)
    x = x[torch.arange(x.shape[0]), tokens.argmax(1)]
    return (F.linear(x, w["text_projection.weight"]) if hugging else x @ w["text_projection"],)
