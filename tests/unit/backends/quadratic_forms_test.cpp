// SPDX-License-Identifier: MIT
// Quadratic forms of labels against the naive double loop over the same kernel matrix.
#include <cmath>
#include <limits>
#include <vector>

#include "support.hpp"
#include "support/catch2.hpp"

using namespace mmd;
using namespace backends_test;

namespace {

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

label_matrix random_labels(index_t rows, index_t columns, std::uint64_t seed) {
  label_matrix out(rows, columns);
  random_stream random(seed, purpose::permutation);
  for (index_t b = 0; b < columns; ++b) {
    for (index_t i = 0; i < rows; ++i) {
      if (random.below(5) < 2) out.set(i, b);
    }
  }
  return out;
}

// The largest error over all columns, relative to the sum of the absolute values that a column adds up, in units of eps.
template <class T, class U>
double worst_error(const label_matrix& labels, const std::vector<double>& found, const gram<U>& k) {
  const auto rows = static_cast<std::size_t>(k.rows);
  std::vector<std::size_t> chosen;
  double worst = 0;
  for (index_t b = 0; b < labels.columns(); ++b) {
    chosen.clear();
    for (index_t i = 0; i < k.rows; ++i) {
      if (labels(i, b)) chosen.push_back(at(i));
    }
    long double sum = 0, size = 0;
    for (const std::size_t i : chosen) {
      for (const std::size_t j : chosen) {
        if (i == j) continue;
        const auto v = static_cast<long double>(k.values[i * rows + j]);
        sum += v;
        size += std::abs(v);
      }
    }
    const long double error = std::abs(found[at(b)] - sum);
    if (!(error <= 1e6 * size)) return std::numeric_limits<double>::infinity();
    if (size > 0) worst = std::max(worst, static_cast<double>(error / size) / static_cast<double>(std::numeric_limits<T>::epsilon()));
  }
  return worst;
}

template <class T, class U = T>
void compare(const std::vector<index_t>& group_rows, index_t columns, const auto& kernel, double scale = 1, double centre = 0) {
  std::vector<matrix<T>> groups;
  for (const index_t rows : group_rows) {
    groups.push_back(normal_rows<T>(rows, 3, 11 + groups.size(), scale, centre));
    if (rows > 2) {
      for (index_t c = 0; c < 3; ++c) groups.back()(2, c) = groups.back()(0, c);  // a duplicate
    }
  }
  const auto z = pool_of(groups);
  const label_matrix labels = random_labels(z.rows(), columns, at(columns));
  quadratic_forms forms(labels);
  gram<U> k;
  cpu{.threads = 1}.reduce(kernel, z, forms, k);
  INFO("rows " << z.rows() << " columns " << columns);
  REQUIRE(forms.value.size() == at(columns));
  CHECK(worst_error<T>(labels, forms.value, k) <= 4);
}

}  // namespace

TEMPLATE_TEST_CASE("quadratic forms agree with the double loop at the edges of words, strips, tiles and blocks", "", float, double) {
  for (const index_t rows : {1, 2, 3, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 191, 193, 255, 256, 257, 300}) {
    for (const index_t columns : {1, 15, 16, 17, 63, 64, 65}) compare<TestType>({rows}, columns, gaussian(2));
  }
  compare<TestType>({257}, 999, gaussian(2));
  for (const index_t columns : {1023, 1024, 1025, 2111}) compare<TestType>({150}, columns, gaussian(2));
  compare<TestType>({1, 130, 2, 64, 70}, 100, gaussian(2));
  compare<TestType>({40, 7}, 999, gaussian(1), 1, 1e4);
}

TEMPLATE_TEST_CASE("quadratic forms of values of any sign and size", "", float, double) {
  compare<TestType>({140, 30}, 70, polynomial(3, 0.1, 1));
  compare<TestType>({140, 30}, 70, linear());
  for (const double scale : {1e-14, 1e14}) compare<TestType>({140, 30}, 70, energy(), scale);
  for (const double scale : {1e-30, 1e30}) compare<TestType, double>({140, 30}, 70, energy(), scale);  // floats are evaluated in double
}

TEMPLATE_TEST_CASE("whole numbers are summed exactly", "", float, double) {
  const matrix<TestType> same(700, 2);  // every k is 1
  label_matrix labels(700, 130);
  for (index_t b = 0; b < 130; ++b) {
    for (index_t i = 0; i < 700; ++i) {
      if ((i * 7 + b) % 10 < 4) labels.set(i, b);
    }
  }
  quadratic_forms forms(labels);
  cpu{}.reduce(gaussian(1), pooled<TestType>{{samples<TestType>(same)}}, forms);
  for (const double v : forms.value) CHECK(v == 280 * 279);
  const label_matrix none(700, 3);
  quadratic_forms nothing(none);
  cpu{}.reduce(gaussian(1), pooled<TestType>{{samples<TestType>(same)}}, nothing);
  CHECK(nothing.value == std::vector<double>(3));
}

TEMPLATE_TEST_CASE("a column's place does not change its bits", "", float, double) {
  const auto x = normal_rows<TestType>(333, 4, 1);
  const pooled<TestType> z{{samples<TestType>(x)}};
  const label_matrix one = random_labels(333, 1, 9);
  quadratic_forms alone(one);
  cpu{}.reduce(gaussian(2), z, alone);
  label_matrix many = random_labels(333, 2111, 10);
  const std::vector<index_t> places{0, 1, 2, 3, 7, 15, 16, 17, 62, 63, 64, 65, 127, 1000, 1023, 1024, 1025, 2047, 2048, 2110};
  for (const index_t b : places) {
    for (index_t w = 0; w <= 333 / 64; ++w) *many.word(w, b) = *one.word(w, 0);
  }
  quadratic_forms forms(many);
  cpu{}.reduce(gaussian(2), z, forms);
  for (const index_t b : places) CHECK(forms.value[at(b)] == alone.value[0]);
  CHECK(forms.value[4] != alone.value[0]);
}

TEMPLATE_TEST_CASE("quadratic forms have the same bits for any number of threads", "", float, double) {
  const auto x = normal_rows<TestType>(2000, 40, 1);
  const pooled<TestType> z{{samples<TestType>(x)}};
  const label_matrix labels = random_labels(2000, 70, 2);
  quadratic_forms one(labels);
  REQUIRE(cpu{}.plan(gaussian(2), z, one).parts > 1);
  cpu{.threads = 1}.reduce(gaussian(2), z, one);
  for (const int threads : {2, 7}) {
    quadratic_forms more(labels);
    cpu{.threads = threads}.reduce(gaussian(2), z, more);
    CHECK(more.value == one.value);
  }
}
