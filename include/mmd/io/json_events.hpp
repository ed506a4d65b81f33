// SPDX-License-Identifier: MIT
// JSON as a stream of events, without a document in memory: depth is bounded and nothing is kept that is not asked for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mmd/core/config.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

// Base of the readers: they override what they want to see, with `depth` the number of objects and arrays that are open. fail(reason, at)
// must throw; `at` counts bytes of the text.
class json_events : public nlohmann::json_sax<nlohmann::json> {
 public:
  using json = nlohmann::json;
  static constexpr int depth_limit = 32;

  void parse(std::string_view text) { json::sax_parse(text.begin(), text.end(), static_cast<json::json_sax_t*>(this)); }

 protected:
  int depth = 0;

  [[noreturn]] virtual void fail(const std::string& reason, std::size_t at) = 0;
  virtual void on_text(std::string& value) = 0;
  virtual void on_unsigned(std::uint64_t value) = 0;
  virtual void on_other(const char* kind) = 0;  // "a number", "null", ...
  virtual void on_key(std::string& name) = 0;
  virtual void on_open(bool object) = 0;  // depth counts it already
  virtual void on_close() {}              // depth does not count it any more

 private:
  bool null() final { return on_other("null"), true; }
  bool boolean(bool) final { return on_other("true or false"), true; }
  bool number_integer(number_integer_t) final { return on_other("a negative number"), true; }
  bool number_unsigned(number_unsigned_t value) final { return on_unsigned(value), true; }
  bool number_float(number_float_t, const string_t&) final { return on_other("a number with a fraction"), true; }
  bool string(string_t& value) final { return on_text(value), true; }
  bool binary(binary_t&) final { return on_other("binary data"), true; }
  bool key(string_t& name) final { return on_key(name), true; }
  bool start_object(std::size_t) final { return open(true); }
  bool end_object() final { return close(); }
  bool start_array(std::size_t) final { return open(false); }
  bool end_array() final { return close(); }
  bool open(bool object) {
    if (++depth > depth_limit) fail("nested more than " + std::to_string(depth_limit) + " deep", 0);
    on_open(object);
    return true;
  }
  bool close() {
    --depth;
    on_close();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) final {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...": what follows the first colon says what is wrong.
    const std::string what = e.what();
    const std::size_t colon = what.find(": ");
    fail("malformed JSON: " + what.substr(colon == what.npos ? 0 : colon + 2, 200), position);
    return false;
  }
};

}  // namespace MMD_ISA
}  // namespace detail
}  // namespace mmd
