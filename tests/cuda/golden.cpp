// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include "mmd/io/safetensors.hpp"

namespace golden {

objective read_objective(const std::string& size, const std::string& name) {
  const auto file = mmd::safetensors::read(std::string(MMD_TEST_DATA) + "/golden/official/objective_" + size + ".safetensors");
  const auto both = [&](const std::string& what) {
    const auto x = file.get_matrix<double>(what + "_x"), y = file.get_matrix<double>(what + "_y");
    std::vector<double> values = x.values();
    values.insert(values.end(), y.values().begin(), y.values().end());
    return mmd::matrix<double>(x.rows() + y.rows(), x.cols(), std::move(values));
  };
  const auto number = [&](const char* what) { return file.get_number<double>(name + "." + what); };
  objective out;
  out.features = both("phi");
  out.raw = both("q");
  out.n = out.features.rows() / 2;
  out.parameters = {file.get_number<double>("epsilon"), file.get_number<double>("sigma_phi"), file.get_number<double>("sigma_q"), true};
  out.statistic = number("unbiased_paired");
  out.variance = number("variance");
  out.value = number("objective");
  out.by_epsilon = number("grad_epsilon");
  out.by_sigma_phi = number("grad_sigma_phi");
  out.by_sigma_q = number("grad_sigma_q");
  out.by_features = both(name + ".grad_phi").values();
  out.by_raw = both(name + ".grad_q").values();
  return out;
}

}  // namespace golden
