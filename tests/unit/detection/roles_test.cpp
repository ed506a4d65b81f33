// SPDX-License-Identifier: MIT
#include "mmd/detection/roles.hpp"

#include <map>

#include "mmd/core/matrix.hpp"
#include "support/catch2.hpp"
#include "support/detection.hpp"

using mmd::role;

TEST_CASE("a text has one role, and the message says which") {
  const std::vector<std::string> a{"p1", "p2", "p2"}, b{"p3", "p2"};
  for (const role first : mmd::all_roles) {
    for (const role second : mmd::all_roles) {
      mmd::Roles roles;
      roles.assign(first, mmd::TextIds(a));
      const auto what = message([&] { roles.assign(second, mmd::TextIds(b)); });
      if (first == second) {
        CHECK(what == "(nothing was thrown)");
        CHECK(roles.hashes(first).size() == 3);
      } else {
        CHECK(what == std::string("mmd: ") + mmd::role_name(second) + " text = p2, expected a text of no other role, but it is a " +
                          mmd::role_name(first) + " text");
        CHECK(roles.hashes(second).empty());
      }
    }
  }
}

TEST_CASE("roles survive a file, which keeps hashes only") {
  mmd::Roles roles;
  const std::vector<std::string> train{"p1", "p2"}, test{"p9"};
  roles.assign(role::train, mmd::TextIds(train));
  roles.assign(role::test, mmd::TextIds(test));
  std::array<std::vector<std::uint64_t>, 5> kept;
  for (const role r : mmd::all_roles) kept[static_cast<std::size_t>(r)] = roles.hashes(r);
  const mmd::Roles read(kept);
  CHECK(read.role_of("p1") == role::train);
  CHECK(read.role_of("p9") == role::test);
  CHECK(!read.role_of("p5"));
  CHECK(message([&] { read.require_free(role::calibration, mmd::TextIds(train)); }) ==
        "mmd: calibration text = p1, expected a text of no other role, but it is a train text");
  kept[4].push_back(kept[0].front());
  CHECK(message([&] { mmd::Roles again(kept); }).find("mmd: test text = #") == 0);
}

TEST_CASE("rows without ids are known by their values") {
  mmd::matrix<float> x(2, 2, {1.0F, 2.0F, 0.0F, 4.0F}), y(2, 2, {5.0F, 6.0F, -0.0F, 4.0F});
  const mmd::matrix<double> wide(1, 2, {1.0, 2.0});
  mmd::Roles roles;
  roles.assign(role::reference, mmd::TextIds::of_rows(x));
  CHECK(message([&] { roles.assign(role::test, mmd::TextIds::of_rows(y)); }) ==
        "mmd: test text = row 1, expected a text of no other role, but it is a reference text");
  CHECK(message([&] { roles.assign(role::test, mmd::TextIds::of_rows(wide)); }) ==
        "mmd: test text = row 0, expected a text of no other role, but it is a reference text");
}

TEST_CASE("a split keeps groups whole, follows the shares, and does not depend on the order of rows") {
  std::vector<std::string> groups;
  for (int i = 0; i < 900; ++i) groups.push_back("g" + std::to_string(i * 7 % 300));
  const auto roles = mmd::split_roles(groups, 5);
  std::map<std::string, role> of;
  std::map<role, int> count;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto [at, fresh] = of.emplace(groups[i], roles[i]);
    CHECK(at->second == roles[i]);
    if (fresh) ++count[roles[i]];
  }
  CHECK(count[role::train] == 195);
  CHECK(count[role::checkpoint] == 45);
  CHECK(count[role::reference] == 30);
  CHECK(count[role::calibration] == 30);
  CHECK(count[role::test] == 0);
  auto reversed = groups;
  std::reverse(reversed.begin(), reversed.end());
  auto again = mmd::split_roles(reversed, 5);
  std::reverse(again.begin(), again.end());
  CHECK(again == roles);
  CHECK(mmd::split_roles(groups, 6) != roles);
}

TEST_CASE("bad splits are named") {
  const std::vector<std::string> three{"a", "b", "c"}, none;
  CHECK(message([&] { mmd::split_roles(three, 0); }) == "mmd: groups = 3, expected enough different groups for one checkpoint group");
  CHECK(message([&] { mmd::split_roles(none, 0); }) == "mmd: groups = 0, expected enough different groups for one train group");
  CHECK(message([&] { mmd::split_roles(three, 0, {.train = 0.9, .checkpoint = 0.2}); }) == "mmd: sum of shares = 1.3, expected 1");
  CHECK(message([&] { mmd::split_roles(three, 0, {.train = -1}); }) == "mmd: shares = -1, expected 0 or more");
}
