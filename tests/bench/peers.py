#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""weft beside a peer on the same device, in one process, taking turns.

    peers.py LIBWEFT.so PEER [--turns 7] [--rows conv,unet] [--json OUT]

PEER: ncnn        ncnn's Vulkan path and weft's Vulkan device, on one and the same driver
      ncnn-cpu    ncnn's and weft's processor paths
      torch       PyTorch (which needs OpenBLAS as its BLAS) and weft's processor path

Needs NumPy and `pip install ncnn`, or python3-torch and libopenblas0-pthread. Both get the same f32 weights and inputs from host memory
and give their outputs back to it; ncnn stores f32 (its default is f16). Both answers must agree, or the row is void. In a turn each
library rests, runs once to wake up and once for the clock; what is printed is the least wall time and the least processor time of the process (all threads) of each, and the ratios: on a
busy machine processor time is what falsifies least.

ncnn's MatMul does not run on its GPU path, so for that row it runs InnerProduct of the same size, whose weights are constant, and
weft and PyTorch run a product with one constant operand. The U-Net is pix2pix's for 256x256 with batch normalisation folded into the
convolutions, for all; ncnn has its activations fused by hand, as its optimizer would do it."""
import argparse
import ctypes as c
import json
import math
import os
import tempfile
import time

import numpy as np

MAX_RANK = 8
THREADS = len(os.sched_getaffinity(0))  # as weft takes


# --- weft through its C API. ---

class Shape(c.Structure):
    _fields_ = [("rank", c.c_int), ("dim", c.c_int64 * MAX_RANK)]


class Attr(c.Structure):
    _fields_ = [("name", c.c_char_p), ("text", c.c_char_p), ("count", c.c_int), ("num", c.c_double * MAX_RANK)]


class Io(c.Structure):
    _fields_ = [("port", c.c_char_p), ("data", c.c_void_p), ("bytes", c.c_size_t)]


class DeviceParams(c.Structure):
    _fields_ = [("name", c.c_char_p), ("rest", c.c_char * 256)]


def shape(dims):
    return Shape(len(dims), (c.c_int64 * MAX_RANK)(*dims))


class Weft:
    def __init__(self, path, device):
        self.lib = lib = c.CDLL(path)
        lib.weft_error_text.restype = c.c_char_p
        for name in ("weft_build_input", "weft_build_weight"):
            getattr(lib, name).argtypes = [c.c_void_p, c.c_char_p, c.c_int, Shape] + ([c.c_void_p] if name.endswith("weight") else [])
        lib.weft_build_op.argtypes = [c.c_void_p, c.c_char_p, c.POINTER(c.c_int32), c.c_int, c.POINTER(Attr), c.c_int]
        lib.weft_build_output.argtypes = [c.c_void_p, c.c_char_p, c.c_int32]
        self.ctx, self.device = c.c_void_p(), c.c_void_p()
        create = next(getattr(lib, f"weft_context_create_v{v}") for v in range(1, 99) if hasattr(lib, f"weft_context_create_v{v}"))
        self.need(create(None, c.byref(self.ctx)))
        self.need(lib.weft_device_open(self.ctx, c.byref(DeviceParams(device.encode())), c.byref(self.device)))

    def need(self, result):
        if result:
            raise RuntimeError(self.lib.weft_error_text().decode())

    def model(self, layers, x, y_shape):
        lib, builder, model, session = self.lib, c.c_void_p(), c.c_void_p(), c.c_void_p()
        self.need(lib.weft_builder_create(self.ctx, c.byref(builder)))

        def op(name, inputs, **attrs):
            list_ = [Attr(k.encode(), v.encode() if isinstance(v, str) else None, 0 if isinstance(v, str) else 1,
                          (c.c_double * MAX_RANK)(0 if isinstance(v, str) else v)) for k, v in attrs.items()]
            return lib.weft_build_op(builder, name.encode(), (c.c_int32 * len(inputs))(*inputs), len(inputs),
                                     (Attr * len(list_))(*list_), len(list_))

        def weight(name, data):
            return lib.weft_build_weight(builder, name.encode(), 0, shape(data.shape), data.ctypes.data)

        values = {"x": lib.weft_build_input(builder, b"x", 0, shape(x.shape))}
        for layer in layers:
            inputs = [values[name] for name in layer.inputs]
            if layer.w is not None:
                inputs += [weight(layer.name + ".w", layer.w_weft)] + ([weight(layer.name + ".b", layer.b)] if layer.b is not None else [])
            v = op(layer.op, inputs, **layer.attrs)
            if layer.act:
                v = op(layer.act, [v], **({"a": 0.2} if layer.act == "leaky_relu" else {}))
            values[layer.name] = v
        lib.weft_build_output(builder, b"y", v)
        self.need(lib.weft_builder_finish(c.byref(builder), c.byref(model)))
        self.need(lib.weft_session_create(self.device, model, None, c.byref(session)))
        y = np.empty(y_shape, np.float32)
        ins, outs = Io(None, x.ctypes.data, x.nbytes), Io(None, y.ctypes.data, y.nbytes)

        def run():
            self.need(lib.weft_session_run(session, c.byref(ins), 1, c.byref(outs), 1))
            return y
        run.close = lambda: (lib.weft_session_destroy(c.byref(session)), lib.weft_model_destroy(c.byref(model)))
        return run


# --- ncnn: a text of layers and a file of weights. ---

def ncnn_model(layers, x, folder, vulkan):
    import ncnn
    uses, lines, blobs, data = {}, [], 1, b""
    for layer in layers:
        for name in layer.inputs:
            uses[name] = uses.get(name, 0) + 1
    lines.append("Input in 0 1 x")
    taken = {}

    def produced(name):  # a blob has one reader: more get a Split
        nonlocal blobs
        if uses.get(name, 0) > 1:
            names = [f"{name}_{i}" for i in range(uses[name])]
            lines.append(f"Split split_{name} 1 {len(names)} {name} {' '.join(names)}")
            taken[name], blobs = names, blobs + len(names)
    produced("x")
    for layer in layers:
        inputs = [taken[name].pop(0) if name in taken else name for name in layer.inputs]
        lines.append(f"{layer.ncnn} {layer.name} {len(inputs)} 1 {' '.join(inputs)} {layer.name} {layer.ncnn_params()}")
        blobs += 1
        if layer.w is not None:
            data += np.uint32(0).tobytes() + layer.w_ncnn.tobytes() + (layer.b.tobytes() if layer.b is not None else b"")
        produced(layer.name)
    param, bin_ = os.path.join(folder, "net.param"), os.path.join(folder, "net.bin")
    with open(param, "w") as file:
        file.write(f"7767517\n{len(lines)} {blobs}\n" + "\n".join(lines) + "\n")
    with open(bin_, "wb") as file:
        file.write(data)
    net = ncnn.Net()
    net.opt.use_vulkan_compute = vulkan
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.opt.num_threads = THREADS
    assert net.load_param(param) == 0 and net.load_model(bin_) == 0, "ncnn does not load its own model"
    last = layers[-1].name

    def run():
        ex = net.create_extractor()
        ex.input("x", ncnn.Mat(x[0] if x.ndim == 4 else x))
        result, y = ex.extract(last)
        assert result == 0, "ncnn failed"
        return np.array(y)
    run.close = net.clear
    return run


# --- PyTorch: the layers as calls. ---

def torch_model(layers, x):
    import torch
    import torch.nn.functional as f
    torch.set_grad_enabled(False)
    torch.set_num_threads(THREADS)  # it may take one by itself
    weights = {layer.name: torch.from_numpy(layer.w) for layer in layers if layer.w is not None}
    biases = {layer.name: torch.from_numpy(layer.b) for layer in layers if layer.b is not None}
    acts = {None: lambda v: v, "relu": f.relu_, "leaky_relu": lambda v: f.leaky_relu_(v, 0.2)}

    def one(layer, inputs):
        a, w, b = layer.attrs, weights.get(layer.name), biases.get(layer.name)
        if layer.op == "conv2d":
            return f.conv2d(inputs[0], w, b, a.get("stride", 1), a.get("pads", 0), a.get("dilation", 1))
        if layer.op == "conv_transpose2d":
            return f.conv_transpose2d(inputs[0], w, b, a.get("stride", 1), a.get("pads", 0))
        return {"matmul": lambda v: v[0] @ w, "concat": lambda v: torch.cat(v, 1), "relu": lambda v: f.relu(v[0]),
                "tanh": lambda v: torch.tanh(v[0])}[layer.op](inputs)

    def run():
        values = {"x": torch.from_numpy(x)}
        for layer in layers:
            values[layer.name] = acts[layer.act](one(layer, [values[name] for name in layer.inputs]))
        return values[layers[-1].name].numpy()
    run.close = lambda: None
    return run


# --- The rows. ---

rng = np.random.default_rng(1)


class Layer:
    ncnn_acts = {None: "", "relu": "9=1", "leaky_relu": "9=2 -23310=1,0.2"}

    def __init__(self, name, op, inputs, ci=0, co=0, k=0, act=None, bias=True, **attrs):
        self.name, self.op, self.inputs, self.act, self.attrs, self.co, self.k = name, op, inputs, act, attrs, co, k
        self.ncnn = {"conv2d": "Convolution", "conv_transpose2d": "Deconvolution", "matmul": "InnerProduct", "concat": "Concat",
                     "relu": "ReLU", "tanh": "TanH"}[op]
        self.w = self.b = None
        if co:
            size = (ci, co) if op == "matmul" else (ci, co, k, k) if op == "conv_transpose2d" else (co, ci, k, k)
            taps = ci * k * k / (4 if op == "conv_transpose2d" else 1) if k else ci
            self.w = (rng.standard_normal(size) / math.sqrt(taps)).astype(np.float32)
            self.b = rng.standard_normal(co).astype(np.float32) if bias else None
            self.w_weft = self.w
            self.w_ncnn = np.ascontiguousarray(self.w if op == "conv2d" else np.swapaxes(self.w, 0, 1))

    def ncnn_params(self):
        a = self.attrs
        if self.op == "matmul":
            return f"0={self.co} 1=0 2={self.w.size}"
        if self.w is not None:
            return (f"0={self.co} 1={self.k} 2={a.get('dilation', 1)} 3={a.get('stride', 1)} 4={a.get('pads', 0)} 5={int(self.b is not None)} "
                    f"6={self.w.size} {self.ncnn_acts[self.act]}")
        return "0=0" if self.op == "concat" else ""


def noise(*size):
    return rng.standard_normal(size).astype(np.float32)


def conv_row(ci, co, size, k=3, d=1):
    x = noise(1, ci, size, size)
    return [Layer("y", "conv2d", ["x"], ci, co, k, pads=d * (k // 2), dilation=d)], x, (co, size, size), 2 * co * ci * k * k * size * size


def transposed_row():
    return [Layer("y", "conv_transpose2d", ["x"], 256, 128, 4, stride=2, pads=1)], noise(1, 256, 32, 32), (128, 64, 64), 2 * 128 * 256 * 4 * 64 * 64


def matmul_row():
    return [Layer("y", "matmul", ["x"], 1024, 1024, bias=False)], noise(1024, 1024), (1024, 1024), 2 * 1024 ** 3


def unet_row():
    width, layers, flops, size = [64, 128, 256, 512, 512, 512, 512, 512], [], 0, 256
    ci, x = 3, "x"
    for i, co in enumerate(width):  # what goes on and what is skipped is active already; the innermost has relu
        layers.append(Layer(f"down{i}", "conv2d", [x], ci, co, 4, stride=2, pads=1, act="leaky_relu" if i < 7 else "relu"))
        ci, x, size = co, f"down{i}", size // 2
        flops += 2 * layers[-1].w.size * size * size
    for i in range(7, -1, -1):
        co = width[i - 1] if i else 3
        layers.append(Layer(f"up{i}", "conv_transpose2d", [x], ci, co, 4, stride=2, pads=1))
        flops += 2 * layers[-1].w.size * size * size
        size *= 2
        if i:
            layers += [Layer(f"cat{i}", "concat", [f"down{i - 1}", f"up{i}"], **{}), Layer(f"act{i}", "relu", [f"cat{i}"])]
            layers[-2].attrs = {"axis": 1}
            ci, x = 2 * co, f"act{i}"
    layers.append(Layer("y", "tanh", ["up0"]))
    return layers, noise(1, 3, 256, 256), (3, 256, 256), flops


ROWS = {
    "conv 3x3 64->64 at 128x128": lambda: conv_row(64, 64, 128),
    "conv 3x3 256->256 at 32x32": lambda: conv_row(256, 256, 32),
    "conv 3x3 512->512 at 16x16": lambda: conv_row(512, 512, 16),
    "transposed 4x4 stride 2, 256->128, 32->64": transposed_row,
    "matmul 1024^3": matmul_row,
    "dilated 3x3 96->192, d=8, 64x64": lambda: conv_row(96, 192, 64, d=8),
    "pix2pix U-Net 256": unet_row,
}


def timed(run):
    wall, busy = time.perf_counter(), time.process_time()
    run()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - busy)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("library")
    args.add_argument("peer", choices=["ncnn", "ncnn-cpu", "torch"])
    args.add_argument("--turns", type=int, default=7)
    args.add_argument("--rows", default="", help="only rows whose name holds one of these words, separated by commas")
    args.add_argument("--json", help="write all samples here")
    args = args.parse_args()
    weft, report, ratios, walls = Weft(args.library, "vulkan" if args.peer == "ncnn" else "cpu"), [], [], []
    print(f"{'f32, ms':42} {args.peer:>8} {'cpu':>7} {'weft':>10} {'cpu':>7} {'wall':>6} {'cpu':>6}  ratio; GFLOP/s of weft (wall)")
    for name, make in ROWS.items():
        if args.rows and not any(word in name for word in args.rows.split(",")):
            continue
        with tempfile.TemporaryDirectory() as folder:
            layers, x, size, flops = make()
            peer = torch_model(layers, x) if args.peer == "torch" else ncnn_model(layers, x, folder, args.peer == "ncnn")
            runs = {args.peer: peer, "weft": weft.model(layers, x, size)}
        answers = {who: np.array(run()).reshape(size) for who, run in runs.items()}  # warms up, too
        off = float(np.linalg.norm(answers[args.peer] - answers["weft"]) / np.linalg.norm(answers[args.peer]))
        times = {who: [] for who in runs}
        for _ in range(args.turns):
            for who, run in runs.items():
                time.sleep(0.1)  # the other's threads spin for a while after their work, OpenBLAS's for 20 ms
                run()  # and a core that slept takes a while to wake up
                times[who].append(timed(run))
        for run in runs.values():
            run.close()
        (nw, nc), (ww, wc) = ([min(t[i] for t in times[who]) for i in (0, 1)] for who in (args.peer, "weft"))
        print(f"{name:42} {nw:8.1f} {nc:7.1f} {ww:10.1f} {wc:7.1f} {nw / ww:6.2f} {nc / wc:6.2f}  {flops / ww * 1e-6:.1f}"
              + ("" if off < 1e-4 else f"  VOID: answers differ by {off:.1e}"), flush=True)
        report.append({"name": name, "flops": flops, "difference": off, "times_ms_wall_and_cpu": times})
        ratios.append(nc / wc), walls.append(nw / ww)
    if ratios:
        print(f"{'geometric mean, ' + args.peer + ' / weft':78} {np.exp(np.mean(np.log(walls))):6.2f} {np.exp(np.mean(np.log(ratios))):6.2f}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(report, file, indent=1)
    if args.peer == "ncnn":
        import ncnn
        ncnn.destroy_gpu_instance()


if __name__ == "__main__":
    main()
