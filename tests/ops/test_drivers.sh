#!/bin/bash
# SPDX-License-Identifier: MIT
# The Vulkan tests once more on every further driver: those in WEFT_TEST_ICDS, separated by commas (driver manifests, or commands
# that start a program on a driver), and the distribution's lavapipe where the tests' own device is another.
set -uo pipefail
build=${1:?usage: test_drivers.sh BUILD_FOLDER}
drivers=${WEFT_TEST_ICDS:-}
own=$("$build/tests/test_ops" --only relu:0 | sed -n 's/^Vulkan device: //p')
lavapipe=$(ls /usr/share/vulkan/icd.d/lvp_icd*.json 2>/dev/null | head -n 1)
case $own in
*llvmpipe*) ;;
*) drivers="$drivers,$lavapipe" ;;
esac
[ -n "${drivers//,/}" ] || { echo "skip: no driver beside '$own' (name more in WEFT_TEST_ICDS)"; exit 0; }
bad=0
on() { # driver, program: a manifest is set for the loader, anything else is a command
    case $1 in
    *.json) VK_DRIVER_FILES=$1 VK_ICD_FILENAMES=$1 "$2" ;;
    *) IFS=" " read -ra command <<<"$1"; "${command[@]}" "$2" ;;
    esac
}
IFS=,
for driver in $drivers; do
    [ -n "$driver" ] || continue
    for t in test_ops test_vk_device test_vk_run test_optimize; do
        echo "== $t on $driver"
        on "$driver" "$build/tests/$t" 2>&1 | grep -vE '^\[ RUN|^\[       OK' || true
        [ "${PIPESTATUS[0]}" = 0 ] || { echo "FAIL $t on $driver"; bad=1; }
    done
done
exit $bad
