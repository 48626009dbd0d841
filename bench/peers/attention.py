"""PyTorch's scaled_dot_product_attention of bfloat16, forward or backward, for `ashlar bench attention`.

    bench/peers/torch.sh bench/peers/attention.py --tokens 4096 --width 128 --causal

Waits for a line on standard input, runs once, prints a JSON line with the seconds.
"""
import argparse, json, sys, time
import torch
from torch.nn import functional as F

parser = argparse.ArgumentParser()
for name, value in dict(heads=2, tokens=4096, width=128, threads=0).items():
    parser.add_argument(f"--{name}", type=int, default=value)
parser.add_argument("--causal", action="store_true")
parser.add_argument("--backward", action="store_true")
a = parser.parse_args()
if a.threads: torch.set_num_threads(a.threads)
torch.manual_seed(1)
# [B, T, H, D] in memory, as Ashlar's; PyTorch takes [B, H, T, D] views of it.
q, k, v, dy = (torch.randn(1, a.tokens, a.heads, a.width, dtype=torch.bfloat16).transpose(1, 2) for _ in range(4))
if a.backward:
    for x in (q, k, v): x.requires_grad_()
    y = F.scaled_dot_product_attention(q, k, v, is_causal=a.causal)
print(json.dumps(dict(ready=True, torch=torch.__version__)), flush=True)
while sys.stdin.readline():
    start = time.perf_counter()
    if a.backward: torch.autograd.grad(y, (q, k, v), dy, retain_graph=True)
    else:
        with torch.no_grad(): F.scaled_dot_product_attention(q, k, v, is_causal=a.causal)
    print(json.dumps(dict(seconds=time.perf_counter() - start)), flush=True)
