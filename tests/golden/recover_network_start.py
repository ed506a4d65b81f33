# SPDX-License-Identifier: MIT
"""Makes network_small_start.safetensors: the weights of mlp.* and feature.* at which official/network_small was evaluated.

    python3 recover_network_start.py [OUTPUT]  needs torch and safetensors

official/network_small stores under `weight.*` the state after its three Adam steps (equal to `adam.weight.*`), while its outputs, objectives
and gradients belong to the state before them. The weights before them are solved for: mlp.* from after_transformer -> after_token_mlp
(Gauss-Newton), feature.* from after_token_mlp -> output and the gradients of mlp.* under both objectives (linear). A LayerNorm's outputs
satisfy an affine relation, so a few directions of the weights are free: they change neither outputs nor gradients, and stay at the start.
"""
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.func import jacrev, vjp

from make_perceptron import LAMBDA, squared_distances

torch.set_default_dtype(torch.float64)
HERE = Path(__file__).parent
ROWS = 9
MLP = {"mlp.0.weight": (12, 16), "mlp.0.bias": (12,), "mlp.2.weight": (12,), "mlp.2.bias": (12,)}
FEATURE = {"feature.weight": (5, 84), "feature.bias": (5,)}
FULL = {"mpp": False, "mmd": True}


def split(flat, shapes):
    parts = torch.split(flat, [math.prod(s) for s in shapes.values()])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts)}


def token_mlp(w, z):
    z = torch.nn.functional.gelu(z @ w["mlp.0.weight"].T + w["mlp.0.bias"])
    return torch.nn.functional.layer_norm(z, z.shape[-1:], w["mlp.2.weight"], w["mlp.2.bias"], 1e-12)


def feature(w, tokens):
    return tokens.flatten(1) @ w["feature.weight"].T + w["feature.bias"]


def objective(output, q, epsilon, sigma_phi, sigma_q, full):
    """The authors' paired J."""
    k = (1 - epsilon) * torch.exp(-squared_distances(output, output) / sigma_phi) + epsilon
    k = k * torch.exp(-squared_distances(q, q) / sigma_q)
    k_xy = k[:ROWS, ROWS:]
    h = k[:ROWS, :ROWS] - k_xy - k_xy.T + full * k[ROWS:, ROWS:]
    statistic = (h.sum() - h.diagonal().sum()) / (ROWS * (ROWS - 1))
    return statistic / torch.sqrt(4 * h.mean(1).var(unbiased=False) + LAMBDA)


def solve(residual, start, steps):
    for _ in range(steps):
        step = torch.linalg.lstsq(jacrev(residual)(start), -residual(start)[:, None], driver="gelsd").solution
        start = start + step[:, 0]
    return start


def recover(gold):
    z, tokens, q = gold["after_transformer"], gold["after_token_mlp"], gold["input"].flatten(1)
    after = lambda shapes: torch.cat([gold[f"weight.{name}"].flatten() for name in shapes])
    mlp = solve(lambda w: (token_mlp(split(w, MLP), z) - tokens).flatten(), after(MLP), 8)

    output = gold["output"].requires_grad_()
    at_output = {}
    for name, full in FULL.items():
        j = objective(output, q, gold["epsilon"], gold["sigma_phi"], gold["sigma_q"], full)
        at_output[name] = torch.autograd.grad(j, output)[0]
    output = output.detach()
    _, pull_back = vjp(lambda w: token_mlp(split(w, MLP), z), mlp)

    def residual(w):
        w = split(w, FEATURE)
        parts = [(feature(w, tokens) - output).flatten()]
        for name in FULL:
            wanted = torch.cat([gold[f"{name}.grad.{p}"].flatten() for p in MLP])
            parts.append(pull_back((at_output[name] @ w["feature.weight"]).reshape(tokens.shape))[0] - wanted)
        return torch.cat(parts)

    return split(mlp, MLP) | split(solve(residual, after(FEATURE), 2), FEATURE)


def check(gold, weights):
    """Largest disagreement with what the file holds, relative to each tensor's norm (absolute where the gradient is zero)."""
    worst = 0.0
    weights = {k: v.detach().clone().requires_grad_() for k, v in weights.items()}
    hyper = {k: gold[k].clone().requires_grad_() for k in ("epsilon", "sigma_phi", "sigma_q")}
    for name, full in FULL.items():
        output = feature(weights, token_mlp(weights, gold["after_transformer"]))
        j = objective(output, gold["input"].flatten(1), **hyper, full=full)
        found = dict(zip([*weights, *hyper], torch.autograd.grad(j, [*weights.values(), *hyper.values()])))
        pairs = [(output, gold["output"]), (j, gold[f"{name}.objective"])]
        pairs += [(g, gold[f"{name}.grad.{k}"]) for k, g in found.items()]
        for a, b in pairs:
            scale = b.norm() if b.norm() > 1e-12 else torch.ones(())
            worst = max(worst, ((a - b).norm() / scale).item())
    return worst


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "network_small_start.safetensors"
    golden = load_file(HERE / "official" / "network_small.safetensors")
    start = recover(golden)
    print(f"largest disagreement {check(golden, start):.1e}")
    save_file({k: v.detach().contiguous() for k, v in start.items()}, target)
    target.chmod(0o644)
