// SPDX-License-Identifier: MIT
// The five roles of human texts: disjoint sets of prompt clusters or documents, kept apart by their ids.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mmd/core/hash.hpp"
#include "mmd/core/philox.hpp"
#include "mmd/core/samples.hpp"

namespace mmd {

// train: the kernel learns from them; checkpoint: early stopping, settings, choice of objective; reference: what texts are compared with;
// calibration: thresholds and conformal p-values; test: what is reported.
enum class role { train, checkpoint, reference, calibration, test };
inline constexpr std::array<role, 5> all_roles{role::train, role::checkpoint, role::reference, role::calibration, role::test};

inline const char* role_name(role r) {
  constexpr const char* names[] = {"train", "checkpoint", "reference", "calibration", "test"};
  return names[static_cast<std::size_t>(r)];
}

inline namespace MMD_ISA {

// What tells texts (or clusters of texts) apart: 64-bit hashes (FNV-1a, then fmix64), and the names for messages where they are known.
class TextIds {
 public:
  TextIds() = default;
  // One id a text: its document or prompt cluster. Equal ids within one role are one cluster.
  explicit TextIds(std::span<const std::string> names) : names_(names.begin(), names.end()) {
    for (const auto& name : names) hashes_.push_back(hash(name));
  }
  // From a file, which keeps hashes only.
  explicit TextIds(std::vector<std::uint64_t> hashes) : hashes_(std::move(hashes)) {}
  // For texts without ids: each row is known by its values, so that at least the same row is caught twice.
  template <sample_matrix X>
  static TextIds of_rows(const X& x) {
    TextIds out;
    for (index_t i = 0; i < x.rows(); ++i) {
      detail::fnv1a h;
      for (index_t k = 0; k < x.cols(); ++k) {
        const auto value = static_cast<double>(x.data()[i * x.rowStride() + k * x.colStride()]);
        h.add_number(std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value));
      }
      out.hashes_.push_back(detail::fmix64(h.value()));
      out.names_.push_back("row " + std::to_string(i));
    }
    return out;
  }

  static std::uint64_t hash(std::string_view name) { return detail::fmix64(detail::fnv1a().add(name).value()); }

  index_t size() const { return static_cast<index_t>(hashes_.size()); }
  const std::vector<std::uint64_t>& hashes() const { return hashes_; }
  // The name, or the hash in hexadecimal where no name is known.
  std::string name(std::size_t i) const {
    if (i < names_.size()) return names_[i];
    char text[32];
    std::snprintf(text, sizeof text, "#%016llx", static_cast<unsigned long long>(hashes_[i]));
    return text;
  }

 private:
  std::vector<std::uint64_t> hashes_;
  std::vector<std::string> names_;
};

// Which text has which role. Every part of a detector enters its texts here, so that no text can serve twice: a threshold calibrated on
// texts that chose the checkpoint lets through more human texts as machine than it says (.052-.066 measured for .045).
//
// Validity: the promise is by id. Give the id of what is independent (the prompt cluster or the document), never of the row or the
// sentence; different ids are taken to be independent texts. Hashes of different ids coincide with probability 2^-64 a pair.
class Roles {
 public:
  Roles() = default;
  // From a file: the hashes by role. Throws invalid_input if roles share one.
  explicit Roles(const std::array<std::vector<std::uint64_t>, 5>& by_role) {
    for (const role r : all_roles) assign(r, TextIds(by_role[static_cast<std::size_t>(r)]));
  }

  // Enters the texts; entering a text again in the same role changes nothing. O((n + known) log n). Throws invalid_input that names both
  // roles and the first id that has another role already; nothing is entered then.
  void assign(role r, const TextIds& ids) {
    require_free(r, ids);
    auto& own = hashes_[static_cast<std::size_t>(r)];
    own.insert(own.end(), ids.hashes().begin(), ids.hashes().end());
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
  }
  // The check of `assign` alone.
  void require_free(role r, const TextIds& ids) const {
    for (std::size_t i = 0; i < ids.hashes().size(); ++i) {
      const auto other = role_of(ids.hashes()[i]);
      if (other && *other != r) {
        detail::reject((std::string(role_name(r)) + " text").c_str(), ids.name(i),
                       std::string("a text of no other role, but it is a ") + role_name(*other) + " text");
      }
    }
  }

  std::optional<role> role_of(std::uint64_t hash) const {
    for (const role r : all_roles) {
      if (std::binary_search(hashes(r).begin(), hashes(r).end(), hash)) return r;
    }
    return std::nullopt;
  }
  std::optional<role> role_of(std::string_view name) const { return role_of(TextIds::hash(name)); }
  // Rising, without repeats: what a model file keeps.
  const std::vector<std::uint64_t>& hashes(role r) const { return hashes_[static_cast<std::size_t>(r)]; }

 private:
  std::array<std::vector<std::uint64_t>, 5> hashes_;
};

// Shares of the groups, in the order of `role`; the test texts are usually another file's.
struct RoleShares {
  double train = 0.65, checkpoint = 0.15, reference = 0.10, calibration = 0.10, test = 0;
};

// A role for each text: the different groups are put in a random order that depends on the seed and the set of names alone (not on the
// order of rows), then cut by the shares, each cut rounded to the nearest group. Throws invalid_input for negative shares, a sum that is
// not 1, or fewer groups than give each role of a share above 0 at least one.
inline std::vector<role> split_roles(std::span<const std::string> groups, std::uint64_t seed, const RoleShares& shares = {}) {
  const std::array<double, 5> share{shares.train, shares.checkpoint, shares.reference, shares.calibration, shares.test};
  double sum = 0;
  for (const double s : share) {
    detail::require(s >= 0, "shares", s, "0 or more");
    sum += s;
  }
  detail::require(std::abs(sum - 1) < 1e-9, "sum of shares", sum, "1");
  std::vector<std::string> names(groups.begin(), groups.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  const std::size_t count = names.size();
  std::vector<role> by_group(count);
  const auto order = random_stream(seed, purpose::splits).permutation(static_cast<index_t>(count));
  double until = 0;
  std::size_t next = 0;
  for (const role r : all_roles) {
    until += share[static_cast<std::size_t>(r)];
    const auto end = std::min(count, static_cast<std::size_t>(std::llround(until * static_cast<double>(count))));
    if (share[static_cast<std::size_t>(r)] > 0 && end <= next) {
      detail::reject("groups", static_cast<index_t>(count), std::string("enough different groups for one ") + role_name(r) + " group");
    }
    for (; next < end; ++next) by_group[static_cast<std::size_t>(order[next])] = r;
  }
  std::vector<role> out;
  for (const auto& g : groups) {
    out.push_back(by_group[static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), g) - names.begin())]);
  }
  return out;
}

}  // namespace MMD_ISA
}  // namespace mmd
