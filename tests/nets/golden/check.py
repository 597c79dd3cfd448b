#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds an imported network against recorded outputs of its published definition.

    check.py CASE_DIR CHECKPOINT.safetensors --arch NAME [--variant V] [--entry E] [--weft build/weft] [--device cpu] [--precision exact] [--limit 1e-4]

CASE_DIR/io.npz has in.K and out.K, in the order of the network's ports, and perhaps cotangent.K of the outputs with grad.K by the inputs. Prints the relative
error |a - b| / |b| of each output and gradient. A gradient in which an activation or a maximum lies on the edge may differ by rounding alone."""
import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("case")
    p.add_argument("checkpoint")
    p.add_argument("--arch", required=True)
    p.add_argument("--variant")
    p.add_argument("--entry")
    p.add_argument("--weft", default="build/weft")
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", default="exact")
    p.add_argument("--limit", type=float, default=1e-4)
    o = p.parse_args()
    io = np.load(os.path.join(o.case, "io.npz"))
    bad = 0
    with tempfile.TemporaryDirectory() as where:
        model = os.path.join(where, "net.weft")
        subprocess.run([o.weft, "import", o.checkpoint, "--arch", o.arch, "-o", model] + (["--variant", o.variant] if o.variant else []), check=True)
        run = [o.weft, "run", model, "--device", o.device, "--precision", o.precision] + (["--entry", o.entry] if o.entry else [])
        results = []
        for k in range(len([name for name in io.files if name.startswith("in.")])):
            value = io[f"in.{k}"]
            path = os.path.join(where, f"in{k}.npy")
            np.save(path, value.astype(np.int32) if value.dtype.kind == "i" else value.astype(np.float32))
            run += ["--in", path]
        for kind, option in (("out", "--out"), ("cotangent", "--cotangent"), ("grad", "--grad")):
            for name in sorted((name for name in io.files if name.startswith(kind + ".")), key=lambda name: int(name.split(".")[1])):
                path = os.path.join(where, name + ".npy")
                if kind == "cotangent":
                    np.save(path, io[name].astype(np.float32))
                else:
                    results.append((name, path))
                run += [option, path]
        start = time.time()
        subprocess.run(run, check=True)
        took = time.time() - start
        for name, path in results:
            a, b = np.load(path).astype(np.float64), io[name].astype(np.float64)
            error = np.linalg.norm(a - b) / np.linalg.norm(b) if a.shape == b.shape else np.inf
            fits = error <= o.limit  # not for NaN
            bad += not fits
            print(f"{o.arch} {o.variant or o.entry or ''} {o.device} {o.precision} {name} {list(a.shape)}: {error:.2e} {'ok' if fits else 'BAD'} ({took:.1f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
