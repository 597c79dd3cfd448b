# SPDX-License-Identifier: MIT
"""Trains the bundled inpainting network on generated garment pictures. Resumes from its checkpoint's averaged weights.

    inpaint.py --out DIR [--minutes N] [--cache DIR] [--chunks N] [--drawers N] [--workers N]

Pictures 0 to 250 * chunks - 1 are drawn into the cache while training runs; seeds from 1000000 on are held out.
The first 20 % of the time trains the coarse stage alone. The last 20 % uses whole 256-pixel pictures, the time
before it 128-pixel crops and half-size pictures.
"""
import argparse
import copy
import math
import multiprocessing
import os
import time

import numpy as np
import torch
import torch.multiprocessing  # registers shared tensors with multiprocessing
from torch.nn import functional as F

from garments import hole, picture
from network import Network

CHUNK, SIDE, HELD_OUT = 250, 256, 1000000
KINDS = "freeform", "rectangle", "mixed"


# ---- data

def draw_chunk(job):
    """Draws pictures and holes of one chunk into the cache."""
    cache, index = job
    seeds = range(index * CHUNK, (index + 1) * CHUNK)
    for name, draw in (("holes", lambda s: hole(s, SIDE, KINDS[s % 3])), ("pictures", lambda s: picture(s, SIDE))):
        path = os.path.join(cache, f"{name}{index:03d}.npy")
        np.save(path + ".part.npy", np.stack([draw(seed) for seed in seeds]))
        os.replace(path + ".part.npy", path)


class Cache:
    """Chunks of pictures and holes; a pool of workers, if any, adds those that are missing."""

    def __init__(self, folder, chunks, workers):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.chunks, self.pictures, self.holes = folder, chunks, {}, {}
        missing = [(folder, i) for i in range(chunks) if not os.path.exists(self.path("pictures", i))]
        if missing and workers:
            self.pool = multiprocessing.Pool(workers)
            self.pool.map_async(draw_chunk, missing, 1)
        while len(self.pictures) < min(2, chunks):
            time.sleep(1)
            self.refresh()

    def path(self, name, index):
        return os.path.join(self.folder, f"{name}{index:03d}.npy")

    def refresh(self):
        for i in range(self.chunks):
            if i not in self.pictures and os.path.exists(self.path("pictures", i)):
                self.pictures[i] = np.load(self.path("pictures", i), mmap_mode="r")
                self.holes[i] = np.load(self.path("holes", i), mmap_mode="r")
        return len(self.pictures) * CHUNK

    def pick(self, rng, table):
        return table[list(table)[rng.integers(len(table))]][rng.integers(CHUNK)]

    def sample(self, rng, side):
        """One picture [3,side,side] in [-1,1] and one hole [1,side,side]."""
        image, mask = self.pick(rng, self.pictures), self.pick(rng, self.holes)
        if side < SIDE and rng.random() < .3:
            image, mask = image.reshape(side, 2, side, 2, 3).mean((1, 3)), mask[::2, ::2]
        elif side < SIDE:
            y, x = rng.integers(0, SIDE - side + 1, 2)
            image = image[y:y + side, x:x + side]
            corners = rng.integers(0, SIDE - side + 1, (6, 2))
            cuts = [mask[y:y + side, x:x + side] for y, x in corners]
            mask = min(cuts, key=lambda cut: abs(cut.mean() / 255 - .25))
        if rng.random() < .5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        if rng.random() < .2:
            image, mask = image[::-1], mask[::-1]
        if rng.random() < .2:
            image, mask = image.swapaxes(0, 1), mask.swapaxes(0, 1)
        image = image[:, :, rng.permutation(3)] if rng.random() < .5 else image
        return image.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1, (mask > 127).astype(np.float32)[None]

    def batch(self, rng, count, side):
        return [torch.from_numpy(np.stack(t)) for t in zip(*(self.sample(rng, side) for _ in range(count)))]


# ---- loss

def mean_in(values, mask):
    return (values * mask).sum() / (mask.sum() * values.shape[1] + 1)


def dissimilarity(a, b, mask):
    """1 - SSIM of the grey pictures with a 9x9 box, averaged over the hole."""
    a, b = ((t.mean(1, keepdim=True) + 1) / 2 for t in (a, b))
    ma, mb, aa, bb, ab = F.avg_pool2d(torch.cat([a, b, a * a, b * b, a * b], 1), 9, 1, 4).split(1, 1)
    c1, c2 = .01 ** 2, .03 ** 2
    luminance = (2 * ma * mb + c1) / (ma * ma + mb * mb + c1)
    structure = (2 * (ab - ma * mb) + c2) / (aa + bb - ma * ma - mb * mb + c2)
    return mean_in(1 - luminance * structure, mask)


def loss_of(coarse, fine, image, mask):
    """l1 and l2 in the hole, a little l1 outside, and structural dissimilarity of the composite; fine may be None."""
    def distance(out):
        error = out - image
        return mean_in(error.abs(), mask) + mean_in(error * error, mask) + .1 * mean_in(error.abs(), 1 - mask)
    if fine is None:
        return distance(coarse)
    return .5 * distance(coarse) + distance(fine) + .15 * dissimilarity(image + (fine - image) * mask, image, mask)


# ---- training

def initialise(net):
    """Weights that keep the signal's size through gated layers, which have no normalisation to do it."""
    for name, layer in net.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            parts = {"head": .5, "attention": 1, "middle": 1.15, "last": 1.15}
            gain = next((parts[part] for part in name.split(".") if part in parts), 2.3)
            torch.nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.weight[0].numel()))
            torch.nn.init.zeros_(layer.bias)


def psnr(net, pairs):
    """Mean over held-out pictures of the PSNR inside the hole, in dB, of the coarse and of the fine result."""
    with torch.no_grad():
        errors = [[mean_in(((out - image) / 2) ** 2, mask).item() for out in net(image, mask)] for image, mask in pairs]
    return -10 * np.log10(errors).mean(0)


def held_out(count):
    """The first held-out pictures with their holes, one tensor pair each."""
    for seed in range(HELD_OUT, HELD_OUT + count):
        image, mask = picture(seed, SIDE), hole(seed, SIDE, KINDS[seed % 2])
        yield (torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1),
               torch.from_numpy((mask > 127).astype(np.float32)[None, None]))


def work(index, options, net, average, saved, steps):
    """One training process: draws batches and steps the shared weights. The first one also reports and saves."""
    torch.set_num_threads(1)
    path = os.path.join(options.out, "checkpoint.pt")
    adam = torch.optim.Adam(net.parameters(), options.rate, (.9, .99))
    if saved:
        adam.load_state_dict(saved["adam"])
    spent = saved["spent"] if saved else 0.
    rng = np.random.default_rng([options.seed, index, steps.value])
    cache = Cache(options.cache, options.chunks, options.drawers if index == 0 else 0)
    pairs = list(held_out(8)) if index == 0 else []
    began, report, running = time.time() - spent, spent, None
    while spent < 60 * options.minutes:
        part = spent / (60 * options.minutes)
        alone = part < .2
        count, side = (8, 128) if part < .8 else (2, 256)
        rate = options.rate * min(1, (steps.value + 1) / 200) * (1 - part) ** 1.5
        for group in adam.param_groups:
            group["lr"] = rate
        image, mask = (t.contiguous(memory_format=torch.channels_last) for t in cache.batch(rng, count, side))
        with torch.autocast("cpu", torch.bfloat16):
            coarse, fine = (net.coarse(torch.cat([image * (1 - mask), mask], 1)), None) if alone else net(image, mask)
        loss = loss_of(coarse.float(), None if alone else fine.float(), image, mask)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.)
        with steps.get_lock(), torch.no_grad():
            adam.step()
            steps.value += 1
            keep = min(.995, steps.value / (steps.value + 10))
            for slow, fast in zip(average.parameters(), net.parameters()):
                slow.lerp_(fast, 1 - keep)
        spent = time.time() - began
        running = loss.item() if running is None else .99 * running + .01 * loss.item()
        if spent - report > 180 or spent >= 60 * options.minutes:
            pictures = cache.refresh()
            if index == 0:
                print(f"{spent / 60:.1f} min, {steps.value} steps, {pictures} pictures, rate {rate:.1e}, "
                      f"loss {running:.4f}, held-out hole PSNR, coarse and fine:",
                      "{:.2f} {:.2f} dB".format(*psnr(average, pairs)), flush=True)
                torch.save({"average": average.state_dict(), "adam": adam.state_dict(), "steps": steps.value,
                            "spent": spent}, path + ".part")
                os.replace(path + ".part", path)
            report = spent


def train(options):
    torch.manual_seed(options.seed)
    os.makedirs(options.out, exist_ok=True)
    net = Network().to(memory_format=torch.channels_last)
    initialise(net)
    average, saved = copy.deepcopy(net), None
    path = os.path.join(options.out, "checkpoint.pt")
    if os.path.exists(path):
        saved = torch.load(path)
        net.load_state_dict(saved["average"])
        average.load_state_dict(saved["average"])
    context = multiprocessing.get_context("spawn")
    steps = context.Value("l", saved["steps"] if saved else 0)
    shared = options, net.share_memory(), average.share_memory(), saved, steps
    processes = [context.Process(target=work, args=(index, *shared)) for index in range(options.workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def main():
    parser = argparse.ArgumentParser(description="Train the bundled inpainting network.")
    parser.add_argument("--out", required=True, help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=53.5, help="training time; the rate falls to zero at its end")
    parser.add_argument("--cache", default="/tmp/garments", help="folder of drawn pictures, 66 MB a chunk")
    parser.add_argument("--chunks", type=int, default=12, help="chunks of 250 pictures")
    parser.add_argument("--drawers", type=int, default=1, help="processes that draw the missing chunks")
    parser.add_argument("--workers", type=int, default=2, help="training processes, one thread each")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
