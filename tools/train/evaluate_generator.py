# SPDX-License-Identifier: MIT
"""Measures the exported generator: reconstruction of held-out pictures by optimising w+, and a sheet of samples.

    evaluate_generator.py [--weights FILE] [--count N] [--steps N] [--sheet FILE]

Each picture starts from w_avg; Adam (rate .1, falling over the last quarter) moves one w per layer; the loss is that of
the training (L1 over a pyramid and over gradients), pulled lightly towards w_avg. Prints a Markdown table.
"""
import argparse
import os

import numpy as np
import torch
from torch.nn import functional as F

from evaluate import load_safetensors, ssim_map
from generate import distance, grid, to_tensor
from pictures import seeds, small
from stylegan import LAYERS, Z, Generator

HERE = os.path.dirname(os.path.abspath(__file__))


def invert(net, target, steps, layers):
    """ws [n, LAYERS, W] whose pictures are near the target; layers = 1: the same w in every layer."""
    start = net.mapping.w_avg.expand(len(target), layers, -1)
    ws = start.clone().requires_grad_()
    adam = torch.optim.Adam([ws])
    for i in range(steps):
        adam.param_groups[0]["lr"] = .1 * min(1, 4 * (1 - i / steps))
        pull = (ws - start).square().mean()
        loss = distance(net.synthesis(ws.expand(-1, LAYERS, -1)), target) + 1e-3 * pull
        adam.zero_grad()
        (loss * len(target)).backward()
        adam.step()
    return ws.detach().expand(-1, LAYERS, -1)


def bytes_of(image):
    return ((image.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()


def main():
    parser = argparse.ArgumentParser(description="Measure the generator on held-out pictures.")
    parser.add_argument("--weights", default=os.path.join(HERE, "weights", "generator.safetensors"))
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--sheet", help="also write a PNG: pictures, w and w+ reconstructions, samples at psi 1 and .7")
    options = parser.parse_args()
    torch.manual_seed(0)
    net = Generator().requires_grad_(False)
    net.load_state_dict(load_safetensors(options.weights))
    target = to_tensor(np.stack([small(seed) for seed in seeds(1000000, options.count)]))
    mean = F.interpolate(target.mean((2, 3), keepdim=True), (64, 64))
    found = {"mean colour": mean, "w": net.synthesis(invert(net, target, options.steps, 1)),
             "w+": net.synthesis(invert(net, target, options.steps, LAYERS))}
    print("| reconstruction | PSNR dB | SSIM |\n|---|---|---|")
    real = bytes_of(target)
    for name, images in found.items():
        pairs = list(zip(real, bytes_of(images)))
        psnr = np.mean([-10 * np.log10(((a - b) ** 2).mean() / 255 ** 2) for a, b in pairs])
        print(f"| {name} | {psnr:.2f} | {np.mean([ssim_map(a, b).mean() for a, b in pairs]):.4f} |")
    if options.sheet:
        z = torch.randn(36, Z)
        grid([target[:12], found["w"][:12], found["w+"][:12], *net(z).split(12), *net(z[:24], .7).split(12)]).save(
            options.sheet)


if __name__ == "__main__":
    main()
