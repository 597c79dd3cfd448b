# SPDX-License-Identifier: MIT
"""Writes the trained weights as float16 .safetensors, and a golden case computed from those rounded weights.

    export.py CHECKPOINT [--out DIR]

garment_golden.npz holds, for case 0 (64x64) and case 1 (72x104): image.K [1,3,h,w], mask.K [1,1,h,w], coarse.K and
fine.K [1,3,h,w], all float32.
"""
import argparse
import json
import os
import struct

import numpy as np
import torch

from garments import hole, picture
from network import Network


def save_safetensors(tensors, path, **notes):
    """Writes float16 arrays: header length, JSON header, data; the offsets count from the end of the header."""
    header, at = {"__metadata__": notes}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F16", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.tobytes())


def golden(net):
    arrays = {}
    for case, (seed, size) in enumerate(((1900000, (64, 64)), (1900001, (72, 104)))):
        image = picture(seed, size).astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        mask = (hole(seed, size, "mixed") > 127).astype(np.float32)[None, None]
        with torch.no_grad():
            outputs = net(torch.from_numpy(image), torch.from_numpy(mask))
        for name, value in zip(("image", "mask", "coarse", "fine"), (image, mask, *(t.numpy() for t in outputs))):
            arrays[f"{name}.{case}"] = value
    return arrays


def main():
    parser = argparse.ArgumentParser(description="Export the trained inpainting network.")
    parser.add_argument("checkpoint", help="checkpoint.pt of inpaint.py; its averaged weights are exported")
    parser.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights"))
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    state = torch.load(options.checkpoint, map_location="cpu")["average"]
    halves = {name: value.contiguous().numpy().astype(np.float16) for name, value in state.items()}
    net = Network()
    net.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in halves.items()})
    save_safetensors(halves, os.path.join(options.out, "garment.safetensors"), network="weft garment inpainting",
                     definition="tools/train/network.py")
    np.savez_compressed(os.path.join(options.out, "garment_golden.npz"), **golden(net))


if __name__ == "__main__":
    main()
