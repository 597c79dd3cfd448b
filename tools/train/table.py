# SPDX-License-Identifier: MIT
"""The published table: the bundled model against model-free filling on fresh held-out pictures, all by the weft command.

    table.py WEFT [--model FILE] [--count N] [--seed N]

Draws N pictures per kind of hole (seeds that neither training nor its monitoring used), fills them with both, and prints the
means of `weft metrics` inside the hole as a Markdown table."""
import argparse
import json
import os
import subprocess
import tempfile

from PIL import Image

from garments import hole, picture

parser = argparse.ArgumentParser(description="Compare the bundled model with fast marching.")
parser.add_argument("weft", help="the command")
parser.add_argument("--model", default="samples/data/garment.weft")
parser.add_argument("--count", type=int, default=64)
parser.add_argument("--seed", type=int, default=1100000)
options = parser.parse_args()

print("| holes | method | PSNR dB | SSIM | l1 % | model better in PSNR |\n|---|---|---|---|---|---|")
for kind in "freeform", "rectangle":
    with tempfile.TemporaryDirectory() as top:
        photos, masks = os.path.join(top, "photos"), os.path.join(top, "masks")
        os.mkdir(photos), os.mkdir(masks)
        names = [f"{i:03d}.png" for i in range(options.count)]
        for i, name in enumerate(names):
            Image.fromarray(picture(options.seed + i, 256)).save(os.path.join(photos, name))
            Image.fromarray(hole(options.seed + i, 256, kind)).save(os.path.join(masks, name))
        scores = {}
        for method, model in (("bundled model", options.model), ("telea", "telea")):
            out = os.path.join(top, model.replace("/", "_"))
            os.mkdir(out)
            subprocess.check_call([options.weft, "inpaint", "-i", photos, "-m", masks, "-o", out, "-n", model, "-d", "cpu", "-q"])
            scores[method] = []
            for name in names:
                text = subprocess.check_output([options.weft, "metrics", os.path.join(photos, name), os.path.join(out, name),
                                                "--mask", os.path.join(masks, name), "--json"], text=True)
                scores[method].append(json.loads(text)["hole"])
        wins = sum(a["psnr_db"] > b["psnr_db"] for a, b in zip(scores["bundled model"], scores["telea"]))
        for method, rows in scores.items():
            mean = {key: sum(row[key] for row in rows) / len(rows) for key in ("psnr_db", "ssim", "l1_percent")}
            won = f"{wins} of {len(rows)}" if method == "bundled model" else ""
            print(f"| {kind} | {method} | {mean['psnr_db']:.2f} | {mean['ssim']:.4f} | {mean['l1_percent']:.2f} | {won} |", flush=True)
