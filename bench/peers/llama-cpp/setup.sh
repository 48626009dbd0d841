#!/bin/bash
# Sets up llama.cpp as a peer for the benchmarks: the ready-made CPU build that the npm package node-llama-cpp carries, in a folder of the
# home directory. Needs Node.js 20 or later and 90 MB. Everything comes from the npm registry: no install script runs, nothing is built,
# and builds for graphics cards stay away.
#
#   bench/peers/llama-cpp/setup.sh
set -euo pipefail
version=3.22.1   # of node-llama-cpp; it carries llama.cpp v0.5.0
root="$HOME/.cache/ashlar/peers/llama-cpp"

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) build=linux-x64 ;;
    Linux-aarch64) build=linux-arm64 ;;
    Darwin-x86_64) build=mac-x64 ;;
    *) echo "there is no ready-made CPU build of llama.cpp for $(uname -s) on $(uname -m)" >&2; exit 1 ;;
esac

if [ "$(cat "$root/.ready" 2> /dev/null)" != "$version" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    echo '{ "private": true }' > "$root/package.json"
    npm install --prefix "$root" --ignore-scripts --omit=optional --no-audit --no-fund --save-exact \
        "node-llama-cpp@$version" "@node-llama-cpp/$build@$version"
    node "$(dirname "$0")/measure.mjs"   # fails where the build does not load
    echo "$version" > "$root/.ready"
else
    node "$(dirname "$0")/measure.mjs"
fi
