#!/bin/bash
# SPDX-License-Identifier: MIT
# The bundled weights, imported and run by the command, against what their training program computed.
build=$1
weft=$build/weft
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' 2>/dev/null && break
    python=
done
[ -n "$python" ] || { echo "skipped: no python3 with NumPy"; exit 77; }
where=$(mktemp -d) || exit 1
trap 'rm -rf "$where"' EXIT
bad=0
for case in 0 1; do
    "$python" - "$where" $case <<'END' || exit 1
import sys
import numpy as np
golden = np.load("tools/train/weights/garment_golden.npz")
names = {"in.0": "image", "in.1": "mask", "out.0": "coarse", "out.1": "fine"}
np.savez(sys.argv[1] + "/io.npz", **{k: golden[f"{v}.{sys.argv[2]}"] for k, v in names.items()})
END
    "$python" -B tests/nets/golden/check.py "$where" tools/train/weights/garment.safetensors --arch weft-garment --weft "$weft" || bad=1
done
exit $bad
