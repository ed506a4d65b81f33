# SPDX-License-Identifier: MIT
"""The bugs that mutations.py plants."""
from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    file: str  # below include/mmd
    text: str  # stands there once
    replacement: str
    test: str  # tests/cuda/<test>_test.cu must find it
    only: str = ""  # by these of its tests: a name or tags
    quick: bool = False


CUDA = "backends/cuda/"
REDUCERS = CUDA + "reducers/"

MUTATIONS = [
    # Products of tiles
    Mutation(
        "no barrier behind a stage of features",
        CUDA + "product.cuh",
        "    if (more) features.finish(shared, stage<C>::bytes - now);\n    __syncthreads();\n",
        "    if (more) features.finish(shared, stage<C>::bytes - now);\n",
        "tiles",
    ),
    Mutation(
        "no barrier before the first stage",
        CUDA + "product.cuh",
        "  features.finish(shared, 0);\n  __syncthreads();\n",
        "  features.finish(shared, 0);\n",
        "tiles",
    ),
    Mutation(
        "the product of low and high parts dropped",
        CUDA + "product.cuh",
        "        mma_tf32(t0, t1, t2, t3, a1, b[n][0], b[n][1]);\n",
        "",
        "tiles",
        quick=True,
    ),
    Mutation(
        "the product of high and low parts dropped",
        CUDA + "product.cuh",
        "        mma_tf32(t0, t1, t2, t3, a0, b[n][2], b[n][3]);\n",
        "",
        "tiles",
    ),
    Mutation("features behind the last read", CUDA + "product.cuh", "const bool exists = n == 0 || left_ > plane;", "const bool exists = true;", "tiles"),
    Mutation("halves of a stage not exchanged on one side", CUDA + "product.cuh", "S::offset(lane % 8, lane / 8 % 2);", "(lane % 8 * S::row_bytes + lane / 8 % 2 * 16);", "tiles"),
    Mutation("an index of cuBLAS's product shifted", CUDA + "product.cuh", "(from + a * 8 * s.ld + n * 8)", "(from + a * 8 * s.ld + n * 4)", "tiles"),
    Mutation(
        "a norm left out of squared distances",
        CUDA + "evaluate.cuh",
        "fma(T(-2), out.v[a][b], down + across[b])",
        "fma(T(-2), out.v[a][b], down + down)",
        "tiles",
    ),
    Mutation(
        "values outside the tile kept",
        CUDA + "evaluate.cuh",
        "if (p.diagonal || p.rows < panel_rows || p.cols < F::tile_columns) {",
        "if (p.diagonal) {",
        "kernels",
    ),
    Mutation(
        "the diagonal kept",
        CUDA + "evaluate.cuh",
        "column < p.cols && !(p.diagonal && row == column + p.column);",
        "column < p.cols;",
        "kernels",
    ),
    Mutation("macros on the diagonal left out", CUDA + "macros.cuh", "for (index_t j = i; j < count; j += side)", "for (index_t j = i + side; j < count; j += side)", "kernels"),
    Mutation("tiles of skipped groups evaluated", CUDA + "fragment.cuh", "return j >= i && !skipped[panels[i].group * groups + panels[j].group];", "return j >= i;", "kernels"),
    # Sums of rows
    Mutation(
        "no barrier before sums of warps are read",
        REDUCERS + "row_sums.cuh",
        "    __syncthreads();\n    const index_t tile = ",
        "    const index_t tile = ",
        "reducers_sums",
    ),
    Mutation(
        "a warp's sums of rows dropped",
        REDUCERS + "row_sums.cuh",
        "(of_rows[0][t] + of_rows[1][t]) + (of_rows[2][t] + of_rows[3][t])",
        "(of_rows[0][t] + of_rows[1][t]) + of_rows[2][t]",
        "reducers_sums",
    ),
    Mutation("the fold of rows skips a slot", REDUCERS + "row_sums.cuh", "from[u] = first + u < count ? group(first + u) : -1;", "from[u] = first + u + 1 < count ? group(first + u) : -1;", "reducers_sums"),
    Mutation("a diagonal tile's columns counted too", REDUCERS + "row_sums.cuh", "m.i_panel + s != j && pass.holds(m.i_panel + s, j)", "pass.holds(m.i_panel + s, j)", "reducers_sums"),
    Mutation("weights of columns taken from rows", REDUCERS + "row_sums.cuh", "weight<T>(p.first_j, F::column(t, b), p.cols)", "weight<T>(p.first_i, F::column(t, b), p.cols)", "reducers_sums"),
    Mutation("a stream's sums not merged", REDUCERS + "part.cuh", "if (i < count) sum[i] += part[i];", "if (i < 0) sum[i] += part[i];", "reducers_sums"),
    Mutation("streams merged without waiting", REDUCERS + "part.cuh", "      on_->order(s, 0);\n      launch(add_into", "      launch(add_into", "reducers_sums"),
    Mutation("lanes send what they keep", REDUCERS + "part.cuh", "sent = upper ? v[i] : v[i + N / 2];", "sent = upper ? v[i + N / 2] : v[i];", "reducers_sums"),
    # Bins and labels
    Mutation("diagonal tiles of bins counted twice", REDUCERS + "block_sums.cuh", "sum += i == j ? inside / 2 : inside;", "sum += inside;", "reducers_sums"),
    Mutation("no barrier in the fold of bins", REDUCERS + "block_sums.cuh", "    __syncthreads();\n    if (member < step)", "    if (member < step)", "reducers_sums"),
    Mutation("a bin's last row left out", REDUCERS + "block_sums.cuh", "row >= begin && row < end;", "row >= begin && row + 1 < end;", "reducers_sums"),
    Mutation(
        "low parts of K not multiplied by labels",
        REDUCERS + "quadratic.cuh",
        "    for (int b = 0; b < C; b += 2) step(b, lower(k[b]), lower(k[b + 1]));\n",
        "    for (int b = C; b < C; b += 2) step(b, lower(k[b]), lower(k[b + 1]));\n",
        "reducers_forms",
        quick=True,
    ),
    Mutation("off-diagonal tiles of forms counted once", REDUCERS + "quadratic.cuh", "sum += i == j ? of_tile : 2 * of_tile;", "sum += of_tile;", "reducers_forms"),
    Mutation("labels that cross a word cut off", REDUCERS + "quadratic.cuh", "next[0] >> shift | next[64] << 1 << (63 - shift) : 0;", "next[0] >> shift : 0;", "reducers_forms"),
    Mutation("labels of a tile's columns shifted by a row", REDUCERS + "quadratic.cuh", "(t < 128 ? p.first_i : p.first_j) + half;", "(t < 128 ? p.first_i : p.first_j + 1) + half;", "reducers_forms"),
    Mutation("no barrier in a block of labels", REDUCERS + "quadratic.cuh", "      __syncthreads();\n      if (block > 0 && t < 64) {", "      if (block > 0 && t < 64) {", "reducers_forms"),
    # Counts and values
    Mutation("no barrier before a tile's place is read", REDUCERS + "distances.cuh", "number{found});\n    __syncthreads();\n", "number{found});\n", "reducers_values"),
    Mutation("distances of a point to itself counted", REDUCERS + "distances.cuh", "row >= column + p.column)) f(", "row > column + p.column)) f(", "reducers_values"),
    Mutation("lanes add what is not left of them", REDUCERS + "distances.cuh", "if (lane >= step) before += left;", "before += left;", "reducers_values"),
    Mutation("both orders of a pair kept", REDUCERS + "values.cuh", "column >= p.cols || i >= j) continue;", "column >= p.cols || i == j) continue;", "reducers_values"),
    # Features
    Mutation("no barrier before gathered rows are read", CUDA + "packing.cuh", "  __syncthreads();\n  for (int v = thread; v < row_tile * row_tile; v += row_threads) {\n    const int i = v / row_tile,", "  for (int v = thread; v < row_tile * row_tile; v += row_threads) {\n    const int i = v / row_tile,", "features"),
    Mutation("a lane's share of a column's sum dropped", CUDA + "packing.cuh", "for (int l = 1; l < lanes; ++l) sum += part[l][column];", "for (int l = 2; l < lanes; ++l) sum += part[l][column];", "features", quick=True),
    Mutation("a chunk left out of the mean", CUDA + "packing.cuh", "for (index_t c = 0; c < chunks; ++c) sum += sums[c * d + k];", "for (index_t c = 1; c < chunks; ++c) sum += sums[c * d + k];", "features"),
    Mutation("no barrier in the largest norm", CUDA + "packing.cuh", "part[thread + half]);\n    __syncthreads();\n", "part[thread + half]);\n", "features"),
    Mutation("a pinned chunk overwritten before it has gone", CUDA + "context.cuh", "if (l.in_use) check(", "if (false) check(", "features"),
    # Gradients
    Mutation("pairs of a diagonal tile counted twice", CUDA + "gradient_tile.cuh", "(at.diagonal ? 0.5 : 1.0)", "(at.diagonal ? 1.0 : 1.0)", "gradient"),
    Mutation("weights of pairs left out", CUDA + "gradient_tile.cuh", "if (8 * a == pair_row) weight +=", "if (8 * a == pair_row && false) weight +=", "gradient"),
    Mutation("no barrier before signs are summed", CUDA + "gradient_rows.cuh", "T(0);\n    __syncthreads();\n#pragma unroll 4", "T(0);\n#pragma unroll 4", "gradient"),
    Mutation("a stream's gradient not merged", CUDA + "gradient_rows.cuh", "for (int s = 0; s < from.streams; ++s)\n", "for (int s = 0; s < 1; ++s)\n", "gradient"),
    # Training
    Mutation("the dropout's counter stands still", CUDA + "rows.cuh", "column_ += static_cast<std::uint64_t>(block);", "column_ += 0;", "training_rows"),
    Mutation("half of a warp's lanes not summed", CUDA + "rows.cuh", "for (int half = width / 2; half > 0; half /= 2) s +=", "for (int half = width / 4; half > 0; half /= 2) s +=", "training_rows"),
]
