# SPDX-License-Identifier: MIT
"""The formulas of the permutation test and of MMD-FUSE (Biggs, Schrab & Gretton, NeurIPS 2023) in JAX, each one compiled function."""
import jax
import jax.numpy as jnp
import numpy
from jax.scipy.special import logsumexp


def squared_distances(z):
    norms = (z * z).sum(1)
    return jnp.maximum(norms[:, None] + norms[None, :] - 2 * z @ z.T, 0)


def without_diagonal(k):
    return jnp.fill_diagonal(k, 0, inplace=False)


def unbiased(k, labels, n, m):
    """One MMD^2 for each column of labels, 1 for the rows of x and 0 for those of y; k has a zero diagonal."""
    sums = k @ labels
    xx, x_all, total = (labels * sums).sum(0), sums.sum(0), k.sum()
    xy, yy = x_all - xx, total - 2 * x_all + xx
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def labels_of(permutations, n, m):
    """One column a split, drawn by numpy: several times as fast as jax.random.permutation. The last column is the observed split."""
    random = numpy.random.default_rng(1)
    labels = numpy.zeros((permutations + 1, n + m), dtype=numpy.float32)
    labels[:, :n] = 1
    random.permuted(labels[:-1], axis=1, out=labels[:-1])
    return labels.T


@jax.jit
def value(x, y, h):
    n, m = len(x), len(y)
    k = without_diagonal(jnp.exp(-squared_distances(jnp.concatenate([x, y])) / (2 * h * h)))
    return k[:n, :n].sum() / (n * (n - 1)) + k[n:, n:].sum() / (m * (m - 1)) - 2 * k[:n, n:].mean()


@jax.jit
def test(x, y, h, labels):
    k = without_diagonal(jnp.exp(-squared_distances(jnp.concatenate([x, y])) / (2 * h * h)))
    t = unbiased(k, labels, len(x), len(y))
    return t[-1], (t >= t[-1]).mean()


@jax.jit
def fuse(x, y, bandwidths, labels):
    n, m = len(x), len(y)
    distances = squared_distances(jnp.concatenate([x, y]))

    def one(h):
        k = without_diagonal(jnp.exp(-distances / (2 * h * h)))
        return unbiased(k, labels, n, m), jnp.sqrt((k * k).sum() / (n * (n - 1)))
    t, scale = jax.lax.map(one, bandwidths)  # one kernel matrix at a time
    least = min(n, m)
    fused = logsumexp(jnp.sqrt(least * (least - 1.)) * t / scale[:, None], axis=0)
    return t[:, -1], (fused >= fused[-1]).mean()


class Formulas:
    def value(self, request):
        x, y, h = request.rows("x"), request.rows("y"), request.number("bandwidth")
        return lambda: {"statistic": float(value(x, y, h))}

    def test(self, request):
        x, y, h, b = request.rows("x"), request.rows("y"), request.number("bandwidth"), request.count("permutations")

        def work():
            statistic, p = test(x, y, h, labels_of(b, len(x), len(y)))
            return {"statistic": float(statistic), "p_value": float(p)}
        return work

    def many_tests(self, request):
        x, y, hs, b = request.rows("x"), request.rows("y"), jnp.asarray(request.numbers("bandwidths")), request.count("permutations")

        def work():
            statistics, p = fuse(x, y, hs, labels_of(b, len(x), len(y)))
            return {"statistics": numpy.asarray(statistics), "p_value": float(p)}
        return work
