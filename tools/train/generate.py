# SPDX-License-Identifier: MIT
"""Trains the bundled generator's synthesis network on drawn garments, as the decoder of a variational autoencoder.

    generate.py --out DIR --pictures FILE.npy.. --held FILE.npy [--minutes N] [--batch N]

The code that the encoder finds for a picture is w itself; mapping.py fits the mapping network afterwards. Runs until the
minutes, counted over all starts, are used; can be stopped and run again. Every three minutes the folder gets
checkpoint.pt and sheet.png: held-out pictures, their reconstructions, and reconstructions half-way between neighbours.
"""
import argparse
import copy
import math
import os
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from stylegan import W, Generator, Half, conv, leaky

NATS, RATE = 300., 1.5e-3  # the information in a code, learning rate
GROWTH = (4, 16), (14, 32), (math.inf, 64)  # until these minutes, this size


class Down(nn.Module):
    """Halves the picture: a 3x3 convolution, then a 4x4 one of stride 2, beside an averaged shortcut."""

    def __init__(self, inside, outside):
        super().__init__()
        self.same, self.narrow = nn.Conv2d(inside, inside, 3, padding=1), nn.Conv2d(inside, outside, 4, 2, 1)
        self.skip = nn.Conv2d(inside, outside, 1, bias=False)

    def forward(self, x):
        y = leaky(conv(x, self.same.weight, padding=1) + self.same.bias[:, None, None])
        y = leaky(conv(y, self.narrow.weight, stride=2, padding=1) + self.narrow.bias[:, None, None])
        return (y + conv(F.avg_pool2d(x, 2), self.skip.weight)) * .7


class Trunk(nn.Module):
    """64x64 picture to a 4x4 map."""

    def __init__(self, widths):
        super().__init__()
        self.first = nn.Conv2d(3, widths[0], 4, 2, 1)
        self.downs = nn.ModuleList(Down(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        x = leaky(conv(x.contiguous(memory_format=torch.channels_last), self.first.weight, stride=2, padding=1)
                  + self.first.bias[:, None, None])
        for down in self.downs:
            x = down(x)
        return x


class Encoder(nn.Module):
    def __init__(self, widths=(48, 96, 160, 224)):
        super().__init__()
        self.trunk, self.code = Trunk(widths), nn.Linear(16 * widths[-1], 2 * W)

    def forward(self, x):
        mean, spread = self.code(self.trunk(x).flatten(1)).chunk(2, 1)
        return mean, (spread - 3).clamp(-8, 4)


def distance(a, b):
    """L1 over a pyramid of averages and over the gradients."""
    grade = a - b
    total = (grade[:, :, 1:] - grade[:, :, :-1]).abs().mean() + (grade[..., 1:] - grade[..., :-1]).abs().mean()
    for _ in range(4):
        total = total + grade.abs().mean()
        grade = F.avg_pool2d(grade, 2)
    return total


def divergence(mean, spread):
    return .5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean()


def grid(rows):
    """Rows of pictures [n,3,h,w] in [-1,1] as one PNG picture, doubled."""
    rows = [torch.cat(list(row), 2) for row in rows]
    image = ((torch.cat(rows, 1).clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(image).resize((image.shape[1] * 2, image.shape[0] * 2), Image.NEAREST)


class Training:
    def __init__(self, options):
        self.options, self.pictures = options, [np.load(path, mmap_mode="r") for path in options.pictures]
        self.net, self.encoder = Generator(), Encoder()
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.adam = torch.optim.Adam([
            {"params": list(self.net.synthesis.parameters()), "scale": 1},
            {"params": list(self.encoder.parameters()), "scale": .25}], betas=(.9, .99))
        self.steps, self.spent, self.price, self.rng = 0, 0., 1e-3, np.random.default_rng(options.seed)
        self.path = os.path.join(options.out, "checkpoint.pt")
        self.kept = "net", "encoder", "average", "adam"
        if os.path.exists(self.path):
            self.load()

    def load(self):
        state = torch.load(self.path)
        for name in self.kept:
            getattr(self, name).load_state_dict(state[name])
        self.steps, self.spent, self.price = state["steps"], state["spent"], state["price"]
        self.rng = np.random.default_rng([self.options.seed, self.steps])

    def save(self):
        state = {name: getattr(self, name).state_dict() for name in self.kept}
        torch.save({**state, "steps": self.steps, "spent": self.spent, "price": self.price}, self.path + ".part")
        os.replace(self.path + ".part", self.path)

    def batch(self, count):
        out = []
        for _ in range(count):
            at = self.rng.integers(sum(map(len, self.pictures)))
            for table in self.pictures:
                if at < len(table):
                    break
                at -= len(table)
            out.append(table[at][:, ::-1] if self.rng.random() < .5 else table[at])
        return to_tensor(np.stack(out))

    def pace(self):
        """Learning rate: a short rise, constant, and a fall over the last third of the time."""
        left = 1 - self.spent / (60 * self.options.minutes)
        return RATE * min(1, (self.steps + 1) / 100) * max(.02, min(1, 3 * left))

    def step(self):
        rate = self.pace()
        for group in self.adam.param_groups:
            group["lr"] = rate * group["scale"]
        top = next(side for minutes, side in GROWTH if self.spent < 60 * minutes)
        real = self.batch(self.options.batch if top == 64 else 16)
        mean, spread = self.encoder(real)
        fake = self.net.draw(mean + (.5 * spread).exp() * torch.randn_like(mean), True, top)
        nats = divergence(mean, spread)
        error = distance(fake, F.avg_pool2d(real, 64 // top))
        loss = error + self.price * nats
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.)
        self.adam.step()
        self.price = min(1., max(1e-5, self.price * math.exp(.01 * max(-1., min(1., nats.item() / NATS - 1)))))
        self.follow()
        self.steps += 1
        return {"error": error.item(), "nats": nats.item()}

    def follow(self):
        keep = min(.9985, (self.steps + 1) / (self.steps + 20))
        with torch.no_grad():
            for mine, new in zip(self.average.parameters(), self.net.parameters()):
                mine.lerp_(new, 1 - keep)

    def sheet(self, held):
        Half.on = False
        with torch.no_grad():
            mean, _ = self.encoder(held)
            again = self.average.draw(mean)
            between = self.average.draw((mean + mean.roll(1, 0)) / 2)
        grid([held, again, between]).save(os.path.join(self.options.out, "sheet.png"))
        Half.on = True
        return (again - held).square().mean((1, 2, 3)).mul(.25).log10().mul(-10).mean().item()

    def run(self, held):
        Half.on, sums, shown, last, drawn = True, {}, self.steps, time.time(), time.time()
        while self.spent < 60 * self.options.minutes:
            for name, value in self.step().items():
                sums.setdefault(name, []).append(value)
            now = time.time()
            self.spent, last = self.spent + now - last, now
            if self.steps - shown >= 200:
                print(self.steps, f"{self.spent / 60:.1f} min", *(f"{k} {np.mean(v):.4f}" for k, v in sums.items()),
                      f"price {self.price:.2g}", flush=True)
                sums, shown = {}, self.steps
            if now - drawn > 180:
                self.save()
                print(f"held-out reconstruction {self.sheet(held):.2f} dB", flush=True)
                drawn = time.time()
        self.save()
        print(f"end: held-out reconstruction {self.sheet(held):.2f} dB", flush=True)


def to_tensor(pictures):
    return torch.from_numpy(pictures.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)


def main():
    parser = argparse.ArgumentParser(description="Train the bundled generator.")
    parser.add_argument("--out", required=True)
    parser.add_argument("--pictures", nargs="+", required=True)
    parser.add_argument("--held", required=True, help="held-out pictures, for the sheet")
    parser.add_argument("--minutes", type=float, default=44)
    parser.add_argument("--batch", type=int, default=12, help="at 64x64; the smaller sizes take 16")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    Training(options).run(to_tensor(np.load(options.held)[:12]))


if __name__ == "__main__":
    main()
