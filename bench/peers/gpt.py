"""The 6-layer, 384-wide, 6-head, 256-context, batch-16 character GPT of `ashlar bench train`, in PyTorch.

    bench/peers/torch.sh bench/peers/gpt.py --steps 5

Prints one JSON line per step: seconds and loss. With --serve it waits for a line on standard input before each step, so that another
program can run its own step in turn: that is how `ashlar bench train --peer` compares them under the same weather.
With --weights FILE and --batches FILE it starts from the weights and takes the batches that Ashlar wrote, to compare losses.
"""
import argparse, json, sys, time
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.mlp_c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):                                        # [B, T, width]
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp_c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, layers, width, heads, context):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2: nn.init.normal_(p, std=0.02)
            elif name.endswith("bias"): nn.init.zeros_(p)

    def forward(self, tokens):                                   # [B, T] -> [B, T, vocabulary]
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h: x = block(x)
        return self.lm_head(self.ln_f(x))


def names(state):
    """Ashlar's names are GPT-2's; here the two products of the feed-forward network lie in the block itself."""
    for name, value in state.items():
        name = name.removeprefix("transformer.").replace("attn.c_attn", "c_attn").replace("attn.c_proj", "c_proj")
        name = name.replace("mlp.c_fc", "c_fc").replace("mlp.c_proj", "mlp_c_proj")
        # GPT-2 stores the weight of a product as [in, out]; torch.nn.Linear as [out, in].
        transposed = value.dim() == 2 and any(part in name for part in ("c_attn.", "c_proj.", "c_fc."))
        yield name, value.t().contiguous() if transposed else value


def main():
    parser = argparse.ArgumentParser()
    for name, value in dict(steps=5, layers=6, width=384, heads=6, context=256, batch=16, vocabulary=65, threads=0).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weights")
    parser.add_argument("--batches", help="int32 [steps, 2, batch, context], raw: inputs and targets")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler in the peer's folder")
    a = parser.parse_args()
    if a.threads: torch.set_num_threads(a.threads)
    torch.manual_seed(1)

    model = Gpt(a.vocabulary, a.layers, a.width, a.heads, a.context)
    if a.weights:
        from safetensors.torch import load_file
        missing, unexpected = model.load_state_dict(dict(names(load_file(a.weights))), strict=False)
        assert not missing and not unexpected, (missing, unexpected)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=vectors, weight_decay=0.0)],
                                  lr=a.lr, betas=(0.9, 0.95), eps=1e-8, fused=True)
    run = torch.compile(model) if a.compile else model

    def step(tokens, targets):
        loss = F.cross_entropy(run(tokens).flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    batches = None
    if a.batches:
        import numpy
        batches = torch.from_numpy(numpy.fromfile(a.batches, dtype=numpy.int32).reshape(-1, 2, a.batch, a.context)).long()
    if a.serve: print(json.dumps(dict(ready=True, torch=torch.__version__, threads=torch.get_num_threads())), flush=True)
    for i in range(a.steps if not a.serve else sys.maxsize):
        if a.serve and not sys.stdin.readline(): break
        tokens, targets = batches[i % len(batches)] if batches is not None else torch.randint(a.vocabulary, (2, a.batch, a.context))
        start = time.perf_counter()
        loss = step(tokens, targets)
        print(json.dumps(dict(step=i, seconds=time.perf_counter() - start, loss=loss)), flush=True)


main()
