# SPDX-License-Identifier: MIT
"""Draws the generator's training pictures into one array: 64x64, the whole garment in view.

    pictures.py OUT.npy [--first SEED] [--count N] [--workers N]

A picture is drawn at 128x128 and averaged down. Of the seeds from --first on, those are taken whose garment lies whole
in the picture (about 60 %); garments.py makes that choice with the first number of the seed.
"""
import argparse
import itertools
import multiprocessing

import numpy as np

from garments import picture

SIDE = 64


def whole(seed):
    """Says whether the picture of this seed shows the whole garment rather than a closer view."""
    return np.random.default_rng(seed).random() < .6


def small(seed):
    return picture(seed, 2 * SIDE).reshape(SIDE, 2, SIDE, 2, 3).mean((1, 3)).round().astype(np.uint8)


def seeds(first, count):
    return list(itertools.islice(filter(whole, itertools.count(first)), count))


def main():
    parser = argparse.ArgumentParser(description="Draw the generator's training pictures.")
    parser.add_argument("out")
    parser.add_argument("--first", type=int, default=0, help="first seed; seeds from 1000000 on are held out")
    parser.add_argument("--count", type=int, default=24000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with multiprocessing.Pool(options.workers) as pool:
        np.save(options.out, np.stack(pool.map(small, seeds(options.first, options.count), 50)))


if __name__ == "__main__":
    main()
