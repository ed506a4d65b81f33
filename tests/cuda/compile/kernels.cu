// SPDX-License-Identifier: MIT
// Never run: makes nvcc compile every kernel of the device for MMD_NUMBER, float or double, by what users call.
#include <vector>

#include "mmd/cuda.cuh"

namespace {

using number = MMD_NUMBER;

template <class E>
void estimates(const mmd::cuda& on, const mmd::samples<E>& x, const mmd::samples<E>& y) {
  const auto each = [&](const auto& k) { mmd::Mmd{k}(on, x, y); };
  each(mmd::gaussian(1));
  each(mmd::laplace(1));
  each(mmd::polynomial(3, 1, 1));
  each(mmd::rational_quadratic(1, 1.5));
  each(mmd::mixture(mmd::matern32(1), mmd::matern52(1), mmd::inverse_multiquadric(1), mmd::energy{}));
  each(mmd::gaussian(1) * mmd::laplace(2) + 0.5 * mmd::linear{});
}

template <class E>
void others(const mmd::cuda& on, const mmd::samples<E>& x, const mmd::samples<E>& y) {
  const mmd::gaussian k(1);
  const mmd::pooled<E> z{.groups = {x, y}};
  mmd::gram<number> gram;
  on.reduce(k, z, gram);
  mmd::median_heuristic(on, x, y);
  mmd::PermutationTest{}(on, x, y, k);
  mmd::MmdMpTrainer{}.fit(on, x, y);
}

// All quantities, in one kernel that wants much of a thread's registers and in several that want little.
template <class E>
void gradients(const mmd::cuda& on, const mmd::samples<E>& x) {
  const mmd::pooled<E> z{.groups = {x}};
  const mmd::pair_weights w{.w = {1, 1}, .p = {1, 1}, .ww = {1}, .wp = {1}};
  on.gradient(mmd::laplace(1), z, w);
  on.gradient(mmd::polynomial(3, 1, 1), z, w);
  on.gradient(mmd::mixture(mmd::gaussian(1), mmd::gaussian(2), mmd::gaussian(4)), z, w);
  on.gradient(
      (0.9 * mmd::on(mmd::given(x), mmd::gaussian(1)) + 0.1) * mmd::gaussian(2) + 0.2 * mmd::polynomial(2, 1, 1) + 0.3 * mmd::laplace(5), z,
      w);
}

}  // namespace

int main() {
  const mmd::cuda on;
  const mmd::matrix<number> x(2, 1), y(2, 1);
  const auto on_device_x = on.upload(x), on_device_y = on.upload(y);
  estimates(on, mmd::samples<number>(x), mmd::samples<number>(y));
  others(on, mmd::samples<number>(x), mmd::samples<number>(y));
  gradients(on, mmd::samples<number>(x));
  estimates(on, mmd::samples<mmd::device<number>>(on_device_x), mmd::samples<mmd::device<number>>(on_device_y));
}
