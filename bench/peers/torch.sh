#!/bin/bash
# Sets up PyTorch as a peer for the benchmarks: a Debian release with a current python3-torch, unpacked into a folder by debootstrap.
# Nothing of the system changes but the package debootstrap itself. Needs root (debootstrap and chroot do) and about 2 GB.
#
#   bench/peers/torch.sh              set it up (once; some minutes)
#   bench/peers/torch.sh SCRIPT ARGS  run a Python script in it; the repository is at /ashlar there, and so is the working folder
set -euo pipefail
root="$HOME/.cache/ashlar/peers/torch"
repository="$(cd "$(dirname "$0")/../.." && pwd)"

if [ ! -e "$root/.ready" ]; then
    command -v debootstrap > /dev/null || apt-get install -y debootstrap
    rm -rf "$root"
    mkdir -p "$root"
    # sid, because PyTorch 2.14 is there; minbase, because nothing else is needed. OpenBLAS must be named: the default BLAS is the
    # reference one, with which a step takes a minute.
    debootstrap --variant=minbase --include=python3-torch,python3-numpy,python3-safetensors,libopenblas0-pthread sid "$root" http://deb.debian.org/debian
    chroot "$root" python3 -c 'import torch; print("PyTorch", torch.__version__, "is ready")'
    touch "$root/.ready"
fi
[ $# -gt 0 ] || { chroot "$root" python3 -c 'import torch; print("PyTorch", torch.__version__, "in '"$root"'")'; exit; }

# Mounted in a namespace of its own: nothing is left behind, and checkouts do not meet.
mkdir -p "$root/ashlar"
exec unshare --mount /bin/sh -c '
    root="$1" repository="$2" && shift 2
    mount --bind "$repository" "$root/ashlar" && mount -t proc proc "$root/proc" && mount --bind /tmp "$root/tmp" &&
        exec chroot "$root" /bin/sh -c "cd /ashlar && exec python3 \"\$@\"" sh "$@"' sh "$root" "$repository" "$@"
