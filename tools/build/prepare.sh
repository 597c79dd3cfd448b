# SPDX-License-Identifier: MIT
# Sourced by tools/demo and tools/test: installs missing packages, configures, builds. Quiet on success.
# prepare SECTION... installs; build DIR CMAKE_ARGS... configures and builds.

say() { printf '%s\n' "$*" >&2; }

packages_of() { # section names -> package names
    awk -v want=" $* " '/^#/ || !NF {next} /^\[/ {s=substr($0,2,length($0)-2); next} index(want, " " s " ") {print}' tools/packages.txt
}

prepare() {
    local missing=() p root=()
    command -v dpkg-query >/dev/null || { say "weft: this is not a Debian system; install what tools/packages.txt names with your package manager"; return 0; }
    for p in $(packages_of "$@"); do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok' || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "weft: needs the packages: ${missing[*]}"; say "weft: run this as root once, or install sudo"; return 1; }
        root=(sudo)
    fi
    say "weft: installing ${#missing[@]} packages: ${missing[*]}"
    { "${root[@]}" apt-get -qq update && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >build/packages.log 2>&1 || {
        tail -n 20 build/packages.log >&2
        say "weft: installing failed; the whole log is build/packages.log"
        return 1
    }
}

build() { # folder, cmake arguments
    local dir=$1 log; shift
    log=$dir/build.log
    mkdir -p "$dir"
    if ! { cmake -S . -B "$dir" -G Ninja "$@" && cmake --build "$dir"; } >"$log" 2>&1; then
        grep -E 'error|Error|FAILED' "$log" | head -n 20 >&2
        say "weft: the build failed; the whole log is $log"
        return 1
    fi
}
