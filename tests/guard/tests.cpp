// SPDX-License-Identifier: MIT
#include "mmd/backends/cpu.hpp"
#include "mmd/inference/permutation_test.hpp"
#include "mmd/inference/subset_reference.hpp"
#include "runs.hpp"

namespace {

template <mmd::index_t n, mmd::index_t d, mmd::index_t permutations, mmd::method how>
std::function<void()> test() {
  return [x = rows<float>(n / 2, d, 1), y = rows<float>(n / 2, d, 2)] {
    keep(mmd::PermutationTest{{.permutations = permutations, .method = how}}(mmd::cpu{}, x, y, mmd::gaussian(4)).p_value);
  };
}

std::function<void()> documents_against_a_reference() {
  constexpr mmd::index_t sentences = 10, count = 20;
  return [kept = mmd::SubsetReference(mmd::cpu{}, rows<float>(200, 32, 1), mmd::gaussian(4)), all = rows<float>(sentences * count, 32, 2)] {
    std::vector<mmd::samples<float>> documents;
    for (mmd::index_t i = 0; i < count; ++i) documents.push_back(mmd::samples<float>(all).middle_rows(i * sentences, sentences));
    keep(kept.test(mmd::cpu{}, documents, {.permutations = 199}).back().p_value);
  };
}

}  // namespace

std::vector<run> runs_of_tests() {
  return {{"test/full/N=512", test<512, 16, 499, mmd::method::full>},
          {"test/binned/N=1024", test<1024, 16, 999, mmd::method::binned>},
          {"test/small/N=40", test<40, 16, 199, mmd::method::automatic>},
          {"test/documents", documents_against_a_reference}};
}
