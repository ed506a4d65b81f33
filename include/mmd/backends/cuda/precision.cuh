// SPDX-License-Identifier: MIT
// How exactly inner products of float features are taken on the device, and by what. No CUDA headers: options name these.
#pragma once

namespace mmd {

// accurate: as float arithmetic does, about 2^-22 of |x||y|. tf32, bf16: both operands are rounded to 11 or 8 significant bits first, so an
// inner product is within 2^-10 or 2^-7 of |x||y|, and a squared distance within twice that of |x||y|, x and y taken from the pooled mean.
// Everything after the inner product is as before. Distances by differences (l1, exact squared) and double features are always accurate.
enum class precision { accurate, tf32, bf16 };

// What takes the inner products: the tile kernel itself, or cuBLAS with the products left in the second cache; `automatic` goes by the
// number of features and the device.
enum class product_by { automatic, fused, library };

}  // namespace mmd
