# SPDX-License-Identifier: MIT
"""Makes perceptron.safetensors: the perceptron, the unpaired objective, its gradients and three Adam steps, in float64 PyTorch.

    python3 make_perceptron.py [OUTPUT]        needs torch and safetensors; the names of the tensors are in README.md

phi(z) = Linear(LayerNorm(gelu(Linear(z)))), k = [(1 - epsilon) exp(-|phi(a) - phi(b)|^2 / sigma_phi) + epsilon] [* exp(-|a - b|^2 / sigma_q)].
With a mask the network reads z * mask; q reads z itself.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

INPUT, HIDDEN, OUTPUT = 12, 10, 6
ROWS_X, ROWS_Y = 17, 13
KEEP = 0.7
LAMBDA = 1e-8
STEPS = 3
LEARNING_RATE = 1e-3

torch.set_default_dtype(torch.float64)


class Model(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        self.linear_1 = torch.nn.Linear(INPUT, HIDDEN)
        self.norm = torch.nn.LayerNorm(HIDDEN, eps=1e-5)
        self.linear_2 = torch.nn.Linear(HIDDEN, OUTPUT)
        for name in ("logit_epsilon", "log_sigma_phi", "log_sigma_q"):
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(1)))
        self.load_state_dict(start)

    def forward(self, z):
        return self.linear_2(self.norm(torch.nn.functional.gelu(self.linear_1(z), approximate="none")))


def squared_distances(a, b):
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)


def mean_off_diagonal(k):
    n = len(k)
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1))


def unpaired(k_xx, k_yy, k_xy, full):
    """(MMD^2 or MPP, its variance): the U form with the full mean of k(x,y), for any n and m."""
    n, m = k_xy.shape
    statistic = mean_off_diagonal(k_xx) - 2 * k_xy.mean()
    g = k_xx.mean(1) - k_xy.mean(1)
    h = -k_xy.mean(0)
    if full:
        statistic = statistic + mean_off_diagonal(k_yy)
        h = h + k_yy.mean(1)
    alpha_x, alpha_y = 2 * m / (n + m), 2 * n / (n + m)
    variance = 4 * (alpha_x * g.var(unbiased=False) + alpha_y * h.var(unbiased=False))
    return statistic, variance


def evaluate(model, x, y, mask_x, mask_y, full, use_q):
    hyper = {"epsilon": torch.sigmoid(model.logit_epsilon), "sigma_phi": torch.exp(model.log_sigma_phi)}
    if use_q:
        hyper["sigma_q"] = torch.exp(model.log_sigma_q)
    phi_x, phi_y = model(x * mask_x), model(y * mask_y)
    for value in (*hyper.values(), phi_x, phi_y):
        value.retain_grad()

    def kernel(phi_a, phi_b, a, b):
        k = (1 - hyper["epsilon"]) * torch.exp(-squared_distances(phi_a, phi_b) / hyper["sigma_phi"]) + hyper["epsilon"]
        return k * torch.exp(-squared_distances(a, b) / hyper["sigma_q"]) if use_q else k

    statistic, variance = unpaired(kernel(phi_x, phi_x, x, x), kernel(phi_y, phi_y, y, y), kernel(phi_x, phi_y, x, y), full)
    objective = statistic / torch.sqrt(variance + LAMBDA)
    return objective, statistic, variance, phi_x, phi_y, hyper


def run_case(start, x, y, mask_x, mask_y, full, use_q):
    model = Model(start)
    parameters = {k: p for k, p in model.named_parameters() if use_q or k != "log_sigma_q"}
    adam = torch.optim.Adam(parameters.values(), lr=LEARNING_RATE, maximize=True)
    out, objectives = {}, []
    for step in range(STEPS + 1):
        adam.zero_grad()
        objective, statistic, variance, phi_x, phi_y, hyper = evaluate(model, x, y, mask_x, mask_y, full, use_q)
        objectives.append(objective.detach())
        if step == STEPS:
            break
        objective.backward()
        if step == 0:
            out |= {"output_x": phi_x, "output_y": phi_y, "statistic": statistic, "variance": variance, "objective": objective}
            out |= {"grad.output_x": phi_x.grad, "grad.output_y": phi_y.grad}
            out |= {f"grad.{k}": v.grad for k, v in hyper.items()}
            out |= {f"grad.{k}": p.grad for k, p in parameters.items()}
            out = {k: v.detach().clone() for k, v in out.items()}
        adam.step()
    out |= {f"adam.{k}": p.detach().clone() for k, p in parameters.items()}
    out["adam.objective"] = torch.stack([o.reshape(()) for o in objectives])
    return {k: v.reshape(1) if v.dim() == 0 else v.contiguous() for k, v in out.items()}


def main(output):
    torch.manual_seed(20240217)
    x = torch.randn(ROWS_X, INPUT)
    y = torch.randn(ROWS_Y, INPUT) * 1.2 + 0.5
    keep_x, keep_y = (torch.rand_like(z).lt(KEEP).double() / KEEP for z in (x, y))
    start = {
        "linear_1.weight": torch.randn(HIDDEN, INPUT) * 0.4, "linear_1.bias": torch.randn(HIDDEN) * 0.3,
        "norm.weight": 1 + torch.randn(HIDDEN) * 0.2, "norm.bias": torch.randn(HIDDEN) * 0.2,
        "linear_2.weight": torch.randn(OUTPUT, HIDDEN) * 0.4, "linear_2.bias": torch.randn(OUTPUT) * 0.3,
        "logit_epsilon": torch.tensor([-2.5]), "log_sigma_phi": torch.tensor([2.2]), "log_sigma_q": torch.tensor([4.0]),
    }
    tensors = {"x": x, "y": y, "mask_x": keep_x, "mask_y": keep_y} | {f"start.{k}": v for k, v in start.items()}
    for rows in ("unequal", "equal"):
        n = ROWS_X if rows == "unequal" else ROWS_Y
        for masked in ("dense", "masked"):
            mask_x, mask_y = (keep_x[:n], keep_y) if masked == "masked" else (torch.ones(n, INPUT), torch.ones(ROWS_Y, INPUT))
            for objective in ("mpp", "mmd"):
                for q in ("deep", "raw"):
                    case = run_case(start, x[:n], y, mask_x, mask_y, objective == "mmd", q == "raw")
                    tensors |= {f"{rows}.{masked}.{objective}.{q}.{k}": v for k, v in case.items()}
    save_file(tensors, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("perceptron.safetensors"))
