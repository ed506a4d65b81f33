// SPDX-License-Identifier: MIT
// Values that live in a device's memory have a type of their own: host and device pointers cannot be mixed up, and everything above the
// backend takes either without knowing which. Nothing here needs a device or its headers.
#pragma once

#include <concepts>
#include <type_traits>

#include "mmd/core/config.hpp"
#include "mmd/core/half.hpp"

namespace mmd {

// What is kept there: samples, and the numbers of rows.
template <class T>
concept device_value = host_number<T> || std::same_as<T, index_t>;

// A T in a device's memory, of T's size and alignment. The host can point to it, but neither make, copy nor read it.
template <device_value T>
struct device {
  device() = delete;
  device(const device&) = delete;
  device& operator=(const device&) = delete;

 private:
  T value_;
};

namespace detail {
template <class E>
struct element {
  using host = E;
  static constexpr bool on_device = false;
};
template <class T>
struct element<device<T>> {
  using host = T;
  static constexpr bool on_device = true;
};
}  // namespace detail

// Where a value of type E lies, and its type as the host or the device's own code reads it.
template <class E>
inline constexpr bool on_device = detail::element<E>::on_device;
template <class E>
using host_value = typename detail::element<E>::host;

// What samples may be stored as, and what is computed in where they are: double for double, float for all others.
template <class E>
concept sample_number = host_number<host_value<E>>;
template <class E>
using compute_type = std::conditional_t<std::same_as<host_value<E>, double>, double, float>;
// A number of the computation, in the memory that E is in: float for float16, device<float> for device<float16>.
template <class E>
using computed = std::conditional_t<on_device<E>, device<compute_type<E>>, compute_type<E>>;

// A pointer to a device's memory, as cudaMalloc gives it, with a type that says so; and back, for calls that want it raw.
template <device_value T>
const device<T>* device_pointer(const T* p) {
  return reinterpret_cast<const device<T>*>(p);
}
template <device_value T>
device<T>* device_pointer(T* p) {
  return reinterpret_cast<device<T>*>(p);
}
template <class T>
const T* raw_pointer(const device<T>* p) {
  return reinterpret_cast<const T*>(p);
}
template <class T>
T* raw_pointer(device<T>* p) {
  return reinterpret_cast<T*>(p);
}

// rows x cols row-major values that it owns, on the host (core/matrix.hpp) and on a device (backends/cuda/matrix.cuh).
template <class T>
class matrix;
template <device_value T>
class DeviceMatrix;
namespace detail {
template <class E>
struct matrix_for {
  using type = matrix<E>;
};
template <class T>
struct matrix_for<device<T>> {
  using type = DeviceMatrix<T>;
};
}  // namespace detail
template <class E>
using matrix_of = typename detail::matrix_for<E>::type;

}  // namespace mmd
