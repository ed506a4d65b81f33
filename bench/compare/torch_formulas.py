# SPDX-License-Identifier: MIT
"""The formulas of MMD-MP (Zhang et al., ICLR 2024) in PyTorch, as one writes them: whole kernel matrices from one product.

    torch             as it is
    torch.compile     the same, the training step and the scores through torch.compile
"""
import copy
import math
import time

import numpy
import torch

LAMBDA = 1e-8
DEVICE = "cpu"  # device.py puts "cuda" here


def tensor(array):
    return torch.from_numpy(array).to(DEVICE)


def make(name, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return Formulas(torch.compile if name == "torch.compile" else lambda f: f)


def squared_distances(a, b):
    norms = (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :]
    return torch.addmm(norms, a, b.T, alpha=-2).clamp(min=0)


def gram(x, y, bandwidth):
    z = torch.cat([tensor(x), tensor(y)])
    norms = (z * z).sum(1)
    return torch.addmm(norms[:, None] + norms[None, :], z, z.T, alpha=-2).clamp_(min=0).mul_(-0.5 / bandwidth**2).exp_()


def unbiased(xx, x_all, total, n, m):
    """MMD^2 from the sums (zero diagonal) within x, of x's rows over everybody, and of all."""
    xy, yy = x_all - xx, total - 2 * x_all + xx
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def random_labels(permutations, n, total):
    """One row a split, 1 for the rows of x and 0 for those of y. The last row is the observed split."""
    labels = torch.zeros(permutations + 1, total)
    labels[-1, :n] = 1
    if DEVICE == "cpu":
        for row in labels[:-1]:
            row[torch.randperm(total)[:n]] = 1
    else:  # one launch for all of them
        labels[:-1].scatter_(1, torch.rand(permutations, total).argsort(1)[:, :n], 1)
    return labels


def objective(phi, n, epsilon, sigma):
    """J of MMD-MP over all pairs (no pairing of rows), for features phi, the first n of x."""
    x, y = phi[:n], phi[n:]
    m = len(y)
    kxx = (1 - epsilon) * torch.exp(-squared_distances(x, x) / sigma) + epsilon
    kxy = (1 - epsilon) * torch.exp(-squared_distances(x, y) / sigma) + epsilon
    statistic = (kxx.sum() - kxx.diagonal().sum()) / (n * (n - 1)) - 2 * kxy.mean()
    g, h = kxx.mean(1) - kxy.mean(1), -kxy.mean(0)
    variance = 4 * (2 * m / (n + m) * g.var(correction=0) + 2 * n / (n + m) * h.var(correction=0))
    return statistic / torch.sqrt(variance + LAMBDA)


class Model(torch.nn.Module):
    """Linear, GELU, LayerNorm, Linear on dropped-out inputs, and the kernel's two numbers in unconstrained form."""

    def __init__(self, weights, inputs, dropout, sizes=(256, 128)):
        super().__init__()
        hidden, outputs = sizes
        self.network = torch.nn.Sequential(torch.nn.Dropout(dropout), torch.nn.Linear(inputs, hidden), torch.nn.GELU(),
                                           torch.nn.LayerNorm(hidden), torch.nn.Linear(hidden, outputs))
        first, norm, last = self.network[1], self.network[3], self.network[4]
        at = 0
        with torch.no_grad():
            for part in (first.weight, first.bias, norm.weight, norm.bias, last.weight, last.bias):
                part.copy_(tensor(weights.ravel()[at:at + part.numel()]).view_as(part))
                at += part.numel()
        self.logit_epsilon = torch.nn.Parameter(torch.tensor(math.log(.01 / .99)))
        self.log_sigma = torch.nn.Parameter(torch.tensor(0.))

    def forward(self, rows, n):
        return objective(self.network(rows), n, torch.sigmoid(self.logit_epsilon), torch.exp(self.log_sigma))


def standardized(x, y):
    """Both samples, standardised by all rows together and clipped to +-4."""
    z = torch.cat([tensor(x), tensor(y)]).double()
    mean, deviation = z.mean(0), z.std(0, correction=0)
    return ((z - mean) / deviation).clamp(-4, 4).float(), mean.float(), deviation.float()


class Formulas:
    def __init__(self, compile_it):
        self.compile_it, self.kept = compile_it, {}

    def value(self, request):
        x, y, h = request.rows("x"), request.rows("y"), request.number("bandwidth")

        @torch.no_grad()
        def work():
            n, m = len(x), len(y)
            k = gram(x, y, h).fill_diagonal_(0)
            xx, xy, yy = (float(block.sum(dtype=torch.float64)) for block in (k[:n, :n], k[:n, n:], k[n:, n:]))
            return {"statistic": unbiased(xx, xx + xy, xx + 2 * xy + yy, n, m)}
        return work

    def test(self, request):
        """All splits by one product of the kernel matrix with the labels."""
        x, y, h, b = request.rows("x"), request.rows("y"), request.number("bandwidth"), request.count("permutations")

        @torch.no_grad()
        def work():
            n, m = len(x), len(y)
            k = gram(x, y, h).fill_diagonal_(0)
            labels = random_labels(b, n, n + m)
            sums = labels @ k
            t = unbiased((labels * sums).sum(1).double(), sums.sum(1).double(), k.sum().double(), n, m)
            return {"statistic": t[-1], "p_value": (t >= t[-1]).double().mean()}
        return work

    def paired_test(self, request):
        """The paper's test: n = m, the U statistic without k(x_i, y_i), p = the share of draws above the observed statistic."""
        x, y, h, b = request.rows("x"), request.rows("y"), request.number("bandwidth"), request.count("permutations")

        @torch.no_grad()
        def work():
            n = len(x)
            k = gram(x, y, h)
            signs = 2 * random_labels(b, n, 2 * n) - 1
            forms = torch.einsum("pi,ij,pj->p", signs, k, signs)
            xs, ys = (signs > 0).nonzero()[:, 1].view(b + 1, n), (signs < 0).nonzero()[:, 1].view(b + 1, n)
            t = (forms - k.trace() + 2 * k[xs, ys].sum(1)) / (n * (n - 1))
            return {"paired": t[-1], "share": (t[:-1] > t[-1]).double().mean()}
        return work

    def train(self, request):
        """`steps` steps of Adam; a step's seconds without the first five."""
        x, y, steps, batch = request.rows("x"), request.rows("y"), request.count("steps"), request.count("batch")
        key = (request["x"], batch, request["dropout"])
        if key not in self.kept:  # torch.compile works on the first call: keep what it made
            rows, _, _ = standardized(x, y)
            model = Model(request.rows("weights"), x.shape[1], request.number("dropout"))
            with torch.no_grad():
                model.eval()
                phi = model.network(rows)
                distances = squared_distances(phi, phi)
                i, j = torch.triu_indices(len(phi), len(phi), 1)
                model.log_sigma.copy_(tensor(numpy.array(math.log(numpy.median(distances[i, j].cpu().numpy())))))
                model.train()
            self.kept[key] = rows, model, copy.deepcopy(model.state_dict()), self.compile_it(model)
        rows, model, start, loss = self.kept[key]
        model.load_state_dict(start)
        adam = torch.optim.Adam(model.parameters(), lr=3e-4, maximize=True, fused=True)

        def batches(first, count):
            while True:
                order = first + torch.randperm(count)
                yield from order[:count - count % batch].view(-1, batch)

        def work():
            objectives, from_x, from_y = [], batches(0, len(x)), batches(len(x), len(y))
            for step in range(steps):
                if step == 5:
                    if DEVICE != "cpu":
                        torch.cuda.synchronize()
                    begin = time.perf_counter()
                j = loss(rows[torch.cat([next(from_x), next(from_y)])], batch)
                adam.zero_grad()
                j.backward()
                adam.step()
                objectives.append(j.detach() if DEVICE != "cpu" else j.item())  # a device is waited for once, at the end
            objectives = [float(j) for j in objectives]
            seconds = (time.perf_counter() - begin) / (steps - 5) if steps > 5 else 0
            return {"objective": objectives, "seconds": seconds}
        return work

    def score(self, request):
        """The biased MMD^2 of the reference in y against each text in x alone."""
        texts, reference = tensor(request.rows("x")), tensor(request.rows("y"))
        sigma, epsilon = request.number("sigma"), .01
        if "score" not in self.kept:
            _, mean, deviation = standardized(request.rows("x"), request.rows("y"))
            model = Model(request.rows("weights"), texts.shape[1], 0.).eval()
            with torch.no_grad():
                features = model.network(((reference - mean) / deviation).clamp(-4, 4))
                within = ((1 - epsilon) * torch.exp(-squared_distances(features, features) / sigma) + epsilon).mean()

            def scores(rows):
                phi = model.network(((rows - mean) / deviation).clamp(-4, 4))
                to = (1 - epsilon) * torch.exp(-squared_distances(phi, features) / sigma) + epsilon
                return within - 2 * to.mean(1) + 1
            self.kept["score"] = self.compile_it(scores)

        @torch.no_grad()
        def work():
            return {"scores": self.kept["score"](texts)[:100]}
        return work
