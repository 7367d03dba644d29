#!/usr/bin/env python3
"""The peer of `jevons bench train`: the same model through transformers and PyTorch, compiled, with fused AdamW.

    jevons bench train configs/shapes/nano.json --peer 'python3 tools/bench_train.py'
    jevons bench train configs/shapes/nano.json --peer 'python3 tools/bench_train.py --dtype bf16'

Called with CONFIG.json --batch B --seq S --steps N --threads T; prints {"tokens_per_s": [of every step but the first], "loss",
"peak_bytes"}. Loss and optimizer are those of the other side: mean cross-entropy, clip 1, AdamW. Experts run as one
grouped product, or one product after another if `grouped_mm` fails here; the JSON says which. Needs torch and transformers.
"""
import argparse
import json
import os
import pathlib
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("config")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--seq", type=int, default=256)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
parser.add_argument("--no-compile", action="store_true")
parser.add_argument("--experts", default="grouped_mm", help="transformers' experts_implementation")
args = parser.parse_args()
os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

import torch  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402
from transformers.utils import logging  # noqa: E402

logging.set_verbosity_error()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
folder = pathlib.Path(args.config)
config = AutoConfig.for_model(**{k: v for k, v in json.loads(folder.read_text()).items() if k not in ("torch_dtype", "dtype")})
config.use_cache = False
model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", experts_implementation=args.experts)
model = model.float().train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
tokens = torch.randint(0, config.vocab_size, (args.steps, args.batch, args.seq + 1))


def forward(x, y):
    with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
        logits = model(input_ids=x).logits
    return torch.nn.functional.cross_entropy(logits.float().view(-1, logits.shape[-1]), y.reshape(-1))


run = forward if args.no_compile else torch.compile(forward)
speeds = []
for step in range(args.steps):
    start = time.perf_counter()
    loss = run(tokens[step, :, :-1], tokens[step, :, 1:])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    speeds.append(args.batch * args.seq / (time.perf_counter() - start))
print(json.dumps({"tokens_per_s": speeds[1:], "loss": float(loss), "experts": args.experts, "dtype": args.dtype,
                  "compiled": not args.no_compile, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
