#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""DeepFill v2 at 256x256 through weft's cpu device and through PyTorch (OpenBLAS), taking turns on the same cores.

    cpu_vs_torch.py BUILD CHECKPOINT.safetensors [TURNS]

CHECKPOINT has the 'tf' key scheme. Prints the medians in ms; needs python3-torch and libopenblas0-pthread."""
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nets", "golden"))
import nets  # noqa: E402



def load(path):
    with open(path, "rb") as file:
        header, data = json.loads(file.read(struct.unpack("<Q", file.read(8))[0])), file.read()
    return {name: torch.from_numpy(np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"]).copy())
            for name, t in header.items() if name != "__metadata__" and t["dtype"] == "F32"}


torch.set_num_threads(len(os.sched_getaffinity(0)))  # it may take one by itself
build, checkpoint, turns = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5
with tempfile.TemporaryDirectory() as folder:
    model = os.path.join(folder, "net.weft")
    subprocess.check_call([os.path.join(build, "weft"), "import", checkpoint, "--arch", "deepfillv2", "--variant", "tf", "-o", model])
    weights = nets.Weights(load(checkpoint))
    image, mask = torch.rand(1, 3, 256, 256) * 2 - 1, torch.zeros(1, 1, 256, 256)
    mask[:, :, 86:170, 86:170] = 1
    x = torch.cat([image * (1 - mask), torch.ones_like(mask), mask], 1)
    times = {"weft cpu": [], "PyTorch": []}
    with torch.no_grad():
        nets.deepfillv2(weights, x, mask, "tf")
        for _ in range(turns):
            begin = time.time()
            nets.deepfillv2(weights, x, mask, "tf")
            times["PyTorch"].append(1e3 * (time.time() - begin))
            out = subprocess.check_output([os.path.join(build, "tests", "time_model"), model, "cpu", "3"], text=True)
            times["weft cpu"] += [float(line) for line in out.split()]
for name, list_ in times.items():
    print(f"{name}: median {statistics.median(list_):.0f} ms, least {min(list_):.0f}, most {max(list_):.0f}, {len(list_)} runs")
print(f"ratio PyTorch / weft: {statistics.median(times['PyTorch']) / statistics.median(times['weft cpu']):.2f}, {torch.get_num_threads()} threads")
