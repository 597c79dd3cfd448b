# SPDX-License-Identifier: MIT
"""Compares the exported network with Telea inpainting on held-out garment pictures, inside the hole only.

    evaluate.py [--weights FILE] [--count N] [--sheet FILE]

Seeds 1000000 up, 256x256; prints a Markdown table. Telea is OpenCV's cv2.inpaint.
"""
import argparse
import json
import os
import struct

import cv2
import numpy as np
import torch

from garments import hole, picture
from network import Network

HELD_OUT, SIDE = 1000000, 256
HERE = os.path.dirname(os.path.abspath(__file__))


def load_safetensors(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(length)), file.read()
    return {name: torch.from_numpy(np.frombuffer(data[slice(*t["data_offsets"])], np.float16).astype(np.float32)
                                   .reshape(t["shape"])) for name, t in header.items() if name != "__metadata__"}


def network(weights):
    net = Network()
    net.load_state_dict(load_safetensors(weights))

    def fill(image, mask):
        x = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)
        with torch.no_grad():
            _, fine = net(x, torch.from_numpy((mask > 127).astype(np.float32)[None, None]))
        out = np.clip((fine[0].numpy().transpose(1, 2, 0) + 1) * 127.5 + .5, 0, 255).astype(np.uint8)
        return np.where(mask[..., None] > 127, out, image)
    return fill


def telea(radius):
    return lambda image, mask: cv2.inpaint(image, mask, radius, cv2.INPAINT_TELEA)


def ssim_map(a, b):
    """SSIM at every pixel and channel: 11x11 Gaussian of sigma 1.5, values 0 to 255."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    ma, mb, aa, bb, ab = (cv2.GaussianBlur(t, (11, 11), 1.5) for t in (a, b, a * a, b * b, a * b))
    c1, c2 = (.01 * 255) ** 2, (.03 * 255) ** 2
    luminance = (2 * ma * mb + c1) / (ma * ma + mb * mb + c1)
    return luminance * (2 * (ab - ma * mb) + c2) / (aa + bb - ma * ma - mb * mb + c2)


def measure(image, filled, mask):
    """PSNR in dB, SSIM and l1 in per cent, over the hole's pixels."""
    inside = mask > 127
    error = (filled.astype(np.float64) - image)[inside] / 255
    psnr = -10 * np.log10(max((error ** 2).mean(), 1e-10))
    return psnr, ssim_map(image, filled)[inside].mean(), 100 * np.abs(error).mean()


def main():
    parser = argparse.ArgumentParser(description="Measure the network and Telea on held-out garment pictures.")
    parser.add_argument("--weights", default=os.path.join(HERE, "weights", "garment.safetensors"))
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--sheet", help="also write a PNG: rows of picture, hole, network, Telea")
    options = parser.parse_args()
    methods = {"garment network": network(options.weights), "Telea, radius 3": telea(3), "Telea, radius 5": telea(5)}
    print("| holes | method | PSNR dB | SSIM | l1 % | network better in PSNR |\n|---|---|---|---|---|---|")
    rows = []
    for kind in ("freeform", "rectangle"):
        scores = {name: [] for name in methods}
        for seed in range(HELD_OUT, HELD_OUT + options.count):
            image, mask = picture(seed, SIDE), hole(seed, SIDE, kind)
            filled = {name: fill(image, mask) for name, fill in methods.items()}
            for name, result in filled.items():
                scores[name].append(measure(image, result, mask))
            if seed < HELD_OUT + 6:
                rows.append([image, np.maximum(image, mask[..., None]), *list(filled.values())[:2]])
        ours = np.array(scores["garment network"])
        for name, values in scores.items():
            p, s, e = np.mean(values, 0)
            better = (ours[:, 0] > np.array(values)[:, 0]).sum()
            wins = "" if name == "garment network" else f"{better} of {options.count}"
            print(f"| {kind} | {name} | {p:.2f} | {s:.4f} | {e:.2f} | {wins} |")
    if options.sheet:
        cv2.imwrite(options.sheet, np.concatenate([np.concatenate(row, 1) for row in rows])[:, :, ::-1])


if __name__ == "__main__":
    main()
