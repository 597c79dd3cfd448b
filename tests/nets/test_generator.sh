#!/bin/bash
# SPDX-License-Identifier: MIT
# The bundled generator, and the weights it was imported from, against what their training program computed.
build=$1
weft=$build/weft
# Node by node: the passes keep track of which value is which.
"$weft" check samples/data/garment-generator.weft --device cpu --entry synthesis --quiet || exit 1
# Maps that are found beside weights that are tuned: the model's names of the maps and its ports' differ.
found=$(mktemp -d) || exit 1
"$weft" invert -i samples/data/garments/jeans.png -n samples/data/garment-generator.weft -o "$found" --device cpu --num-steps 4 --tune 2 \
    --noise optimize --w-avg-samples 50 --quiet && [ -s "$found/generator.weft" ]
code=$?
rm -rf "$found"
[ $code = 0 ] || exit 1
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' 2>/dev/null && break
    python=
done
[ -n "$python" ] || { echo "skipped: no python3 with NumPy"; exit 77; }
where=$(mktemp -d) || exit 1
trap 'rm -rf "$where"' EXIT
"$weft" import tools/train/weights/generator.safetensors --arch stylegan2-ada --half -o "$where/made.weft" --quiet || exit 1
"$python" -B - "$where" "$weft" samples/data/garment-generator.weft "$where/made.weft" <<'END'
import subprocess
import sys

import numpy as np

where, weft, *models = sys.argv[1:]
golden = np.load("tools/train/weights/generator_golden.npz")
bad = False


def run(model, entry, **inputs):
    for name, value in inputs.items():
        np.save(f"{where}/{name}.npy", value)
    files = [part for name in inputs for part in ("--in", f"{name}={where}/{name}.npy")]
    subprocess.run([weft, "run", model, "--entry", entry, "--device", "cpu", *files, "--out", f"{where}/out.npy"], check=True)
    return np.load(f"{where}/out.npy")


def compare(what, value, truth):
    global bad
    error = np.linalg.norm(value - truth) / np.linalg.norm(truth)
    print(f"{what}: relative error {error:.2g}")
    bad |= not error < 1e-5


for model in models:
    average = run(model, "average").reshape(-1)
    ws = average + np.float32(.7) * (run(model, "mapping", z=golden["z"])[:1] - average)
    compare("mapping", ws[0], golden["ws"][0])
    image = run(model, "synthesis", ws=golden["ws"])
    compare("synthesis", image.reshape(2, 3, 16, 4, 16, 4).mean((3, 5)), golden["image"])
sys.exit(bad)
END
