// SPDX-License-Identifier: MIT
// Two samples stored in two bytes a value, and the same values stored as float.
#pragma once

#include "mmd/core/matrix.hpp"
#include "mmd/core/philox.hpp"

namespace support {

template <class H>
struct half_and_float {
  mmd::matrix<H> x, y;
  mmd::matrix<float> float_x, float_y;

  // Normal values; those of y are moved by .2.
  half_and_float(mmd::index_t n, mmd::index_t m, mmd::index_t d, std::uint64_t seed = 1) : float_x(n, d), float_y(m, d) {
    mmd::random_stream random(seed, mmd::purpose::user, 5);
    for (mmd::index_t i = 0; i < float_x.size(); ++i) float_x.data()[i] = static_cast<float>(random.normal());
    for (mmd::index_t i = 0; i < float_y.size(); ++i) float_y.data()[i] = static_cast<float>(random.normal() + .2);
    x = mmd::converted<H>(float_x);
    y = mmd::converted<H>(float_y);
    float_x = mmd::converted<float>(x);
    float_y = mmd::converted<float>(y);
  }
};

}  // namespace support
