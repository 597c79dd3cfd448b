#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may include whom: a floor sees only the floors below it.
cd "$(dirname "$0")/../.." || exit 1
bad=0
check() { # folder, the prefixes it may include
    local hits
    hits=$(grep -rnE '^ *# *include +["<][a-z0-9_]+/' "$1" --include='*.[ch]' | grep -vE "[\"<]($2)/")
    [ -z "$hits" ] || { echo "$1 may include ($2) only:"; echo "$hits"; bad=1; }
}
check engine/base  'base|weft|sys'
check engine/graph 'base|graph|weft'
check engine/ops   'base|graph|ops|params|weft'
check engine/cpu   'base|graph|ops|cpu|weft|oneapi'
check engine/vk    'base|graph|vk|vulkan|params|weft'
check engine/edit  'base|edit|weft'
check engine/api   'base|graph|cpu|vk|edit|api|weft'
check tools/weft   'weft|cjson|cairo|import|sys'
check tools/import 'weft|cjson|cairo|import|sys'
check samples      'weft|vulkan'

# graph/ never names an operator, ops/ never names Vulkan.
names=$(grep -ohE '^(OP|FAMILY)\([a-z0-9_]+' engine/ops/ops.def | sed 's/.*(//' | grep -vE '^(unary|binary)$' | paste -sd'|')
hits=$(grep -nE "\"($names)\"" engine/graph/*.c)
[ -z "$hits" ] || { echo "graph/ names an operator:"; echo "$hits"; bad=1; }
hits=$(grep -niE '\bvk[A-Z_]|vulkan_core' engine/ops/*.[ch])
[ -z "$hits" ] || { echo "ops/ names Vulkan:"; echo "$hits"; bad=1; }

# Nothing in the library aborts, exits, prints or reads the environment.
hits=$(grep -nE '\b(abort|exit|printf|fprintf|puts|perror|getenv|setlocale)\(' engine/*/*.c)
[ -z "$hits" ] || { echo "the library aborts, exits, prints or reads the environment:"; echo "$hits"; bad=1; }
exit $bad
