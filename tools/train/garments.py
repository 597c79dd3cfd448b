# SPDX-License-Identifier: MIT
"""Draws garment pictures and holes from a seed: silhouettes, folds, fabrics, trimmings and backgrounds.

    garments.py OUT_DIR [--first SEED] [--count N] [--size N | HxW] [--holes freeform|rectangle|mixed]
"""
import argparse
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

COLOURS = ("f4f1ea e8dcc8 d9c3a0 c19a6b 8b5e3c 5a3a28 b5533c d9703f e4a03a e9c46a f0dc9b 7a8450 4f5d3a 2f4f3f 88a596 "
           "2a9d8f 1f6f78 9fc5d0 5b8db8 2f5d9b 1d3557 16213e 6d6fa8 b7a6d3 7d4f8a 8e2f56 b0304a d64550 e98a8a f2c4c4 "
           "fafafa c9c9c6 8f9192 55585c 2e3033 171719").split()
BACKDROPS = ("f3f0ec e9e4dc dfe4e6 d8cfc4 c7d0cc e6d5cf cfd3df b9b4ab a8b5b2 efe9d9 dcdcdc 8d9499 6c7a80 "
             "f8f8f7").split()


# ---- small tools

def colour(rng, names=COLOURS, jitter=.06):
    code = names[rng.integers(len(names))]
    base = np.array([int(code[i:i + 2], 16) for i in (0, 2, 4)], np.float32) / 255
    return np.clip(base + rng.normal(0, jitter / 2, 3), .02, .98).astype(np.float32)


def contrasting(rng, other):
    """A colour that can be told from `other`."""
    return max((colour(rng) for _ in range(4)), key=lambda c: np.abs(c - other).sum() * rng.uniform(.5, 1))


def step(distance):
    """A soft edge: 0 below, 1 above, one pixel wide; the distance is in pixels."""
    return np.clip(distance + .5, 0, 1)


def blend(under, over, weight):
    out = np.subtract(over, under, dtype=np.float32) * weight.astype(np.float32)[..., None]
    out += under
    return out


def noise(rng, shape, cell):
    """Smooth noise of about unit range; a cell is the size of a bump in pixels."""
    grid = rng.uniform(-1, 1, (int(shape[0] / cell) + 4, int(shape[1] / cell) + 4)).astype(np.float32)
    wide = Image.fromarray(grid).resize((int(grid.shape[1] * cell), int(grid.shape[0] * cell)), Image.BICUBIC)
    at = int(cell), int(cell)
    return np.asarray(wide)[at[0]:at[0] + shape[0], at[1]:at[1] + shape[1]]


def blur(image, radius):
    return np.asarray(Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(radius)), np.float32) / 255


def soften(points, rounds=2):
    """Chaikin's corner cutting on a closed outline; a corner given twice stays sharp."""
    points = np.asarray(points, np.float32)
    for _ in range(rounds):
        following = np.roll(points, -1, 0)
        points = np.stack([.75 * points + .25 * following, .25 * points + .75 * following], 1).reshape(-1, 2)
    return points


class Frame:
    """Places the garment's coordinates (about -1 to 1, y down) in the picture."""

    def __init__(self, rng, shape):
        self.shape = shape
        self.unit = min(shape) / 256
        zoom = rng.uniform(.86, 1.06) if rng.random() < .6 else rng.uniform(1.1, 2.1)
        turn = rng.normal(0, .05)
        self.scale = zoom * min(shape) / 2
        self.axes = self.scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float32)
        room = max(0, zoom - .9)
        self.origin = np.array(shape[::-1]) / 2 + self.scale * rng.uniform(-.05 - .5 * room, .05 + .5 * room, 2)
        self.y, self.x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
        self.pattern = self.unit * np.sqrt(zoom)

    def place(self, points):
        return np.asarray(points, np.float32) @ self.axes + self.origin

    def draw(self, shape_of):
        """A mask that shape_of(draw, times) paints with PIL at `times` the size."""
        times = 3
        image = Image.new("L", (self.shape[1] * times, self.shape[0] * times))
        shape_of(ImageDraw.Draw(image), times)
        return np.asarray(image.reduce(times), np.float32) / 255

    def fill(self, outline, rounds=2):
        outline = self.place(soften(outline, rounds))
        return self.draw(lambda draw, times: draw.polygon([tuple(p) for p in outline * times], fill=255))

    def lines(self, paths, width, dash=None):
        """Polylines in garment coordinates; width and dash in pixels of a 256-pixel picture."""
        def paint(draw, times):
            for path in paths:
                path = self.place(path)
                if dash:
                    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(path, axis=0).T))]
                    starts = np.arange(0, lengths[-1], 2 * dash * self.unit)
                    ends = np.minimum(starts + dash * self.unit, lengths[-1])
                    pieces = [np.stack([np.interp(t, lengths, path[:, k]) for k in (0, 1)], 1)
                              for t in np.stack([starts, ends], 1)]
                else:
                    pieces = [path]
                for piece in pieces:
                    draw.line([tuple(p) for p in piece * times], fill=255,
                              width=max(1, round(width * self.unit * times)), joint="curve")
        return self.draw(paint)


# ---- fabrics: each maker draws its choices once and returns paint(u, v) -> colour [h,w,3], height [h,w]

def bands(t, widths, colours):
    """A repeating run of bands with soft edges: colours [count, channels], widths in pixels."""
    widths, colours = np.asarray(widths), np.asarray(colours, np.float32)
    t = np.mod(t, widths.sum())
    out = colours[-1] + step(t)[..., None] * (colours[0] - colours[-1])
    for i, edge in enumerate(np.cumsum(widths)):
        out += step(t - edge)[..., None] * (colours[(i + 1) % len(colours)] - colours[i])
    return out


def weave(u, v, pitch):
    return np.sin(2 * np.pi * u / pitch) * np.sin(2 * np.pi * v / pitch)


def plain(rng, scale):
    base, pitch, depth = colour(rng), rng.uniform(2.5, 5) * scale, rng.uniform(0, .35)
    return lambda u, v: (np.broadcast_to(base, u.shape + (3,)), depth * weave(u, v, pitch))


def stripes(rng, scale):
    count = rng.integers(2, 5)
    colours = [colour(rng)]
    for _ in range(count - 1):
        colours.append(contrasting(rng, colours[-1]))
    widths = rng.uniform(3, 20, count) * scale * rng.choice([.7, 1, 1.5])
    angle = rng.choice([0, np.pi / 2, np.pi / 2, rng.uniform(0, np.pi)])
    return lambda u, v: (bands(u * np.cos(angle) + v * np.sin(angle), widths, colours), .15 * weave(u, v, 4 * scale))


def gingham(rng, scale):
    light, dark, half = colour(rng, ["fafafa", "f4f1ea", "f0dc9b"]), colour(rng), rng.uniform(4, 14) * scale

    def paint(u, v):
        bars = [bands(t, [half, half], [[0], [1]])[..., 0] for t in (u, v)]
        return blend(light, dark, (bars[0] + bars[1]) / 2), .1 * weave(u, v, 3 * scale)
    return paint


def tartan(rng, scale):
    count = rng.integers(3, 6)
    colours = [colour(rng) for _ in range(count)]
    widths = rng.choice([2, 3, 6, 10, 16], count) * rng.uniform(.8, 1.6) * scale
    pitch = 4 * scale
    return lambda u, v: (blend(bands(u, widths, colours), bands(v, widths, colours),
                               .5 + .25 * np.sin(2 * np.pi * (u + v) / pitch)),
                         .1 * np.sin(2 * np.pi * (u + v) / pitch))


def windowpane(rng, scale):
    base = colour(rng)
    line, period, width = contrasting(rng, base), rng.uniform(12, 36) * scale, rng.uniform(1, 2.5) * scale

    def paint(u, v):
        near = np.minimum(*(np.abs(np.mod(t, period) - period / 2) for t in (u, v)))
        return blend(base, line, step(width / 2 - near)), .1 * weave(u, v, 3 * scale)
    return paint


def houndstooth(rng, scale):
    dark, light, tooth = colour(rng), colour(rng, ["fafafa", "f4f1ea", "e8dcc8"]), rng.uniform(2.5, 6) * scale

    def paint(u, v):
        across, down = (np.mod(t / tooth, 4) < 2 for t in (u, v))
        twill = np.mod((u + v) / tooth, 4) < 2
        return blend(light, dark, np.where(twill, across, down).astype(np.float32)), np.zeros_like(u)
    return paint


def chevron(rng, scale):
    base = colour(rng)
    colours = [base, contrasting(rng, base)]
    period, widths = rng.uniform(8, 24) * scale, rng.uniform(3, 9, 2) * scale
    return lambda u, v: (bands(v + np.abs(np.mod(u, period) - period / 2), widths, colours),
                         .1 * weave(u, v, 4 * scale))


def cells(rng, u, v, pitch, stagger):
    """Splits the plane in cells: offsets from each cell's middle, and the cell's indices in a table of 32 by 32."""
    row = np.floor(v / pitch)
    u = u + stagger * pitch * np.mod(row, 2)
    column = np.floor(u / pitch)
    return u - (column + .5) * pitch, v - (row + .5) * pitch, row.astype(int) % 32, column.astype(int) % 32


def dots(rng, scale):
    base, pitch, stagger = colour(rng), rng.uniform(8, 26) * scale, rng.choice([0, .5])
    ink, radius = contrasting(rng, base), rng.uniform(.16, .38)

    def paint(u, v):
        x, y, *_ = cells(rng, u, v, pitch, stagger)
        return blend(base, ink, step(radius * pitch - np.hypot(x, y))), .1 * weave(u, v, 3 * scale)
    return paint


def floral(rng, scale):
    base, pitch = colour(rng), rng.uniform(16, 38) * scale
    inks = np.stack([contrasting(rng, base) for _ in range(3)])
    heart, leaf = contrasting(rng, inks[0]), colour(rng, ["7a8450", "4f5d3a", "2f4f3f", "88a596"])
    petals, table = rng.integers(4, 8), rng.random((4, 32, 32)).astype(np.float32)

    def paint(u, v):
        x, y, row, column = cells(rng, u, v, pitch, .5)
        jitter = table[:, row, column]
        x, y = x + (jitter[0] - .5) * .3 * pitch, y + (jitter[1] - .5) * .3 * pitch
        far, angle = np.hypot(x, y), np.arctan2(y, x) + 2 * np.pi * jitter[2]
        size = (.24 + .1 * jitter[3]) * pitch
        out = blend(base, leaf, step(size * (.5 + 1.0 * np.abs(np.cos(angle * 1.5)) ** 8) - far))
        flower = step(size * (.62 + .38 * np.cos(petals * angle)) - far)
        ink = inks[(jitter[2] * 3).astype(int) % 3] * (.8 + .2 * np.clip(far / size, 0, 1))[..., None]
        out = blend(out, ink, flower)
        return blend(out, heart, step(.25 * size - far)), np.zeros_like(u)
    return paint


def knit(rng, scale):
    base, pitch = colour(rng), rng.uniform(5, 10) * scale
    other, fairisle = contrasting(rng, base), rng.random() < .45
    rib = rng.choice([0, 0, 2, 3])
    widths = rng.uniform(8, 30, 2) * scale

    def paint(u, v):
        across = np.abs(np.mod(u / pitch, 1) - .5)
        loop = np.cos(2 * np.pi * (v / (.8 * pitch) + across * 1.4))
        height = .9 * loop * np.sin(2 * np.pi * across) + .5 * np.cos(4 * np.pi * across)
        if rib:
            height = height + 1.5 * np.sin(2 * np.pi * u / (rib * 2 * pitch))
        albedo = np.broadcast_to(base, u.shape + (3,))
        if fairisle:
            zigzag = v + np.abs(np.mod(u, 6 * pitch) - 3 * pitch)
            albedo = bands(zigzag, widths, [base, other])
        return albedo * (.86 + .14 * loop[..., None]), height
    return paint


def cable(rng, scale):
    base, pitch = colour(rng), rng.uniform(18, 30) * scale

    def paint(u, v):
        x = np.mod(u, 2 * pitch) - pitch
        phase = 2 * np.pi * v / (1.8 * pitch)
        strands = [np.exp(-((x - .32 * pitch * np.sin(phase + k)) / (.2 * pitch)) ** 2) for k in (0, np.pi)]
        purl = .4 * np.sin(2 * np.pi * v / (4 * scale)) * np.sin(2 * np.pi * u / (5 * scale))
        over = np.where(np.cos(phase) > 0, strands[0] + .6 * strands[1], strands[1] + .6 * strands[0])
        return np.broadcast_to(base, u.shape + (3,)) * (.85 + .12 * over[..., None]), 4 * over * scale + purl
    return paint


def denim(rng, scale):
    indigo = colour(rng, ["1d3557", "2f5d9b", "5b8db8", "16213e", "2e3033"])
    pale = np.clip(indigo + rng.uniform(.15, .35), 0, 1)
    pitch, grain, fade = rng.uniform(2.5, 4) * scale, rng.uniform(.1, .3), rng.uniform(0, .4)
    table = rng.random((2, 512)).astype(np.float32)

    def paint(u, v):
        thread = table[0][u.astype(int) % 512] + table[1][v.astype(int) % 512]
        twill = np.sin(2 * np.pi * (u + v) / pitch)
        worn = fade * np.exp(-(np.mod(u, 160 * scale) / (80 * scale) - 1) ** 2 * 3)
        return blend(indigo, pale, np.clip(.25 + .18 * twill + grain * (thread - 1) + worn, 0, 1)), .15 * twill
    return paint


def corduroy(rng, scale):
    base, pitch = colour(rng), rng.uniform(4, 9) * scale

    def paint(u, v):
        wale = np.abs(np.sin(np.pi * u / pitch))
        return base * (.65 + .35 * wale[..., None]), 1.5 * wale
    return paint


def herringbone(rng, scale):
    dark = colour(rng)
    light, width, pitch = contrasting(rng, dark), rng.uniform(8, 16) * scale, rng.uniform(3, 6) * scale

    def paint(u, v):
        sign = np.where(np.mod(u, 2 * width) < width, 1, -1)
        return blend(dark, light, .5 + .4 * np.sin(2 * np.pi * (v + sign * u) / pitch)), np.zeros_like(u)
    return paint


def blotches(rng, scale):
    """Camouflage, tie-dye or animal print: level sets of smooth noise."""
    colours = [colour(rng) for _ in range(rng.integers(2, 5))]
    table = rng.normal(0, 1, (8, 4)).astype(np.float32)
    size = rng.uniform(14, 36) * scale

    def paint(u, v):
        field = sum(np.sin((a * u + b * v) / size * 1.6 + 3 * c + 1.5 * np.sin((b * u - a * v) / size + d))
                    for a, b, c, d in table)
        out = np.broadcast_to(colours[0], u.shape + (3,))
        for i, over in enumerate(colours[1:]):
            out = blend(out, over, step((field - (i * 1.6 - .6)) * size / 4))
        return out, .1 * weave(u, v, 4 * scale)
    return paint


def ombre(rng, scale):
    top, bottom, pitch = colour(rng), colour(rng), 4 * scale
    length = rng.uniform(120, 240) * scale
    return lambda u, v: (blend(top, bottom, np.clip(v / length + .5, 0, 1)), .2 * weave(u, v, pitch))


FABRICS = (plain, plain, stripes, stripes, stripes, gingham, tartan, tartan, windowpane, houndstooth, chevron, dots,
           dots, floral, floral, knit, knit, cable, denim, denim, corduroy, herringbone, blotches, ombre)


# ---- silhouettes: each returns parts (outline, axis, fold style) and trimmings (kind, paths)

def mirrored(half):
    """Closes a half outline, given from the top middle to the bottom middle at x >= 0."""
    half = np.asarray(half, np.float32)
    return np.concatenate([half, half[::-1] * [-1, 1]])


def along(a, b, count=16, sag=0.):
    t = np.linspace(0, 1, count)[:, None]
    return np.asarray(a) * (1 - t) + np.asarray(b) * t + np.concatenate([0 * t, 4 * sag * t * (1 - t)], 1)


def flip(path):
    return np.asarray(path) * [-1, 1]


def top(rng, kind):
    """T-shirt, shirt, sweater, jacket, vest or dress."""
    long_sleeves = kind in ("shirt", "sweater", "jacket") or (kind == "dress" and rng.random() < .3)
    neck, dip = rng.uniform(.15, .27), rng.uniform(.06, .3 if kind in ("vest", "dress") else .18)
    shoulder = rng.uniform(.4, .52) if kind != "vest" else neck + rng.uniform(.06, .14)
    chest, waist = rng.uniform(.4, .47), rng.uniform(.3, .46)
    waist = min(waist, chest) if kind == "dress" else max(waist, .37)
    hem_y = .88 if kind == "dress" else rng.uniform(.55, .82)
    hem = rng.uniform(.45, .85) if kind == "dress" else waist + rng.uniform(-.02, .1)
    high, pit, mid = -.8, rng.uniform(-.36, -.28), rng.uniform(-.02, .15)
    sag = rng.uniform(0, .05)
    body = mirrored([(0, high + dip), (neck * .6, high + dip * .8), (neck, high), (neck, high), (shoulder, high + .1),
                     (shoulder, high + .1), (chest - .01, pit), (chest, pit), (waist, mid), (hem, hem_y), (hem, hem_y),
                     (hem * .5, hem_y + sag)])
    back = mirrored([(0, high + .03), (neck, high), (neck, high + .02), (0, high + dip + .03)])
    parts, sleeves, trims = [(back, 0., "lining")], [], []
    if kind != "vest" and not (kind == "dress" and rng.random() < .4):
        length = rng.uniform(1.0, 1.2) if long_sleeves else rng.uniform(.28, .5)
        angle = rng.uniform(1.05, 1.35) if long_sleeves else rng.uniform(.5, 1.1)
        reach = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([reach[1], -reach[0]]) * (rng.uniform(.08, .12) if long_sleeves else rng.uniform(.12, .18))
        start = np.array([shoulder - .02, high + .1])
        end = start * .5 + np.array([chest, pit]) * .5 + reach * length
        sleeve = np.array([start, start, start * .4 + (end + across) * .6 + [.02, 0], end + across, end + across,
                           end - across, end - across, [chest - .06, pit + .12], [chest - .06, pit + .02],
                           start - [.1, 0]])
        for side in (1, -1):
            sleeves.append((sleeve * [side, 1], side * (angle - np.pi / 2), "sleeve"))
            inset = -reach * .05
            trims.append(("hem", [along(end + across + inset, end - across + inset) * [side, 1]]))
            if long_sleeves and kind != "jacket":
                trims.append(("seam", [along(end + across + 2 * inset, end - across + 2 * inset) * [side, 1]]))
            trims.append(("seam", [along(start, (chest - .03, pit + .03), sag=-.02) * [side, 1]]))
    behind = rng.random() < .5
    parts += sleeves if behind else []
    parts.append((body, 0., "skirt" if kind == "dress" else "body"))
    parts += [] if behind else sleeves
    trims.append(("hem", [along((-hem, hem_y - .045), (hem, hem_y - .045), sag=sag * .8)]))
    collar = np.concatenate([along((-neck, high), (0, high + dip + .02)), along((0, high + dip + .02), (neck, high))])
    round_neck = np.stack([neck * np.sin(np.linspace(-1, 1, 25) * np.pi / 2),
                           high + (dip + .02) * np.cos(np.linspace(-1, 1, 25) * np.pi / 2)], 1)
    if kind in ("shirt", "jacket"):
        spread = rng.uniform(.1, .2)
        for side in (1, -1):
            wing = np.array([(neck + .02, high - .02), (neck + .02, high - .02), (neck + spread * .6, high + dip + .1),
                             (neck * .3 + .05, high + dip + .18), (neck * .3 + .05, high + dip + .18), (0, high + dip)])
            trims.append(("flap", [wing * [side, 1]]))
        closing = "zip" if kind == "jacket" and rng.random() < .5 else "placket"
        trims.append((closing, [along((0, high + dip), (0, hem_y))]))
    else:
        trims.append(("band", [round_neck if rng.random() < .75 else collar]))
    if kind == "dress":
        trims.append(("belt" if rng.random() < .5 else "seam", [along((-waist, mid), (waist, mid), sag=.02)]))
    if kind in ("shirt", "jacket", "tee") and rng.random() < .5:
        trims.append(("pocket", [(rng.uniform(.12, .2), rng.uniform(-.32, -.2), rng.uniform(.08, .11))]))
    if kind in ("tee", "sweater") and rng.random() < .4:
        trims.append(("emblem", [(0, rng.uniform(-.35, -.1), rng.uniform(.12, .24))]))
    return parts, trims


def trousers(rng, kind):
    """Trousers, jeans or shorts."""
    waist, hip = rng.uniform(.27, .34), rng.uniform(.36, .44)
    ankle_y = rng.uniform(.78, .92) if kind != "shorts" else rng.uniform(-.1, .25)
    open_, wide, crotch = rng.uniform(.02, .14), rng.uniform(.13, .3), rng.uniform(-.3, -.15)
    ankle = open_ + wide
    knee = max(hip - .04, ankle), .5 * ankle_y - .25
    leg = np.array([(0, -.88), (0, -.88), (waist, -.88), (waist, -.88), (hip, -.45), knee, (ankle, ankle_y),
                    (ankle, ankle_y), (open_, ankle_y), (open_, ankle_y), (.02, crotch + .06),
                    (0, crotch), (0, crotch)])
    lean = np.arctan2(ankle - hip, ankle_y + .5) * .6
    parts = [(leg * [side, 1], -side * lean, "leg") for side in (1, -1)]
    trims = [("belt" if rng.random() < .4 else "waistband", [along((-waist, -.83), (waist, -.83), sag=.015)]),
             ("seam", [along((0, -.8), (0, crotch))]), ("hem", [along((0, -.78), (.04, crotch - .05), sag=.05)])]
    for side in (1, -1):
        trims.append(("hem", [along((open_, ankle_y - .05), (ankle, ankle_y - .05)) * [side, 1]]))
        trims.append(("hem", [along((waist * .55, -.78), (hip * .95, -.55), sag=.06) * [side, 1]]))
    return parts, trims


def skirt(rng, kind):
    waist, hem, hem_y, sag = rng.uniform(.26, .36), rng.uniform(.42, .9), rng.uniform(.3, .85), rng.uniform(0, .08)
    outline = mirrored([(0, -.8), (waist, -.8), (waist, -.8), (waist + (hem - waist) * .4, -.45), (hem, hem_y),
                        (hem, hem_y), (hem * .5, hem_y + sag)])
    trims = [("belt" if rng.random() < .4 else "waistband", [along((-waist, -.75), (waist, -.75), sag=.01)]),
             ("hem", [along((-hem, hem_y - .05), (hem, hem_y - .05), sag=sag)])]
    if rng.random() < .4:
        trims.append(("placket", [along((0, -.7), (0, hem_y + sag - .03))]))
    return [(outline, 0., "skirt")], trims


GARMENTS = ((top, "tee"), (top, "tee"), (top, "shirt"), (top, "sweater"), (top, "jacket"), (top, "vest"),
            (top, "dress"), (top, "dress"), (trousers, "jeans"), (trousers, "shorts"), (skirt, "skirt"))


# ---- cloth

def folds(rng, frame, style, axis):
    """A height field, in pixels, of long soft ridges: hanging pleats for a skirt, creases elsewhere."""
    x, y = frame.x - frame.origin[0], frame.y - frame.origin[1]
    x, y = (x * np.cos(axis) + y * np.sin(axis)) / frame.scale, (-x * np.sin(axis) + y * np.cos(axis)) / frame.scale
    wander = noise(rng, frame.shape, 60 * frame.unit)
    if style == "skirt":
        fan = x / (1.2 + .8 * y)
        count, grow = rng.uniform(14, 34), np.clip(.3 + .7 * (y + .3), .05, 1)
        return frame.unit * rng.uniform(1.2, 3) * grow * np.sin(count * fan + 1.2 * wander)
    height = 2.5 * frame.unit * wander
    for _ in range(rng.integers(3, 8)):
        angle = rng.normal(0, .5) if style in ("sleeve", "leg") else rng.normal(np.pi / 2, .6)
        centre, length, width = rng.uniform(-.6, .7, 2), rng.uniform(.15, .5), rng.uniform(.03, .08)
        dx, dy = x - centre[0], y - centre[1]
        s, t = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
        t = t + .25 * s * s * rng.normal() + .02 * wander
        ridge = np.exp(-(s / length) ** 2 - (t / width) ** 2)
        height = height + rng.uniform(1.5, 4) * frame.unit * ridge * rng.choice([-1, 1])
    return height


def shade(height, light, strength):
    dy, dx = np.gradient(height)
    slope = -(dx * light[0] + dy * light[1])
    return 1 + strength * slope / np.sqrt(1 + slope * slope)


def cloth(rng, frame, canvas, part, fabric, light):
    outline, axis, style = part
    mask = frame.fill(outline)
    inner = blur(mask, 9 * frame.unit)
    height = folds(rng, frame, style, axis)
    warp = 1.5 * height
    x, y = frame.x - frame.origin[0] + warp, frame.y - frame.origin[1] + .6 * warp
    albedo, micro = fabric(x * np.cos(axis) + y * np.sin(axis), -x * np.sin(axis) + y * np.cos(axis))
    round_ = 10 * frame.unit * np.sqrt(np.clip(2 * inner - 1, 0, 1) + .02)
    lit = shade(height + round_ + .6 * micro, light, .42) * (.72 + .28 * np.clip(2 * inner - .9, 0, 1))
    if style == "lining":
        lit = lit * .55
    shadow = blur(np.roll(mask, (round(3 * frame.unit), round(2 * frame.unit)), (0, 1)), 4 * frame.unit)
    canvas = canvas * (1 - .3 * shadow * (1 - mask))[..., None]
    return blend(canvas, np.clip(albedo * lit[..., None], 0, 1), mask), mask


def disc(frame, centre, radius):
    at = frame.place(centre)
    return np.hypot(frame.x - at[0], frame.y - at[1]) - radius


def trim(rng, frame, canvas, mask, kind, paths, ink, metal, fabric):
    """Seams, hems, bands, plackets with buttons, zips, belts, pockets and emblems."""
    unit = frame.unit
    if kind == "seam":
        return canvas * (1 - .3 * mask * frame.lines(paths, 1.5))[..., None]
    if kind == "hem":
        canvas = canvas * (1 - .12 * mask * frame.lines(paths, 2.5))[..., None]
        return blend(canvas, ink, .8 * mask * frame.lines(paths, 1, 3))
    if kind in ("band", "waistband", "belt"):
        width = rng.uniform(7, 11) if kind == "belt" else rng.uniform(4, 9)
        strip, core = frame.lines(paths, width), frame.lines(paths, width * .5)
        if kind == "belt":
            strip = strip * mask
            canvas = blend(canvas, ink * .8, strip)
            canvas = canvas * (.8 + .2 * np.where(strip > 0, core, 1))[..., None]
            at = frame.place(paths[0].mean(0))
            buckle = np.maximum(np.abs(at[0] - frame.x), np.abs(at[1] - frame.y))
            return blend(canvas, metal, step(width * .75 * unit - buckle) * step(buckle - width * .45 * unit))
        tint = ink if rng.random() < .5 else None
        canvas = canvas * (1 - .18 * (strip - core))[..., None]
        return canvas * (1 + .06 * core)[..., None] if tint is None else blend(canvas, tint, .85 * strip)
    if kind == "flap":
        fill = frame.fill(paths[0], 1)
        inner = blur(fill, 3 * unit)
        canvas = canvas * (1 - .35 * blur(np.roll(fill, round(3 * unit), 0), 2.5 * unit) * (1 - fill))[..., None]
        albedo, _ = fabric((frame.x * .8 + frame.y * .6), (frame.y * .8 - frame.x * .6))
        return blend(canvas, albedo * (.7 + .35 * inner)[..., None], fill)
    if kind == "zip":
        canvas = blend(canvas, metal * .6, mask * frame.lines(paths, 4))
        return blend(canvas, metal, mask * frame.lines(paths, 3, 1.5))
    if kind == "placket":
        edge = [p + [d, 0] for p in paths for d in (-.035, .035)]
        canvas = canvas * (1 - .22 * mask * frame.lines(edge, 1.2))[..., None]
        first, last, radius = paths[0][0], paths[0][-1], rng.uniform(2, 3.6) * unit
        for t in np.linspace(.08, .92, rng.integers(4, 8)):
            at = first * (1 - t) + last * t
            d = disc(frame, at, radius)
            canvas = canvas * (1 - .35 * step(1.5 * unit - disc(frame, at + [.006, .01], radius)))[..., None]
            canvas = blend(canvas, metal, step(-d))
            canvas = canvas * (1 - .3 * step(1 - np.abs(d + .35 * radius)) * step(-d))[..., None]
        return canvas
    if kind == "pocket":
        x, y, half = paths[0]
        shape = np.array([(-1, -1), (1, -1), (1, 1), (0, 1.3), (-1, 1), (-1, -1)])
        closed = [np.array([x, y]) + half * shape]
        canvas = canvas * (1 - .25 * mask * frame.lines([closed[0] + [.006, .01]], 2))[..., None]
        return blend(canvas, ink, .8 * mask * frame.lines(closed, 1, 3))
    x, y, half = paths[0]  # emblem
    at = frame.place((x, y))
    dx, dy = (frame.x - at[0]) / (half * frame.scale), (frame.y - at[1]) / (half * frame.scale)
    far, angle, pixel = np.hypot(dx, dy), np.arctan2(dy, dx), half * frame.scale
    form = rng.integers(4)
    if form == 0:
        sign = step((.6 + .25 * np.cos(5 * angle + np.pi / 2) - far) * pixel)
    elif form == 1:
        sign = step((.15 - np.abs(far - .75)) * pixel) + step((.35 - far) * pixel)
    elif form == 2:
        letters = np.mod(dx * 3.3 + .4 * np.sign(dy), 1) > .3
        sign = step((.9 - np.abs(dx)) * pixel) * step((.4 - np.abs(dy)) * pixel) * letters
    else:
        sign = step((.5 - np.abs(np.abs(dx) + np.abs(dy) - .5)) * pixel) * step((.32 - np.abs(dy - .1)) * pixel)
    return blend(canvas, ink * .95, .92 * np.clip(sign, 0, 1) * mask)


# ---- backgrounds

def background(rng, frame):
    base, unit = colour(rng, BACKDROPS), frame.unit
    x, y = frame.x / unit, frame.y / unit
    height, width = frame.shape
    flat = np.broadcast_to(base, frame.shape + (3,)).astype(np.float32)
    kind = rng.choice(["studio", "studio", "floor", "boards", "bricks", "tiles", "bokeh", "plaster", "curtain"])
    if kind == "floor":
        line, floor = rng.uniform(.7, .88) * height, colour(rng, BACKDROPS)
        flat = blend(flat, floor, step(frame.y - line))
        flat = flat * (1 - .12 * np.exp(-np.abs(frame.y - line) / (6 * unit)))[..., None]
    elif kind == "boards":
        wood, pitch = colour(rng, ["c19a6b", "8b5e3c", "d9c3a0", "e8dcc8", "c9c9c6", "5a3a28"]), rng.uniform(22, 48)
        if rng.random() < .5:
            x, y = y, x
        plank = np.floor(x / pitch).astype(int)
        tone = rng.uniform(.82, 1.08, 64)[plank % 64]
        wave = noise(rng, frame.shape, 30 * unit)
        grain = np.sin((x + 4 * wave) * 1.1 + tone * 40) * np.sin(y * .05 + tone * 9)
        gap = step(1 - np.abs(np.mod(x, pitch) - pitch + 1))
        flat = wood * (tone + .05 * grain + .03 * wave)[..., None] * (1 - .5 * gap)[..., None]
    elif kind in ("bricks", "tiles"):
        rows, columns = (rng.uniform(14, 24), rng.uniform(34, 56)) if kind == "bricks" else (rng.uniform(26, 50),) * 2
        row = np.floor(y / rows).astype(int)
        shifted = x + (row % 2) * columns / 2 * (kind == "bricks")
        column = np.floor(shifted / columns).astype(int)
        stone = colour(rng, ["b5533c", "c9c9c6", "e8dcc8", "8f9192", "d9c3a0"]) if kind == "bricks" else base
        tone = rng.uniform(.88, 1.08, (32, 32))[row % 32, column % 32] + .04 * noise(rng, frame.shape, 4 * unit)
        a, b = np.mod(y, rows), np.mod(shifted, columns)
        joint = step((1.2 - np.minimum(np.minimum(a, rows - a), np.minimum(b, columns - b))) * unit)
        flat = blend(stone * tone[..., None], np.float32(.82) * np.ones(3, np.float32), joint * .8)
    elif kind == "bokeh":
        flat = flat * .6
        for _ in range(rng.integers(8, 20)):
            radius = rng.uniform(8, 26) * unit
            d = np.hypot(frame.x - rng.uniform(0, width), frame.y - rng.uniform(0, height)) - radius
            flat = blend(flat, colour(rng), rng.uniform(.15, .45) * np.clip(.5 - d / (5 * unit), 0, 1))
    elif kind == "plaster":
        bumps = [noise(rng, frame.shape, cell * unit) for cell in (9, 40)]
        flat = flat * (1 + .06 * bumps[0] + .06 * bumps[1])[..., None]
    elif kind == "curtain":
        drape = np.sin(x * rng.uniform(.12, .3) + 1.5 * noise(rng, frame.shape, 80 * unit))
        flat = flat * (.92 + .1 * drape)[..., None]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * (frame.x / width - .5) + np.sin(angle) * (frame.y / height - .5)) * rng.uniform(0, .25)
    vignette = rng.uniform(0, .25) * ((frame.x / width - .5) ** 2 + (frame.y / height - .5) ** 2)
    return (flat * (1 + ramp - vignette)[..., None]).astype(np.float32)


def hanger(rng, frame, canvas):
    bar = [[(-.34, -.68), (0, -.84), (.34, -.68)], [(0, -.84), (0, -.92), (.05, -.97), (0, -1.03), (-.05, -.98)]]
    tint = colour(rng, ["8b5e3c", "c19a6b", "2e3033", "c9c9c6"])
    rod = frame.lines(bar, 5)
    return blend(canvas * (1 - .3 * blur(rod, 2 * frame.unit))[..., None], tint, rod)


# ---- what the others call

def picture(seed, size=256, silhouette=False):
    """A garment picture, uint8 [h,w,3]; size is a number or (height, width). silhouette: of the garment in it, uint8 [h,w], instead."""
    shape = (size, size) if np.isscalar(size) else tuple(size)
    rng = np.random.default_rng(seed)
    frame = Frame(rng, shape)
    canvas = background(rng, frame)
    make, kind = GARMENTS[rng.integers(len(GARMENTS))]
    parts, trims = make(rng, kind)
    choice = FABRICS[rng.integers(len(FABRICS))]
    if kind == "jeans" and rng.random() < .6:
        choice = denim
    if kind == "sweater" and rng.random() < .6:
        choice = (knit, cable)[rng.integers(2)]
    fabric = choice(rng, frame.pattern)
    sleeves = plain(rng, frame.pattern) if rng.random() < .12 else fabric
    if make is top and rng.random() < .5:
        canvas = hanger(rng, frame, canvas)
    ink, metal = colour(rng), colour(rng, ["c9c9c6", "e9c46a", "f4f1ea", "2e3033", "8b5e3c"])
    light = np.array([rng.uniform(.3, .9) * rng.choice([-1, 1]), rng.uniform(.3, .8)])
    whole = np.zeros(shape, np.float32)
    for part in parts:
        canvas, mask = cloth(rng, frame, canvas, part, sleeves if part[2] == "sleeve" else fabric, light)
        whole = np.maximum(whole, mask)
    if silhouette:
        return (whole * 255 + .5).astype(np.uint8)
    for kind, paths in trims:
        canvas = trim(rng, frame, canvas, whole, kind, paths, ink, metal, fabric)
    canvas = canvas + rng.uniform(0, .012) * rng.standard_normal(shape + (1,), np.float32)
    return np.clip(canvas * 255 + .5, 0, 255).astype(np.uint8)


def strokes(rng, draw, shape):
    """Free-form strokes, after DeepFill v2: a walk that keeps turning the other way, drawn with a round brush."""
    unit = min(shape) / 256
    for _ in range(rng.integers(1, 5)):
        at = rng.uniform(0, 1, 2) * shape[::-1]
        brush, heading = rng.uniform(10, 34) * unit, rng.uniform(0, 2 * np.pi)
        for i in range(rng.integers(3, 11)):
            turn = heading + rng.uniform(.6, 1.6) * (1 if i % 2 else -1)
            to = at + rng.uniform(10, 50) * unit * np.array([np.cos(turn), np.sin(turn)])
            to = np.clip(to, 0, np.array(shape[::-1]) - 1)
            draw.line([tuple(at), tuple(to)], fill=255, width=round(brush))
            for x, y in (at, to):
                draw.ellipse([x - brush / 2, y - brush / 2, x + brush / 2, y + brush / 2], fill=255)
            at = to


def rectangles(rng, draw, shape):
    for _ in range(rng.integers(1, 3)):
        h, w = (rng.uniform(.14, .42, 2) * min(shape)).astype(int)
        y, x = rng.integers(0, shape[0] - h), rng.integers(0, shape[1] - w)
        draw.rectangle([x, y, x + w - 1, y + h - 1], fill=255)


def hole(seed, size=256, kind="mixed"):
    """A mask, uint8 [h,w], 255 = hole, covering at most half; kind is freeform, rectangle or mixed (either or both)."""
    shape = (size, size) if np.isscalar(size) else tuple(size)
    rng = np.random.default_rng([seed, 7])
    while True:
        image = Image.new("L", shape[::-1])
        draw = ImageDraw.Draw(image)
        pick = rng.integers(3)
        if kind == "freeform" or (kind == "mixed" and pick != 1):
            strokes(rng, draw, shape)
        if kind == "rectangle" or (kind == "mixed" and pick != 0):
            rectangles(rng, draw, shape)
        mask = np.asarray(image)
        if .02 < mask.mean() / 255 < .5:
            return mask


def main():
    parser = argparse.ArgumentParser(description="Write garment pictures, and holes, as PNG files.")
    parser.add_argument("out")
    parser.add_argument("--first", type=int, default=0, help="first seed; seeds from 1000000 on are held out")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--size", default="256", help="N or HxW")
    parser.add_argument("--holes", choices=("freeform", "rectangle", "mixed"))
    options = parser.parse_args()
    size = tuple(int(n) for n in options.size.split("x"))
    size = size * 2 if len(size) == 1 else size
    os.makedirs(options.out, exist_ok=True)
    for seed in range(options.first, options.first + options.count):
        Image.fromarray(picture(seed, size)).save(os.path.join(options.out, f"{seed}.png"))
        if options.holes:
            Image.fromarray(hole(seed, size, options.holes)).save(os.path.join(options.out, f"{seed}.mask.png"))


if __name__ == "__main__":
    main()
