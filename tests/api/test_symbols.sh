#!/bin/bash
# SPDX-License-Identifier: MIT
# What the library exports: weft_ names alone. What it keeps: no writable globals, so that two users in one process
# never meet.   test_symbols.sh BUILD
build=${1:?usage: test_symbols.sh BUILD}
bad=0
exported=$(nm -D --defined-only "$build/libweft.so" | awk '{print $3}' | sed 's/@.*//' | grep -vE '^(weft_|_init$|_fini$)')
[ -z "$exported" ] || { echo "exported without the prefix:"; echo "$exported"; bad=1; }
[ "$(nm -D --defined-only "$build/libweft.so" | grep -c ' T weft_')" -gt 20 ] || { echo "the public API is not exported"; bad=1; }
# .data and .bss of the objects; relocated constant tables (.data.rel.ro) are not writable once loaded.
writable=$(find "$build/CMakeFiles/weft_objects.dir" -name '*.o' -exec nm -A {} + | grep -E ' [bBdDC] ' | grep -vE '__func__|\.lto_|__asan|__sanitizer|___ubsan|Lubsan' |
    while read -r line; do
        object=${line%%:*}; symbol=${line##* }
        section=$(objdump -t "$object" | awk -v s="$symbol" '$NF == s {for (i = 1; i < NF; i++) if ($i ~ /^\./) {print $i; exit}}')
        case $section in .data.rel.ro*|.tbss*|.tdata*) ;; *) echo "$symbol in $section of ${object##*/}" ;; esac
    done)
[ -z "$writable" ] || { echo "writable globals:"; echo "$writable"; bad=1; }
exit $bad
