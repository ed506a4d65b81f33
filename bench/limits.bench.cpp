// SPDX-License-Identifier: MIT
// What the machine can do (support/limits.hpp), and the full products that others make of it.
#include <dlfcn.h>

#include <type_traits>

#include "mmd/backends/cpu/gemm.hpp"
#include "mmd/kernels/basic.hpp"
#include "support/blas.hpp"
#include "support/limits.hpp"

namespace {

using bench::State;

// A limit is measured in a few rounds of its own: the case's time is that of all of them.
void add_rate(const std::string& name, const char* counter, double (*measured)()) {
  bench::add(name, [=](State& state) {
    for ([[maybe_unused]] auto _ : state) {
      double rate = 0;
      state.SetIterationTime(bench::seconds([&] { rate = measured(); }));
      state.counters[counter] = rate;
    }
  });
}

// The C library's vector exp for packs of this width, if this machine has it: opened when the program runs.
template <class T>
using pack_function = typename mmd::simd<T>::raw (*)(typename mmd::simd<T>::raw);
template <class T>
pack_function<T> library_exp() {
#if defined(__x86_64__)
  static void* const library = dlopen("libmvec.so.1", RTLD_NOW | RTLD_LOCAL);
  const char set = MMD_SIMD_BYTES == 64 ? 'e' : (MMD_SIMD_BYTES == 32 ? 'd' : 'b');
  const std::string name = std::string("_ZGV") + set + "N" + std::to_string(mmd::simd<T>::width) + (sizeof(T) == 4 ? "v_expf" : "v_exp");
  return library == nullptr ? nullptr : reinterpret_cast<pack_function<T>>(dlsym(library, name.c_str()));
#else
  return nullptr;
#endif
}

template <class T>
void add_limits() {
  const std::string type = std::string("/") + bench::name_of<T>;
  add_rate("limits/multiply_add" + type, "FLOP/s", [] { return bench::register_peak<T>(); });
  add_rate("limits/absolute_difference" + type, "FLOP/s", [] { return bench::register_peak<T, bench::step::absolute_difference>(); });
  add_rate("limits/exp" + type, "values/s", [] { return bench::value_rate<T>([](auto q) { return exp(-q); }); });
  if (library_exp<T>() != nullptr) {
    add_rate("limits/exp_of_libmvec" + type, "values/s",
             [] { return bench::value_rate<T>([f = library_exp<T>()](auto q) { return mmd::simd<T>(f((-q).v)); }); });
  }
  add_rate("limits/log" + type, "values/s", [] { return bench::value_rate<T>([](auto q) { return log(q); }); });
  add_rate("limits/sqrt" + type, "values/s", [] { return bench::value_rate<T>([](auto q) { return sqrt(q); }); });
}

// Z Z' of N x d rows, and products of the shapes of a network.
template <class T>
void add_products() {
  for (const auto& product : bench::products<T>()) {
    for (const bench::index_t d : {16, 64, 384, 768, 4096}) {
      const bench::index_t n = bench::quick ? 4000 : 10000;
      if (sizeof(T) == 8 && d != 64 && d != 768) continue;
      bench::add(bench::at(std::string("full_product/") + bench::name_of<T> + "/" + product.name.substr(0, product.name.find(' ')),
                           {{"N", n}, {"d", d}}),
                 [=](State& state) {
                   const auto z = bench::rows<T>(n, d);
                   std::vector<T> c(static_cast<std::size_t>(n * n));
                   const double time = bench::measure(state, [&] { product.run(n, n, d, z.data(), true, z.data(), c.data()); });
                   const double size = static_cast<double>(n);
                   bench::rates<T>(state, {.flops = 2 * size * size * static_cast<double>(d)}, time);
                   state.SetLabel(product.name);
                 });
    }
  }
  struct shape {
    bench::index_t m, n, k;
  };
  for (const shape s : {shape{400, 256, 669}, shape{1024, 1024, 1024}, shape{4096, 256, 768}}) {
    bench::add(bench::at(std::string("gemm/") + bench::name_of<T>, {{"m", s.m}, {"n", s.n}, {"k", s.k}}), [=](State& state) {
      const auto a = bench::rows<T>(s.m, s.k), b = bench::rows<T>(s.k, s.n);
      mmd::matrix<T> c(s.m, s.n), d(s.m, s.n);
      const auto& other = bench::fastest_product<T>();
      const auto times = bench::in_turn(state,
                                        {[&] { mmd::cpu{}.gemm(mmd::transposed::no, mmd::transposed::no, T(1), a, b, T(0), c); },
                                         [&] { other.run(s.m, s.n, s.k, a.data(), false, b.data(), d.data()); }},
                                        4 * bench::budget());
      bench::rates<T>(state, {.flops = 2 * static_cast<double>(s.m * s.n) * static_cast<double>(s.k)}, times[0]);
      state.counters["blas_s"] = times[1];
      state.SetLabel(other.name);
    });
  }
}

}  // namespace

void bench::cases() {
  add_limits<float>();
  add_limits<double>();
  add_rate("limits/memory", "bytes/s", [] { return memory_bandwidth(); });
  add_products<float>();
  add_products<double>();
}
