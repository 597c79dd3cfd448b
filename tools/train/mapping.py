# SPDX-License-Identifier: MIT
"""Fits the generator's mapping network to the codes of the training pictures, and measures w_avg.

    mapping.py DIR --pictures FILE.npy.. [--minutes N]

Reads DIR/checkpoint.pt and writes DIR/generator.pt and DIR/samples.png. First the mapping network is given, exactly, the
linear map that takes noise to the mean and covariance of the codes. Then a flow from noise to codes is fitted (rectified
flow: a network learns what that linear map lacks of the mean direction of the straight lines from noise to codes), and
the mapping network learns, by regression, where the flow takes each z. No adversary is needed.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from generate import Encoder, grid, to_tensor
from stylegan import DEPTH, W, WIDE, Z, Generator, Half

BATCH, MARGIN = 256, 1.  # MARGIN: of the encoder's own spread kept around each code


def unit(z):
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def rate(model, optimizer, base, done):
    for group in optimizer.param_groups:
        group["lr"] = base * min(1, 50 * done + .02) * max(.01, .5 + .5 * math.cos(math.pi * done))


def until(minutes):
    """Yields the fraction of the minutes that has passed."""
    start = time.time()
    while (done := (time.time() - start) / (60 * minutes)) < 1:
        yield done


class Flow(nn.Module):
    """The direction at x and t: that of a Gaussian, in closed form, and what a network adds. x is whitened noise turned
    to the principal axes of the codes."""

    def __init__(self, mean, width=448, depth=3):
        super().__init__()
        self.middle = mean.mean(0)
        values, axes = torch.linalg.eigh(torch.cov(mean.t()))
        self.axes, self.values = axes, values.clamp(min=1e-6)
        self.offset = self.middle @ axes
        self.enter, self.time = nn.Linear(W, width), nn.Linear(33, width)
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(),
                                                  nn.Linear(width, width)) for _ in range(depth))
        self.leave = nn.Linear(width, W)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def linear(self, x, t):
        spread = (1 - t) ** 2 + t * t * self.values
        x = x @ self.axes
        along = self.offset + (t * self.values - (1 - t)) / spread * (x - t * self.offset)
        return along @ self.axes.t(), (x - t * self.offset) / spread.sqrt()

    def forward(self, x, t):
        waves = t * torch.arange(1, 17) * math.pi
        along, x = self.linear(x, t)
        x = self.enter(x) + self.time(torch.cat([t, waves.sin(), waves.cos()], 1))
        for block in self.blocks:
            x = x + block(x)
        return along + self.leave(x)

    def root(self):
        """The square root of the covariance: where the closed form takes unit noise, less the mean."""
        return self.axes * self.values.sqrt() @ self.axes.t()


def make_linear(mapping, matrix, offset):
    """Sets the layers so that z goes to matrix @ z + offset, as long as that is positive: each number travels as a pair,
    itself and its negative, so that leaky(x) - leaky(-x) = 1.2 x gives it back."""
    pair = torch.cat([torch.eye(Z), -torch.eye(Z)])
    back = pair.t() / (1.2 * math.sqrt(2))
    for i in range(DEPTH):
        layer = getattr(mapping, f"fc{i}")
        value = pair if i == 0 else pair @ back if i < DEPTH - 1 else matrix @ back / math.sqrt(2)
        with torch.no_grad():
            layer.weight.copy_(value / layer.gain)
            layer.bias.copy_(offset / math.sqrt(2) / layer.rate if i == DEPTH - 1 else torch.zeros(WIDE))


def shift_codes(net, shift):
    """Lets the synthesis expect w + shift where it expected w."""
    for name, part in net.synthesis.named_modules():
        if name.endswith("affine"):
            part.bias -= part.weight @ shift * part.gain / part.rate


def encode(encoder, tables):
    codes = []
    with torch.no_grad():
        for table in tables:
            for at in range(0, len(table), 100):
                images = to_tensor(np.array(table[at:at + 100]))
                images[::2] = images[::2].flip(3)
                codes.append(torch.cat(encoder(images), 1))
    return torch.cat(codes).chunk(2, 1)


def fit_flow(mean, spread, minutes):
    flow = Flow(mean)
    adam, steps, total = torch.optim.Adam(flow.parameters(), betas=(.9, .99)), 0, 0.
    for done in until(minutes):
        rate(flow, adam, 1e-3, done)
        at = torch.randint(len(mean), (BATCH,))
        w = mean[at] + MARGIN * (.5 * spread[at]).exp() * torch.randn(BATCH, W)
        z, t = unit(torch.randn(BATCH, Z)), torch.rand(BATCH, 1)
        loss = F.mse_loss(flow(z + t * (w - z), t), w - z)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        steps, total = steps + 1, total + loss.item()
        if steps % 300 == 0:
            print(f"flow {steps}: {total / 300:.4f}", flush=True)
            total = 0.
    return flow


def follow(flow, z, steps=12):
    """Where the flow takes z, by Heun's rule."""
    with torch.no_grad():
        for i in range(steps):
            t = torch.full((len(z), 1), i / steps)
            slope = flow(z, t)
            z = z + .5 / steps * (slope + flow(z + slope / steps, t + 1 / steps))
    return z


def distil(mapping, flow, shift, minutes):
    start, pairs = time.time(), []
    while time.time() - start < 30 * minutes:
        z = torch.randn(1000, Z)
        pairs.append((z, follow(flow, unit(z)) + shift))
    z, w = (torch.cat(side) for side in zip(*pairs))
    mapping.requires_grad_(True)
    adam, steps, total = torch.optim.Adam(mapping.parameters(), betas=(.9, .99)), 0, 0.
    for done in until(minutes / 2):
        rate(mapping, adam, 2e-3 / .01, done)
        at = torch.randint(len(z), (BATCH,))
        loss = F.mse_loss(mapping(z[at]), w[at])
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        steps, total = steps + 1, total + loss.item()
        if steps % 300 == 0:
            print(f"mapping {steps} ({len(z)} pairs): {total / 300:.4f} of {w.var().item():.4f}", flush=True)
            total = 0.
    mapping.requires_grad_(False)
    z = torch.randn(2000, Z)
    with torch.no_grad():
        print(f"mapping, fresh z: {F.mse_loss(mapping(z), follow(flow, unit(z)) + shift):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Fit the mapping network.")
    parser.add_argument("folder")
    parser.add_argument("--pictures", nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=6, help="half for the flow, half for the mapping network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    state = torch.load(os.path.join(options.folder, "checkpoint.pt"))
    net, encoder = Generator().requires_grad_(False), Encoder()
    net.load_state_dict(state["average"])
    encoder.load_state_dict(state["encoder"])
    Half.on = True
    mean, spread = encode(encoder, [np.load(path, mmap_mode="r") for path in options.pictures])
    Half.on = False
    print(f"{len(mean)} codes, deviation {mean.std(0).mean():.3f}, spread {(.5 * spread).exp().mean():.3f}", flush=True)
    shift = 4.5 * mean.std(0) - mean.mean(0)  # the mapping network's last leaky ReLU hardly passes what is negative
    shift_codes(net, shift)
    flow = fit_flow(mean, spread, options.minutes / 2)
    make_linear(net.mapping, flow.root(), flow.middle + shift)
    z = torch.randn(12, Z)
    rows = [net.draw(net.mapping(z)), net.draw(follow(flow, unit(z)) + shift)]
    distil(net.mapping, flow, shift, options.minutes / 2)
    with torch.no_grad():
        net.mapping.w_avg.copy_(net.mapping(torch.randn(10000, Z)).mean(0))
        rows += [net(z), *net(torch.randn(24, Z)).split(12), net(z, .7)]
    grid(rows).save(os.path.join(options.folder, "samples.png"))
    torch.save(net.state_dict(), os.path.join(options.folder, "generator.pt"))


if __name__ == "__main__":
    main()
