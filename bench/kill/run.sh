#!/usr/bin/env bash
# Kills a small training at random moments (kill -9) until it was killed so many times, resuming it each time, and compares every loss, the
# model and the samples with those of a training that was never stopped.
#
#   bench/kill/run.sh [KILLS] [SEED]       50 kills by default; the report goes to standard output
#
# Needs the command line in Release: dotnet build src/Ashlar.Cli -c Release
set -euo pipefail
kills=${1:-50}
RANDOM=${2:-1}
root=$(cd "$(dirname "$0")/../.." && pwd)
ashlar=("dotnet" "${ASHLAR_DLL:-$root/artifacts/bin/Ashlar.Cli/release/ashlar.dll}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A text of its own: numbered lines, so that nothing has to be fetched.
for ((i = 0; i < 4000; i++)); do echo "line $i of $((i * 7919 % 4001)) and $((i * 104729 % 9973))"; done > "$work/text.txt"
# A checkpoint every other step, so that many kills fall into the writing of one.
train=(train --text "$work/text.txt" --layers 2 --width 64 --heads 4 --context 64 --batch 8 --dropout 0.1
  --steps 3000 --eval-every 200 --save-every 2)
losses() { grep -oE '"step":[0-9]+,"(loss|validation_loss)":[^,}]+' "$1/metrics.jsonl"; }

"${ashlar[@]}" "${train[@]}" --out "$work/whole" > /dev/null
killed=0 rounds=0 startups=0
while ((killed < kills)); do
  rounds=$((rounds + 1))
  rm -rf "$work/part"
  finished=0
  while ((!finished)); do
    if [ -f "$work/part/training.json" ]; then command=(train --resume --out "$work/part"); else command=("${train[@]}" --out "$work/part"); fi
    if ((killed < kills)); then
      "${ashlar[@]}" "${command[@]}" > "$work/log" 2>&1 &
      process=$!
      # From the first moments, before the first checkpoint, to some seconds of steps.
      sleep "$((RANDOM % 6)).$(printf '%03d' $((RANDOM % 1000)))"
      if kill -9 "$process" 2> /dev/null; then
        wait "$process" 2> /dev/null || true
        killed=$((killed + 1))
        grep -qE "step [0-9]" "$work/log" || startups=$((startups + 1))
        left=$(find "$work/part" -name '*.tmp' 2> /dev/null | wc -l)
        last=$(ls "$work/part/checkpoints" 2> /dev/null | tail -1 || true)
        echo "kill $killed: after ${last:-no checkpoint}, $left unfinished files"
      else
        wait "$process" || { echo "FAILED: the training ended by itself with an error:"; cat "$work/log"; exit 1; }
        finished=1
      fi
    else
      "${ashlar[@]}" "${command[@]}" > "$work/log" 2>&1 || { echo "FAILED: it could not be resumed:"; cat "$work/log"; exit 1; }
      finished=1
    fi
    if grep -q "left out" "$work/log"; then echo "FAILED: a checkpoint could not be read:"; cat "$work/log"; exit 1; fi
  done
  diff <(losses "$work/whole") <(losses "$work/part") > /dev/null || { echo "FAILED: losses differ"; diff <(losses "$work/whole") <(losses "$work/part") | head; exit 1; }
  cmp "$work/whole/model.safetensors" "$work/part/model.safetensors"
  cmp "$work/whole/samples.txt" "$work/part/samples.txt"
  echo "round $rounds: $(losses "$work/part" | wc -l) losses, the model and the samples equal those of the training that was never stopped, bit for bit"
done
echo "killed $killed times ($startups of them before the first step was shown) in $rounds rounds: no checkpoint lost or unreadable"
