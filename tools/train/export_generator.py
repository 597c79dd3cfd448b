# SPDX-License-Identifier: MIT
"""Writes the trained generator as float16 .safetensors, and a golden case computed from those rounded weights.

    export_generator.py GENERATOR.pt [--out DIR]

generator_golden.npz holds float32: z [2,128], ws [2,10,128] (the first row mapped from z, truncated to .7; the second one
drawn per layer) and image [2,3,16,16], the picture of ws averaged down by four.
"""
import argparse
import os

import numpy as np
import torch
from torch.nn import functional as F

from export import save_safetensors
from stylegan import LAYERS, W, Z, Generator

GRAIN = .015  # of pictures in [-1,1]: about what garments.py gives its own
HERE = os.path.dirname(os.path.abspath(__file__))


def set_grain(net):
    """The loss asks for the expected picture, so training leaves no noise strength above 2e-4, and noise maps would do
    nothing. Gives all layers one strength: that which spreads the pictures' numbers by GRAIN."""
    strengths = [part for name, part in net.named_parameters() if name.endswith("noise_strength")]
    for strength in strengths:
        strength.fill_(GRAIN)
    ws = net.mapping(torch.randn(4, Z, generator=torch.Generator().manual_seed(0)))[:, None].expand(-1, LAYERS, -1)
    spread = torch.stack([net.synthesis(ws, True) for _ in range(16)]).std(0).mean()
    for strength in strengths:
        strength.mul_(GRAIN / spread)


def main():
    parser = argparse.ArgumentParser(description="Export the trained generator.")
    parser.add_argument("generator", help="generator.pt of mapping.py")
    parser.add_argument("--out", default=os.path.join(HERE, "weights"))
    options = parser.parse_args()
    torch.manual_seed(0)
    net = Generator().requires_grad_(False)
    net.load_state_dict(torch.load(options.generator))
    set_grain(net)
    halves = {name: value.contiguous().numpy().astype(np.float16) for name, value in net.state_dict().items()}
    path = os.path.join(options.out, "generator.safetensors")
    save_safetensors(halves, path, network="StyleGAN2 of 64x64 garments", definition="tools/train/stylegan.py")
    net.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in halves.items()})
    rng = np.random.default_rng(5)
    z = torch.from_numpy(rng.standard_normal((2, Z), np.float32))
    w, average = net.mapping(z), net.mapping.w_avg
    ws = average.lerp(w, .7)[:, None].repeat(1, LAYERS, 1)
    ws[1] += .3 * torch.from_numpy(rng.standard_normal((LAYERS, W), np.float32))
    image = F.avg_pool2d(net.synthesis(ws), 4)
    np.savez_compressed(os.path.join(options.out, "generator_golden.npz"), z=z.numpy(), ws=ws.numpy(),
                        image=image.numpy())
    print(f"{sum(v.size for v in halves.values())} numbers, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
