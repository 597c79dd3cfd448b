# SPDX-License-Identifier: MIT
"""Writes samples/data/garments, NAME.png and NAME.mask.png (white = hole), from held-out seeds, and EDITED.garment.png (white = garment)."""
import os
import sys

from PIL import Image, ImageFilter

from garments import hole, picture

SAMPLES = (("floral-dress", 1500014, 256, "freeform"), ("denim-skirt", 1500024, 256, "rectangle"),
           ("gingham-skirt", 1500034, 256, "freeform"), ("striped-tee", 1500028, 256, "mixed"),
           ("dotted-dress", 1500031, 256, "mixed"), ("cable-jacket", 1500027, 256, "freeform"),
           ("striped-dress", 1500035, 256, "rectangle"), ("jeans", 1500011, 256, "mixed"),
           ("belted-dress", 1500018, (241, 317), "freeform"))

EDITED = "striped-tee"  # by the demonstration of inversion


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples", "data", "garments")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    for name, seed, size, kind in SAMPLES:
        Image.fromarray(picture(seed, size)).save(os.path.join(out, name + ".png"), optimize=True)
        Image.fromarray(hole(seed, size, kind)).save(os.path.join(out, name + ".mask.png"), optimize=True)
        if name == EDITED:
            garment = Image.fromarray(picture(seed, size, silhouette=True)).filter(ImageFilter.MaxFilter(9))
            garment.save(os.path.join(out, name + ".garment.png"), optimize=True)


if __name__ == "__main__":
    main()
