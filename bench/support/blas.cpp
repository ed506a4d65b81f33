// SPDX-License-Identifier: MIT
#include "support/blas.hpp"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Eigen/Core>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace bench {
namespace {

struct library {
  const char *name, *file, *version;  // version: the function that gives it
  const char* setting;                // the environment variable that chooses among its kernels
  std::vector<const char*> choices;   // of its value; null: the library's own choice
};
const std::array<library, 2> libraries{
    library{"OpenBLAS", "libopenblas.so.0", "openblas_get_config", "OPENBLAS_CORETYPE", {nullptr, "SKYLAKEX", "HASWELL"}},
    library{"BLIS", "libblis.so.4", "bli_info_get_version_str", "BLIS_ARCH_TYPE", {nullptr}}};

template <class T>
using gemm = void (*)(int, int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int);

template <class T>
gemm<T> gemm_of(void* opened) {
  return reinterpret_cast<gemm<T>>(dlsym(opened, sizeof(T) == 4 ? "cblas_sgemm" : "cblas_dgemm"));
}
template <class T>
void call(gemm<T> f, index_t m, index_t n, index_t k, const T* a, bool transposed, const T* b, T* c) {
  constexpr int row_major = 101, as_is = 111, turned = 112;
  f(row_major, as_is, transposed ? turned : as_is, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), T(1), a,
    static_cast<int>(k), b, static_cast<int>(transposed ? k : n), T(0), c, static_cast<int>(n));
}
void choose(const library& from, const char* choice) { choice == nullptr ? unsetenv(from.setting) : setenv(from.setting, choice, 1); }

// The library's rate with one choice of its kernels, in a process of its own: some choices end the process on some machines, or give wrong
// results. Nothing where it cannot be used. Before the first parallel loop of this process, since OpenMP does not survive a fork.
std::optional<double> rate_of(const library& from, const char* choice) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    close(2);   // it may complain
    alarm(20);  // or hang
    choose(from, choice);
    void* const opened = dlopen(from.file, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr || gemm_of<float>(opened) == nullptr) _exit(1);
    constexpr index_t n = 1000, d = 400;
    std::vector<float> z(n * d), c(n * n);
    for (index_t i = 0; i < n * d; ++i) z[static_cast<std::size_t>(i)] = static_cast<float>(i * 7919 % 1000) / 1000.0f - 0.5f;
    double best = 1e9;
    for (int round = 0; round < 12; ++round) {
      best = std::min(best, seconds([&] { call(gemm_of<float>(opened), n, n, d, z.data(), true, z.data(), c.data()); }));
    }
    for (index_t i = 0; i < n; i += 7) {
      const index_t j = (i * 31) % n;
      double sum = 0;
      for (index_t k = 0; k < d; ++k) {
        sum += static_cast<double>(z[static_cast<std::size_t>(i * d + k)]) * static_cast<double>(z[static_cast<std::size_t>(j * d + k)]);
      }
      if (!(std::abs(sum - static_cast<double>(c[static_cast<std::size_t>(i * n + j)])) < 1e-3)) _exit(1);
    }
    const double rate = 1 / best;
    _exit(write(ends[1], &rate, sizeof rate) == sizeof rate ? 0 : 1);
  }
  close(ends[1]);
  double rate = 0;
  const bool told = child > 0 && read(ends[0], &rate, sizeof rate) == sizeof rate;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return told ? std::optional(rate) : std::nullopt;
}

struct opened_library {
  std::string name;
  void* handle;
};
// Each with the fastest choice of kernels that computes what it should.
const std::vector<opened_library>& opened() {
  static const std::vector<opened_library> all = [] {
    std::vector<opened_library> found;
    setenv("BLIS_NUM_THREADS", std::to_string(threads()).c_str(), 0);  // one thread unless told
    setenv("OPENBLAS_THREAD_TIMEOUT", "18", 0);  // 2^18 ticks until its threads sleep: otherwise they keep a core busy while others run
    for (const library& each : libraries) {
      std::optional<const char*> choice;
      double best = 0;
      for (const char* c : each.choices) {
        const auto rate = rate_of(each, c);
        if (rate && *rate > best) {
          best = *rate;
          choice = c;
        }
      }
      if (!choice) continue;
      choose(each, *choice);
      void* const handle = dlopen(each.file, RTLD_NOW | RTLD_LOCAL);
      if (handle == nullptr) continue;
      std::string name = each.name;
      if (void* const f = dlsym(handle, each.version)) {
        std::istringstream words(reinterpret_cast<const char* (*)()>(f)());
        std::string word;
        while (words >> word && word == each.name) {
        }
        name += " " + word;
      }
      if (void* const f = dlsym(handle, "openblas_get_corename")) name += std::string(" (") + reinterpret_cast<char* (*)()>(f)() + ")";
      found.push_back({name, handle});
    }
    return found;
  }();
  return all;
}

}  // namespace

template <class T>
const std::vector<full_product<T>>& products() {
  using rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  static const std::vector<full_product<T>> found = [] {
    std::vector<full_product<T>> all;
    const std::string version =
        std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." + std::to_string(EIGEN_MINOR_VERSION);
    all.push_back({"Eigen " + version, [](index_t m, index_t n, index_t k, const T* a, bool transposed, const T* b, T* c) {
                     const Eigen::Map<const rows> left(a, m, k);
                     Eigen::Map<rows> to(c, m, n);
                     if (transposed) {
                       to.noalias() = left * Eigen::Map<const rows>(b, n, k).transpose();
                     } else {
                       to.noalias() = left * Eigen::Map<const rows>(b, k, n);
                     }
                   }});
    for (const opened_library& each : opened()) {
      if (const auto f = gemm_of<T>(each.handle)) {
        all.push_back({each.name, [f](index_t m, index_t n, index_t k, const T* a, bool transposed, const T* b, T* c) {
                         call(f, m, n, k, a, transposed, b, c);
                       }});
      }
    }
    return all;
  }();
  return found;
}
template const std::vector<full_product<float>>& products<float>();
template const std::vector<full_product<double>>& products<double>();

template <class T>
const full_product<T>& fastest_product() {
  static const full_product<T>& best = []() -> const full_product<T>& {
    constexpr index_t n = 1500, d = 384;
    const samples<T> z = rows<T>(n, d);
    std::vector<T> c(n * n);
    std::vector<double> time(products<T>().size(), 1e9);
    for (int round = 0; round < 4; ++round) {
      for (std::size_t i = 0; i < time.size(); ++i) {
        let_others_sleep();
        time[i] = std::min(time[i], seconds([&] { products<T>()[i].run(n, n, d, z.data(), true, z.data(), c.data()); }));
      }
    }
    return products<T>()[static_cast<std::size_t>(std::min_element(time.begin(), time.end()) - time.begin())];
  }();
  return best;
}
template const full_product<float>& fastest_product<float>();
template const full_product<double>& fastest_product<double>();

}  // namespace bench
