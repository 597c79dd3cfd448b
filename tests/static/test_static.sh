#!/bin/bash
# SPDX-License-Identifier: MIT
# Every kernel on the system's own RADV, which compiles for GCN 4 and RDNA 2 without such a GPU. Skipped where there is none.
exec "$(dirname "$0")/../../tools/static" --build "${1:?usage: test_static.sh BUILD_FOLDER}" polaris10 navi21
