#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/unit/ops_values_published.def: small operators' values as PyTorch (1.13 or later) or a NumPy form of the
published definition computes them.   published_values.py > tests/unit/ops_values_published.def"""
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(7)
T = torch.from_numpy


def draw(*shape, low=-4, high=4):  # quarters: short to write, exact in f16 too
    return (rng.integers(low * 4, high * 4, shape) / 4).astype(np.float32)


def text(a):
    a = a.detach().numpy() if isinstance(a, torch.Tensor) else np.asarray(a)
    kind = "i" if a.dtype.kind in "iu" else ""
    return '"%s%s: %s"' % (kind, ",".join(map(str, a.shape)), " ".join("%.8g" % v for v in a.reshape(-1)))


def case(op, attrs, ins, outs):
    outs = outs if isinstance(outs, (list, tuple)) else [outs]
    print('{ "%s", "%s", { %s },\n  { %s } },' % (op, attrs, ", ".join(map(text, ins)), ", ".join(map(text, outs))))


def section(name):
    print("\n// --- %s ---" % name)


print("// Written by tests/ops/golden/published_values.py. See test_ops_values.c.\n// clang-format off")

section("resize, against torch.nn.functional.interpolate")
x = draw(1, 1, 4, 5)
for h, w in [(8, 10), (3, 2), (6, 7)]:
    case("resize", "coordinates=asymmetric rounding=floor size=%d,%d" % (h, w), [x], F.interpolate(T(x), (h, w)))
    case("resize", "coordinates=tf_half_pixel_for_nn rounding=floor size=%d,%d" % (h, w), [x], F.interpolate(T(x), (h, w), mode="nearest-exact"))
    for mode in "bilinear", "bicubic":
        for corners in False, True:
            case("resize", "mode=%s coordinates=%s size=%d,%d" % (mode, "align_corners" if corners else "half_pixel", h, w), [x],
                 F.interpolate(T(x), (h, w), mode=mode, align_corners=corners))
    case("resize", "mode=area size=%d,%d" % (h, w), [x], F.interpolate(T(x), (h, w), mode="area"))
case("resize", "mode=bilinear antialias=1 size=2,3", [x], F.interpolate(T(x), (2, 3), mode="bilinear", align_corners=False, antialias=True))
case("resize", "mode=bicubic antialias=1 cubic_coeff=-0.5 size=2,3", [x],
     F.interpolate(T(x), (2, 3), mode="bicubic", align_corners=False, antialias=True))
case("resize", "mode=bilinear scale=1.3,0.7", [x], F.interpolate(T(x), scale_factor=(1.3, 0.7), mode="bilinear", align_corners=False))

section("resize, ONNX coordinates and rounding, each by its formula")


def onnx_axis(row, size, scale, mode, place, rounding="", coeff=-0.75, exclude=False):
    n, out = len(row), []
    for i in range(size):
        at = {"half_pixel": (i + 0.5) / scale - 0.5,
              "pytorch_half_pixel": (i + 0.5) / scale - 0.5 if size > 1 else 0.0,
              "align_corners": i * (n - 1) / (size - 1) if size > 1 else 0.0,
              "asymmetric": i / scale,
              "tf_half_pixel_for_nn": (i + 0.5) / scale,
              "half_pixel_symmetric": n / 2 * (1 - size / (scale * n)) + (i + 0.5) / scale - 0.5}[place]
        if mode == "nearest":
            k = {"floor": np.floor(at), "ceil": np.ceil(at), "round_prefer_floor": np.ceil(at - 0.5), "round_prefer_ceil": np.floor(at + 0.5)}[rounding]
            out.append(row[int(min(max(k, 0), n - 1))])
            continue
        base, r = int(np.floor(at)), at - np.floor(at)
        if mode == "bilinear":
            taps, weights = [base, base + 1], [1 - r, r]
        else:
            def keys(d):
                d = abs(d)
                return (coeff + 2) * d ** 3 - (coeff + 3) * d ** 2 + 1 if d <= 1 else coeff * (d ** 3 - 5 * d ** 2 + 8 * d - 4)
            taps, weights = [base - 1 + k for k in range(4)], [keys(r + 1 - k) for k in range(4)]
        if exclude:
            weights = [w if 0 <= t < n else 0 for t, w in zip(taps, weights)]
            weights = [w / sum(weights) for w in weights]
        out.append(sum(w * row[min(max(t, 0), n - 1)] for t, w in zip(taps, weights)))
    return out


row = draw(1, 1, 1, 6)
line = [float(v) for v in row.reshape(-1)]
for rounding in "floor", "ceil", "round_prefer_floor", "round_prefer_ceil":
    for place in "half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric":
        for size in 4, 11:
            case("resize", "rounding=%s coordinates=%s size=1,%d" % (rounding, place, size), [row],
                 np.float32(onnx_axis(line, size, size / 6, "nearest", place, rounding)).reshape(1, 1, 1, size))
for place in "pytorch_half_pixel", "asymmetric", "half_pixel_symmetric":
    for size in 1, 4, 11:
        case("resize", "mode=bilinear coordinates=%s size=1,%d" % (place, size), [row],
             np.float32(onnx_axis(line, size, size / 6, "bilinear", place)).reshape(1, 1, 1, size))
case("resize", "mode=bicubic exclude_outside=1 cubic_coeff=-0.5 size=1,9", [row],
     np.float32(onnx_axis(line, 9, 1.5, "bicubic", "half_pixel", coeff=-0.5, exclude=True)).reshape(1, 1, 1, 9))
case("resize", "mode=bilinear coordinates=half_pixel_symmetric scale=1,0.6", [np.float32([[[[1, 2, 3, 4]]]])],  # ONNX's own example
     np.float32([[[[5 / 3, 10 / 3]]]]))
# TensorFlow's align_corners nearest: floor(linspace(0, h - 1, out) + 0.5)
case("resize", "coordinates=align_corners rounding=round_prefer_ceil size=1,4", [np.float32(range(8)).reshape(1, 1, 1, 8)],
     np.floor(np.linspace(0, 7, 4) + 0.5).astype(np.float32).reshape(1, 1, 1, 4))

section("pooling, against torch")
x = draw(1, 2, 5, 6)
for kernel, stride, pad, ceil in [((2, 2), (2, 2), 0, False), ((3, 3), (2, 2), 1, False), ((3, 2), (2, 3), 1, True), ((2, 3), (3, 2), 1, True)]:
    a = "kernel=%d,%d stride=%d,%d pads=%d ceil_mode=%d" % (*kernel, *stride, pad, ceil)
    case("max_pool2d", a, [x], F.max_pool2d(T(x), kernel, stride, pad, ceil_mode=ceil))
    for counted in 0, 1:
        case("avg_pool2d", a + " count_include_pad=%d" % counted, [x], F.avg_pool2d(T(x), kernel, stride, pad, ceil, bool(counted)))
case("max_pool2d", "kernel=2 stride=1 dilation=3,2", [x], F.max_pool2d(T(x), 2, 1, 0, (3, 2)))
for h, w in [(1, 1), (3, 4), (2, 5), (7, 7)]:
    case("adaptive_avg_pool2d", "size=%d,%d" % (h, w), [x], F.adaptive_avg_pool2d(T(x), (h, w)))
    case("adaptive_max_pool2d", "size=%d,%d" % (h, w), [x], F.adaptive_max_pool2d(T(x), (h, w)))

section("norms and softmax, against torch")
x, s, b, m, v = draw(2, 4, 3, 2), draw(4), draw(4), draw(4), draw(4, low=1)
case("batch_norm", "eps=0.001", [x, s, b, m, v], F.batch_norm(T(x), T(m), T(v), T(s), T(b), eps=1e-3))
case("batch_norm", "batch_stats=1", [x, s, b], F.batch_norm(T(x), None, None, T(s), T(b), training=True))
case("instance_norm", "", [x, s, b], F.instance_norm(T(x), weight=T(s), bias=T(b)))
case("instance_norm", "eps=1e-8", [x], F.instance_norm(T(x), eps=1e-8))
case("group_norm", "groups=2", [x, s, b], F.group_norm(T(x), 2, T(s), T(b)))
s, b = draw(3, 2), draw(3, 2)
case("layer_norm", "axes=2", [x, s, b], F.layer_norm(T(x), (3, 2), T(s), T(b)))
for axis in 1, -1:
    case("softmax", "axis=%d scale=2" % axis, [x], F.softmax(T(x) * 2, axis))
    case("log_softmax", "axis=%d" % axis, [x], F.log_softmax(T(x), axis))

section("reductions, against NumPy")
for name, f in [("sum", np.sum), ("mean", np.mean), ("reduce_max", np.max), ("reduce_min", np.min), ("prod", np.prod),
                ("l1_norm", lambda x, **k: np.sum(np.abs(x), **k)), ("l2_norm", lambda x, **k: np.sqrt(np.sum(x * x, **k))),
                ("sum_square", lambda x, **k: np.sum(x * x, **k)), ("log_sum_exp", lambda x, **k: np.log(np.sum(np.exp(x), **k)))]:
    case(name, "axes=1", [x], f(x, axis=1))
    case(name, "axes=0,-1 keep=1", [x], f(x, axis=(0, 3), keepdims=True))
    case(name, "", [x], f(x.astype(np.float64)).astype(np.float32))
x = draw(3, 7, low=-1, high=1)
for name, f in [("argmax", np.argmax), ("argmin", np.argmin)]:
    case(name, "axes=1", [x], f(x, axis=1).astype(np.int32))
    case(name, "axes=0 keep=1", [x], f(x, axis=0).astype(np.int32)[None])
    case(name, "", [x], np.int32(f(x)))

section("matmul, linear, attention, against torch")
a, b = draw(2, 3, 5), draw(2, 5, 4)
case("matmul", "", [a, b], T(a) @ T(b))
case("matmul", "trans_a=1 trans_b=1", [np.swapaxes(a, 1, 2), np.swapaxes(b, 1, 2)], T(a) @ T(b))
case("matmul", "", [a[:1, None], b], T(a[:1, None]) @ T(b))
x, w, b = draw(2, 5), draw(3, 5), draw(3)
case("linear", "", [x, w, b], F.linear(T(x), T(w), T(b)))


def attention(q, k, v, mask=None, causal=False, scale=None):
    s = T(q).double() @ T(k).double().transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if mask is not None:
        s = s + T(mask).double()
    if causal:
        s = s.masked_fill(~torch.tril(torch.ones(s.shape[-2:], dtype=torch.bool)), -np.inf)
    return (s.softmax(-1) @ T(v).double()).float()


q, k, v, mask = draw(2, 3, 4, low=-1, high=1), draw(2, 5, 4, low=-1, high=1), draw(2, 5, 3), draw(3, 5)
case("sdpa", "", [q, k, v], attention(q, k, v))
case("sdpa", "scale=1", [q, k, v, mask], attention(q, k, v, mask, scale=1))
case("sdpa", "causal=1", [q, k, v], attention(q, k, v, causal=True))
mask[1] = -np.inf  # a query that sees nothing
want = attention(q, k, v, mask)
want[:, 1] = 0
case("sdpa", "", [q, k, v, mask], want)
q, k, v = draw(2, 2, 2, 3, low=-1, high=1), draw(2, 2, 2, 3, low=-1, high=1), draw(2, 4, 2, 3)
weights = torch.bmm(T(q).flatten(2).transpose(1, 2), T(k).flatten(2)).softmax(-1)
case("sagan_attention", "", [q, k, v], torch.bmm(T(v).flatten(2), weights.transpose(1, 2)).view(2, 4, 2, 3))

section("lstm, against torch.nn.LSTM")
for time_first in 0, 1:
    for direction in "forward", "bidirectional":
        dirs = 2 if direction == "bidirectional" else 1
        net = torch.nn.LSTM(3, 2, 1, batch_first=not time_first, bidirectional=dirs == 2)
        parts = {}
        for name in "weight_ih", "weight_hh", "bias_ih", "bias_hh":
            parts[name] = draw(dirs, *getattr(net, name + "_l0").shape, low=-1, high=1)
            for d in range(dirs):
                getattr(net, name + "_l0" + ("_reverse" if d else "")).data = T(parts[name][d])
        x = draw(*((4, 2, 3) if time_first else (2, 4, 3)), low=-1, high=1)
        h0, c0 = draw(dirs, 2, 2, low=-1, high=1), draw(dirs, 2, 2, low=-1, high=1)
        y, (hn, cn) = net(T(x), (T(h0), T(c0)))
        case("lstm", "direction=%s time_first=%d" % (direction, time_first),
             [x, parts["weight_ih"], parts["weight_hh"], np.concatenate([parts["bias_ih"], parts["bias_hh"]], 1), h0, c0], [y, hn, cn])

section("partial convolution: the authors' layer and naoto0804's port, in torch")
x, w, b = draw(1, 2, 5, 6), draw(3, 2, 3, 3, low=-1, high=1), draw(3)
holes = (rng.random((1, 1, 5, 6)) < 0.4).astype(np.float32)
holes[:, :, :3, :3] = 0
for multi in 0, 1:
    mask = np.repeat(holes, 2, 1) if multi else holes
    known = F.conv2d(T(mask), torch.ones(1, mask.shape[1], 3, 3), None, 2, 1)
    total = F.conv2d(T(x * mask), T(w), None, 2, 1)
    update = known.clamp(0, 1)
    ratio = mask.shape[1] * 9 / (known + 1e-8) * update
    masks = update.expand(-1, 3, -1, -1) if multi else update
    a = "stride=2 pads=1 multi_channel=%d" % multi
    case("partial_conv2d", a, [x, mask, w, b], [(total * ratio + T(b).view(1, -1, 1, 1)) * update, masks])
    case("partial_conv2d", a, [x, mask, w], [total * ratio, masks])
    hole = known == 0
    y = (total / known.masked_fill(hole, 1) + T(b).view(1, -1, 1, 1)).masked_fill(hole, 0)
    case("partial_conv2d", a + " variant=naoto", [x, mask, w, b], [y, (~hole).float().expand(-1, 3 if multi else 1, -1, -1)])

section("gate")
x = draw(1, 4, 2, 3)
case("gate", "act=elu a=1", [x], F.elu(T(x[:, :2])) * torch.sigmoid(T(x[:, 2:])))

section("contextual attention, as DeepFill v2 (max, floor), its TensorFlow form (align_corners) and v1's port (add) compute it")


def shrink(v, size, corners):
    h, w = v.shape[2:]
    if corners:
        ys, xs = (np.floor(np.linspace(0, n - 1, m) + 0.5).astype(int) for n, m in ((h, size[0]), (w, size[1])))
    else:
        ys, xs = (np.arange(m) * n // m for n, m in ((h, size[0]), (w, size[1])))
    return v[:, :, ys][:, :, :, xs]


def contextual(f, b, mask, fuse, norm, corners, scale, rate=2):
    n, c, h, w = f.shape
    raw = F.unfold(T(b).double(), 2 * rate, padding=rate // 2, stride=rate)
    small = (b.shape[2] // rate, b.shape[3] // rate)
    fs, bs = T(shrink(f, (h // rate, w // rate), corners)).double(), T(shrink(b, small, corners)).double()
    patches = F.unfold(bs, 3, padding=1).transpose(1, 2)
    seen = F.unfold(T(shrink(mask, small, corners)).double()[:1], 3, padding=1).mean(1).view(-1, 1, 1) == 0
    ys, weights = [], []
    for i in range(n):
        p = patches[i]
        length = p.norm(dim=1, keepdim=True).clamp_min(1e-4) if norm == "max" else (p ** 2 + 1e-4).sum(1, keepdim=True).sqrt()
        a = F.conv2d(fs[i:i + 1], (p / length).view(-1, c, 3, 3), padding=1)[0]
        l, fh, fw = a.shape
        if fuse:
            eye = torch.eye(3, dtype=torch.float64).view(1, 1, 3, 3)
            a = F.conv2d(a.reshape(1, 1, l, fh * fw), eye, padding=1).view(*small, fh, fw).permute(1, 0, 3, 2)
            a = F.conv2d(a.reshape(1, 1, l, fh * fw), eye, padding=1).view(small[1], small[0], fw, fh).permute(1, 0, 3, 2).reshape(l, fh, fw)
        a = (a * seen * scale).softmax(0) * seen
        weights.append(a)
        y = F.conv_transpose2d(a[None], raw[i].transpose(0, 1).reshape(l, c, 2 * rate, 2 * rate), stride=rate, padding=rate // 2) / 4
        ys.append(y[0])
    return [torch.stack(ys).float(), torch.stack(weights).float()]


f, b = draw(2, 2, 6, 8, low=-1, high=1), draw(2, 2, 8, 6, low=-1, high=1)
mask = np.zeros((2, 1, 16, 12), np.float32)
mask[0, :, 4:9, 2:6] = 1
mask[1] = 1  # only the first image's mask counts
for fuse in 0, 1:
    for norm, corners in ("max", 0), ("max", 1), ("add", 0):
        case("contextual_attention", "fuse=%d norm=%s nearest=%s softmax_scale=2" % (fuse, norm, "align_corners" if corners else "floor"),
             [f, b, mask], contextual(f, b, mask, fuse, norm, corners, 2))

section("optimizers, against torch.optim: the step after some others")
rng = np.random.default_rng(8)


def one_step(make, buffers, step):
    p, g = draw(3), draw(3)
    p[0] = g[0] = 0
    was = [np.abs(draw(3)) if name == "exp_avg_sq" else draw(3) for name in buffers]
    value = torch.nn.Parameter(T(p.copy()))
    value.grad = T(g.copy())
    optimizer = make([value])
    optimizer.state[value] = {name: T(w.copy()) for name, w in zip(buffers, was)}
    if step:
        optimizer.state[value]["step"] = torch.tensor(float(step - 1))
    optimizer.step()
    return [p, g] + was, [value] + [optimizer.state[value][name] for name in buffers]


for attrs, step, make in [("", 1, lambda p: torch.optim.Adam(p, 0.125)),
                          ("", 1000, lambda p: torch.optim.Adam(p, 0.125)),
                          ("beta1=0.5 beta2=0.75 eps=0.5 weight_decay=0.25", 3, lambda p: torch.optim.Adam(p, 0.125, (0.5, 0.75), 0.5, 0.25)),
                          ("beta1=0 weight_decay=0.25 decoupled=1", 20, lambda p: torch.optim.AdamW(p, 0.125, (0, 0.999), 1e-8, 0.25))]:
    ins, outs = one_step(make, ["exp_avg", "exp_avg_sq"], step)
    case("adam", attrs, ins + [np.float32([0.125]), np.float32(step)], outs)
for attrs, make in [("momentum=0.75", lambda p: torch.optim.SGD(p, 0.125, 0.75)),
                    ("weight_decay=0.5", lambda p: torch.optim.SGD(p, 0.125, 0, 0, 0.5)),
                    ("momentum=0.5 weight_decay=0.25 nesterov=1", lambda p: torch.optim.SGD(p, 0.125, 0.5, 0, 0.25, True))]:
    ins, outs = one_step(make, ["momentum_buffer"], 0)
    if "momentum" not in attrs:
        ins[2], outs[1] = np.zeros(3, np.float32), T(ins[1] + np.float32(0.5) * ins[0])
    case("sgd", attrs, ins + [np.float32(0.125)], outs)

section("StyleGAN's operators as the papers say them: zeros between pixels, one filter after the other, weights of every image's own")
rng = np.random.default_rng(9)


def spread(x, up):
    n, c, h, w = x.shape
    z = x.new_zeros(n, c, h * up[0], w * up[1])
    z[:, :, ::up[0], ::up[1]] = x
    return z


def upfirdn(x, f, up, down, pads, gain, flip):
    z = F.pad(spread(T(x).double(), up), (pads[1], pads[3], pads[0], pads[2]))
    k = (T(f) if flip else T(f).flip(0, 1)).double().expand(x.shape[1], 1, *f.shape)
    return (F.conv2d(z, k, groups=x.shape[1])[:, :, ::down[0], ::down[1]] * gain).float()


x, f = draw(1, 2, 3, 4), draw(3, 2)
for up, down, pads, gain, flip in [((1, 1), (1, 1), (0, 0, 0, 0), 1, 0), ((2, 2), (1, 1), (2, 1, 1, 0), 4, 0), ((1, 1), (2, 2), (1, 1, 1, 0), 1, 1),
                                   ((2, 3), (3, 2), (-1, 3, 2, -2), 0.5, 0)]:
    numbers = [",".join(map(str, v)) for v in (up, down, pads)]
    case("upfirdn2d", "up=%s down=%s pads=%s gain=%g flip=%d" % (*numbers, gain, flip), [x, f], upfirdn(x, f, up, down, pads, gain, flip))


def modulated(x, w, s, f, demodulate, up, down, pad, flip_weight, gain):
    own = T(w).double()[None] * T(s).double()[:, None, :, None, None] * gain
    if demodulate:
        own = own / (own.square().sum([2, 3, 4], keepdim=True) + 1e-8).sqrt()
    if not flip_weight:
        own = own.flip(3, 4)
    size, before, after = 1 if f is None else f.shape[0], pad, pad
    if up == 2:
        before, after = before + (size + 1) // 2, after + (size - 2) // 2
    if down == 2:
        before, after = before + (size - 1) // 2, after + (size - 2) // 2
    z = F.pad(spread(T(x).double(), (up, up)), (before, after, before, after))
    z = torch.cat([F.conv2d(z[i:i + 1], own[i]) for i in range(len(x))])
    if f is not None:
        z = F.conv2d(z, T(f).double().flip(0, 1).expand(w.shape[0], 1, size, size), groups=w.shape[0])
    return (z[:, :, ::down, ::down] * up * up).float()


f = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64
x, s, w3, w1 = draw(2, 2, 3, 4, low=-1, high=1), draw(2, 2), draw(2, 2, 3, 3, low=-1, high=1), draw(3, 2, 1, 1, low=-1, high=1)
for w, fir, how in [(w3, None, (1, 1, 1, 1, 1, 1)), (w3, f, (1, 2, 1, 1, 0, 0.5)), (w3, f, (1, 1, 2, 1, 1, 1)), (w3, f, (0, 2, 1, 1, 1, 1)),
                    (w1, None, (0, 1, 1, 0, 1, 0.25)), (w1, f, (1, 2, 1, 0, 1, 1)), (w1, f, (1, 1, 2, 0, 1, 1))]:
    case("modulated_conv2d", "demodulate=%d up=%d down=%d pad=%d flip_weight=%d gain=%g" % how, [x, w, s] + ([] if fir is None else [fir]),
         modulated(x, w, s, fir, *how))

x, b, noise, d = draw(2, 3, 2, 3), draw(3), draw(1, 1, 2, 3), draw(2, 3)
case("bias_act", "act=leaky_relu a=0.25 gain=1.5 clamp=2", [x, b, noise, np.float32([0.5]), d],
     (F.leaky_relu(T(x) * T(d)[:, :, None, None] + T(noise) * 0.5 + T(b)[:, None, None], 0.25) * 1.5).clamp(-2, 2))
case("bias_act", "act=relu", [x[:, :, 0, 0], b], F.relu(T(x[:, :, 0, 0] + b)))
case("pixel_norm", "", [x], T(x) / (T(x).square().mean(1, keepdim=True) + 1e-8).sqrt())
x = draw(4, 4, 2, 2, low=-1, high=1)
for group, channels in (2, 1), (4, 2):
    each = T(x).double().view(group, -1, channels, 4 // channels, 2, 2)
    each = ((each - each.mean(0)).square().mean(0) + 1e-8).sqrt().mean([2, 3, 4])
    more = each.repeat(group, 1)[:, :, None, None].expand(-1, -1, 2, 2).float()
    case("minibatch_std", "group=%d channels=%d" % (group, channels), [x], torch.cat([T(x), more], 1))
