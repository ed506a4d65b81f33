// SPDX-License-Identifier: MIT
// Trained kernels in safetensors files: one of their own, or inside a model file.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mmd/io/safetensors.hpp"
#include "mmd/learning/deep_kernel.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Parts of a model throw invalid_input for figures that cannot be: in a file, that is a fault of the file.
template <class F>
auto from_file(const safetensors& file, F&& make) {
  try {
    return make();
  } catch (const invalid_input& unusable) {
    file.fail(unusable.what());
  }
}
// A file of this kind, of a format version that is known, and not edited.
inline void require_format(const safetensors& file, const std::string& kind, const std::string& version) {
  const auto found = file.metadata().find("format");
  if (found == file.metadata().end() || found->second != kind) {
    file.fail("is not a file of the kind \"" + kind + "\": its metadata \"format\" " +
              (found == file.metadata().end() ? "is missing" : "is \"" + found->second.substr(0, 40) + "\""));
  }
  if (const std::string& noted = file.metadata("format_version"); noted != version) {
    file.fail("has the format version " + noted.substr(0, 40) + ", expected " + version + "; a newer version of mmd may read it");
  }
  file.require_seal();
}
// A number from a list that is kept as text.
inline std::size_t choice(const safetensors& file, const std::string& key, const std::vector<std::string>& words) {
  const std::string& found = file.metadata(key);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (found == words[i]) return i;
  }
  std::string expected;
  for (const auto& w : words) expected += (expected.empty() ? "\"" : " or \"") + w + "\"";
  file.fail("metadata \"" + key + "\" is \"" + found.substr(0, 40) + "\", expected " + expected);
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Adds a kernel to a file: "standardizer.means", "standardizer.deviations" (F64), "network.sizes" (I64), "network.norm_epsilon",
// "network.weight0", "network.bias0", ... (in the network's type), "kernel.logit_epsilon", "kernel.log_sigma_phi", "kernel.log_sigma_q"
// (F64), and the metadata "kernel.raw" ("true" or "false").
template <class T>
void put_kernel(safetensors& file, const DeepKernel<T>& kernel) {
  file.put("standardizer.means", kernel.standardizer.means());
  file.put("standardizer.deviations", kernel.standardizer.deviations());
  file.put("network.sizes", std::vector<std::int64_t>(kernel.network.sizes().begin(), kernel.network.sizes().end()));
  file.put("network.norm_epsilon", kernel.network.norm_epsilon());
  const std::span<const T> all = kernel.network.parameters();
  for (const ParameterPart& p : kernel.network.parts()) {
    const auto rows = static_cast<std::uint64_t>(p.rows), cols = static_cast<std::uint64_t>(p.cols);
    const auto values = all.subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(rows * cols));
    file.put("network." + p.name, p.name.starts_with("weight") ? safetensors::shape_type{rows, cols} : safetensors::shape_type{cols},
             values);
  }
  file.put("kernel.logit_epsilon", kernel.logit_epsilon);
  file.put("kernel.log_sigma_phi", kernel.log_sigma_phi);
  file.put("kernel.log_sigma_q", kernel.log_sigma_q);
  file.metadata()["kernel.raw"] = kernel.raw_kernel ? "true" : "false";
}

// The kernel of a file that put_kernel wrote to, bit for bit. Throws io_error: a part is missing, of another type or shape, or holds
// figures that cannot be. Nothing is allocated for a network whose weights are not in the file.
template <class T>
DeepKernel<T> get_kernel(const safetensors& file) {
  DeepKernel<T> kernel;
  const auto stored = file.get<std::int64_t>("network.sizes");
  std::vector<index_t> sizes(stored.begin(), stored.end());
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    if (sizes[l] < 1 || sizes[l + 1] < 1) file.fail("tensor \"network.sizes\" holds a width below 1");
    file.get_matrix<T>("network.weight" + std::to_string(l), sizes[l + 1], sizes[l]);
  }
  kernel.standardizer = detail::from_file(
      file, [&] { return Standardizer(file.get<double>("standardizer.means"), file.get<double>("standardizer.deviations")); });
  kernel.network = detail::from_file(file, [&] {
    Perceptron<T> network(std::move(sizes), 0, file.get_number<double>("network.norm_epsilon"));
    std::vector<T> all;
    for (const ParameterPart& p : network.parts()) {
      const auto rows = static_cast<std::uint64_t>(p.rows), cols = static_cast<std::uint64_t>(p.cols);
      const auto values = file.get<T>("network." + p.name,
                                      p.name.starts_with("weight") ? safetensors::shape_type{rows, cols} : safetensors::shape_type{cols});
      all.insert(all.end(), values.begin(), values.end());
    }
    network.set_parameters(all);
    return network;
  });
  if (kernel.standardizer.dimension() != kernel.network.inputs()) {
    file.fail("the standardiser has " + std::to_string(kernel.standardizer.dimension()) + " columns, expected " +
              std::to_string(kernel.network.inputs()) + ", the network's inputs");
  }
  const auto number = [&](const char* name) {
    const double value = file.get_number<double>(name);
    if (!std::isfinite(value))
      file.fail("tensor \"" + std::string(name) + "\" holds " + detail::shown(value) + ", expected a finite number");
    return value;
  };
  kernel.logit_epsilon = number("kernel.logit_epsilon");
  kernel.log_sigma_phi = number("kernel.log_sigma_phi");
  kernel.log_sigma_q = number("kernel.log_sigma_q");
  kernel.raw_kernel = detail::choice(file, "kernel.raw", {"false", "true"}) == 1;
  return kernel;
}

// Writes a kernel to a file of its own, atomically. Throws write_error.
template <class T>
void save_kernel(const std::string& path, const DeepKernel<T>& kernel) {
  safetensors file;
  put_kernel(file, kernel);
  file.metadata()["format"] = "mmd kernel";
  file.metadata()["format_version"] = "1";
  file.seal();
  file.write(path);
}
// Reads what save_kernel wrote, with the same number type. Throws io_error: as safetensors::read does, or no kernel file, of a newer
// format, edited, or with figures that cannot be.
template <class T = float>
DeepKernel<T> load_kernel(const std::string& path) {
  const auto file = safetensors::read(path);
  detail::require_format(file, "mmd kernel", "1");
  return get_kernel<T>(file);
}

}  // namespace MMD_ISA
}  // namespace mmd
