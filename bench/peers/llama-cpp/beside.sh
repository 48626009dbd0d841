#!/bin/bash
# Measures one model in Ashlar and in llama.cpp in turn (ours, theirs, ours, theirs), so that both see the same weather of the machine.
#
#   bench/peers/llama-cpp/beside.sh MODEL.gguf RESULTS.jsonl [--prompt 512] [--generate 64] [--after 4096]
#
# Prints a table and appends to RESULTS.jsonl. Needs `dotnet build src/Ashlar.Cli -c Release` and setup.sh first. ASHLAR is the ashlar.dll to
# run, where it is not that one; TURNS is how often each has its turn.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -ge 2 ] || { echo "beside.sh MODEL.gguf RESULTS.jsonl [options of ashlar bench llm]" >&2; exit 2; }
model="$1" results="$2"
shift 2
[ $# -gt 0 ] || set -- --prompt 512 --generate 64 --after 4096
ashlar="${ASHLAR:-$here/../../../artifacts/bin/Ashlar.Cli/release/ashlar.dll}"
[ -e "$ashlar" ] || { echo "$ashlar does not exist; run dotnet build src/Ashlar.Cli -c Release" >&2; exit 1; }

turns="$(mktemp -d)"
trap 'rm -rf "$turns"' EXIT
for turn in $(seq "${TURNS:-2}"); do
    dotnet "$ashlar" bench llm "$model" "$@" --json --out "$turns/ours.$turn"
    node "$here/measure.mjs" "$model" "$@" | tee "$turns/theirs.$turn"
done
node "$here/compare.mjs" "$turns" "$results"
