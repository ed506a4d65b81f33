// SPDX-License-Identifier: MIT
// safetensors files: named tensors and a few words about them, read with every check, written to the same bytes each time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>

#include "mmd/core/hash.hpp"
#include "mmd/core/matrix.hpp"
#include "mmd/io/atomic_file.hpp"
#include "mmd/io/safetensors_header.hpp"
#include "mmd/io/utf8.hpp"

namespace mmd {
inline namespace MMD_ISA {

// Tensors by name and metadata (text by name). The getters throw io_error naming the tensor, what was expected and what is there.
//
//   mmd::safetensors file;
//   file.put("weight", {3, 4}, std::span<const double>(values));
//   file.metadata()["made_by"] = "an example";
//   file.write("model.safetensors");
//   const auto weight = mmd::safetensors::read("model.safetensors").get_matrix<double>("weight");
class safetensors {
 public:
  using shape_type = std::vector<std::uint64_t>;

  safetensors() = default;

  // Reads a file; "-" is standard input. Memory: the file and its tensors.
  // Throws io_error with the path, the byte and the reason: missing, unreadable, a directory, truncated, trailing bytes, a header above
  // 100 MB or the file's size, malformed or unexpected JSON, a name twice, an unknown dtype, a shape whose bytes overflow or do not match
  // its offsets, tensors that overlap or leave a hole. Nothing is allocated for a tensor before its place in the file was checked.
  static safetensors read(const std::string& path) { return parse(read_bytes(path), detail::input_name(path)); }
  // A file that is in memory already; `name` stands in messages.
  static safetensors parse(std::span<const std::byte> file, const std::string& name);

  // The file's bytes, a function of the content alone: large elements first, then by name, the header padded with spaces to 8 bytes, so
  // that every tensor is aligned. A round trip through a file gives the same bits.
  std::vector<std::byte> serialize() const;
  // Writes the file atomically (see atomic_file). Throws write_error, and invalid_input for names or metadata that are not UTF-8.
  void write(const std::string& path) const { write_bytes(path, serialize()); }

  const std::map<std::string, tensor>& tensors() const { return tensors_; }
  std::map<std::string, std::string>& metadata() { return metadata_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Throws io_error where there is no such entry.
  const std::string& metadata(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) fail("metadata has no entry \"" + key + "\"");
    return found->second;
  }

  // Adds a tensor, or replaces the one of that name. Throws invalid_input: a size that does not match the shape, the name __metadata__.
  void put(const std::string& name, tensor value) {
    detail::require(name != "__metadata__", "safetensors: name", name, "another name, as this one stands for the metadata");
    const auto needed = detail::tensor_bytes(value.type, value.shape);
    detail::require(needed && *needed == value.bytes.size(), "safetensors: bytes of the tensor", value.bytes.size(),
                    "as many as its shape has");
    tensors_[name] = std::move(value);
  }
  template <detail::tensor_number T>
  void put(const std::string& name, shape_type shape, std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    put(name, tensor{detail::type_of<T>, std::move(shape), {bytes.begin(), bytes.end()}});
  }
  template <detail::tensor_number T>
  void put(const std::string& name, const std::vector<T>& values) {
    put(name, {values.size()}, std::span<const T>(values));
  }
  template <detail::tensor_number T>
  void put(const std::string& name, T value) {
    put(name, {}, std::span<const T>(&value, 1));
  }
  // Any strided matrix, stored row-major.
  template <sample_matrix M>
  void put(const std::string& name, const M& x) {
    using T = typename M::Scalar;
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(x.rows() * x.cols()));
    const samples<T> view(x);
    for (index_t i = 0; i < view.rows(); ++i) {
      for (index_t k = 0; k < view.cols(); ++k) values.push_back(view(i, k));
    }
    put(name, {static_cast<std::uint64_t>(x.rows()), static_cast<std::uint64_t>(x.cols())}, std::span<const T>(values));
  }

  // Throws io_error with the file's name: for readers who find that the content cannot be what they expect.
  [[noreturn]] void fail(const std::string& reason) const { throw io_error(name_, 0, reason); }

  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const tensor& at(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("has no tensor \"" + name + "\"");
    return found->second;
  }
  // A tensor's values: of the type T exactly, but float also from F16 and BF16.
  template <detail::tensor_number T>
  std::vector<T> get(const std::string& name) const;
  // The same, of exactly this shape.
  template <detail::tensor_number T>
  std::vector<T> get(const std::string& name, const shape_type& shape) const {
    require_shape(name, at(name).shape == shape, detail::shown_shape(shape));
    return get<T>(name);
  }
  // A single number: shape [] or [1].
  template <detail::tensor_number T>
  T get_number(const std::string& name) const {
    const shape_type& shape = at(name).shape;
    require_shape(name, shape.empty() || shape == shape_type{1}, "[] or [1]");
    return get<T>(name).front();
  }
  // A tensor of two dimensions; sizes of -1 may be anything.
  template <host_number T>
  matrix<T> get_matrix(const std::string& name, index_t rows = -1, index_t cols = -1) const {
    const shape_type& shape = at(name).shape;
    const auto fits = [](index_t wanted, std::uint64_t found) { return wanted < 0 || static_cast<std::uint64_t>(wanted) == found; };
    const auto shown = [](index_t wanted) { return wanted < 0 ? std::string("any") : std::to_string(wanted); };
    require_shape(name, shape.size() == 2 && fits(rows, shape[0]) && fits(cols, shape[1]), "[" + shown(rows) + ", " + shown(cols) + "]");
    return {static_cast<index_t>(shape[0]), static_cast<index_t>(shape[1]), get<T>(name)};
  }

  // A hash of all names, types, shapes, values and metadata (but for the hash's own entry), as 16 hexadecimal digits. It finds files that
  // were damaged or edited by mistake; it is no defence against someone who wants to deceive.
  std::string content_hash() const;
  // Notes the hash in the metadata as "content_hash" ...
  void seal() { metadata_["content_hash"] = content_hash(); }
  // ... and throws io_error where it is missing or does not match: the file was edited after it was written.
  void require_seal() const {
    const std::string& noted = metadata("content_hash");
    if (noted != content_hash())
      fail("was edited: its content has the hash " + content_hash() + ", but " + noted.substr(0, 40) + " is noted in it");
  }

  friend bool operator==(const safetensors& a, const safetensors& b) { return a.tensors_ == b.tensors_ && a.metadata_ == b.metadata_; }

 private:
  void require_shape(const std::string& name, bool good, const std::string& expected) const {
    if (!good) fail("tensor \"" + name + "\" has the shape " + detail::shown_shape(at(name).shape) + ", expected " + expected);
  }

  std::string name_ = "safetensors";
  std::map<std::string, tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

inline safetensors safetensors::parse(std::span<const std::byte> file, const std::string& name) {
  const auto reject = [&](std::uint64_t at, const std::string& reason) -> void {
    throw io_error(name, at, "not a usable safetensors file: " + reason);
  };
  if (file.size() < 8) reject(file.size(), "truncated: " + std::to_string(file.size()) + " bytes, expected at least 8");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  if (length > detail::safetensors_header_limit) {
    reject(0, "header of " + std::to_string(length) + " bytes, expected at most " + std::to_string(detail::safetensors_header_limit));
  }
  if (length > file.size() - 8) {
    reject(file.size(),
           "truncated: the header needs " + std::to_string(length) + " bytes, " + std::to_string(file.size() - 8) + " are there");
  }
  detail::safetensors_header_reader header(name, detail::as_text(file.subspan(8, static_cast<std::size_t>(length))));
  const auto data = file.subspan(8 + static_cast<std::size_t>(length));

  auto& entries = header.entries;
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const detail::tensor_entry& e : entries) {
    const std::string who = "tensor \"" + e.name + "\"";
    const std::string offsets = "data_offsets [" + std::to_string(e.begin) + ", " + std::to_string(e.end) + "]";
    const auto needed = detail::tensor_bytes(e.type, e.shape);
    if (!needed) reject(0, who + ": the shape " + detail::shown_shape(e.shape) + " overflows");
    if (e.end < e.begin) reject(0, who + ": " + offsets + " run backwards");
    if (e.end - e.begin != *needed) {
      reject(0, who + ": " + offsets + " hold " + std::to_string(e.end - e.begin) + " bytes, its dtype and shape " +
                    detail::shown_shape(e.shape) + " need " + std::to_string(*needed));
    }
    if (e.begin != reached)
      reject(0, who + ": " + offsets + (e.begin < reached ? " overlap" : " leave a hole after") + " the tensor before it");
    reached = e.end;
    if (reached > data.size()) {
      reject(file.size(), "truncated: " + who + " needs bytes up to " + std::to_string(reached) + " of the data, " +
                              std::to_string(data.size()) + " are there");
    }
  }
  if (reached != data.size()) reject(8 + length + reached, std::to_string(data.size() - reached) + " bytes follow the last tensor");

  safetensors result;
  result.name_ = name;
  result.metadata_ = std::move(header.metadata);
  for (detail::tensor_entry& e : entries) {
    const auto bytes = data.subspan(static_cast<std::size_t>(e.begin), static_cast<std::size_t>(e.end - e.begin));
    result.tensors_[e.name] = {e.type, std::move(e.shape), {bytes.begin(), bytes.end()}};
  }
  return result;
}

inline std::vector<std::byte> safetensors::serialize() const {
  std::vector<const std::pair<const std::string, tensor>*> order;
  for (const auto& named : tensors_) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->second.type < b->second.type; });
  const auto quoted = [](const std::string& text) {
    detail::require(find_invalid_utf8(text) == text.npos, "safetensors: name or metadata", text.substr(0, 40), "UTF-8");
    return nlohmann::json(text).dump();
  };
  std::string header = "{";
  if (!metadata_.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata_) header += (header.back() == '{' ? "" : ",") + quoted(key) + ":" + quoted(value);
    header += "}";
  }
  std::uint64_t offset = 0;
  for (const auto* named : order) {
    const auto& [name, value] = *named;
    std::string shape = detail::shown_shape(value.shape);
    std::erase(shape, ' ');
    if (header.size() > 1) header += ",";
    header += quoted(name) + ":{\"dtype\":\"" + std::string(detail::facts_of(value.type).name) + "\",\"shape\":" + shape +
              ",\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + value.bytes.size()) + "]}";
    offset += value.bytes.size();
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::vector<std::byte> file(8 + header.size() + static_cast<std::size_t>(offset));
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, header.data(), header.size());
  auto place = file.begin() + static_cast<std::ptrdiff_t>(8 + header.size());
  for (const auto* named : order) place = std::copy(named->second.bytes.begin(), named->second.bytes.end(), place);
  return file;
}

template <detail::tensor_number T>
std::vector<T> safetensors::get(const std::string& name) const {
  const tensor& found = at(name);
  const std::size_t count = found.bytes.size() / detail::facts_of(found.type).bytes;
  std::vector<T> values(count);
  if constexpr (std::same_as<T, float>) {
    const auto widened = [&]<class Half>(Half half) {
      for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&half, found.bytes.data() + sizeof half * i, sizeof half);
        values[i] = static_cast<float>(half);
      }
      return values;
    };
    if (found.type == tensor_type::f16) return widened(float16{});
    if (found.type == tensor_type::bf16) return widened(bfloat16{});
  }
  if (found.type != detail::type_of<T>) {
    fail("tensor \"" + name + "\" has the dtype " + std::string(detail::facts_of(found.type).name) + ", expected " +
         std::string(detail::facts_of(detail::type_of<T>).name));
  }
  if (count > 0) std::memcpy(values.data(), found.bytes.data(), found.bytes.size());
  return values;
}

inline std::string safetensors::content_hash() const {
  detail::fnv1a hash;
  // Lengths first, so that no two contents read as the same bytes.
  const auto add = [&](std::string_view text) { hash.add_number(text.size()).add(text); };
  hash.add_number(metadata_.size() - metadata_.count("content_hash"));
  for (const auto& [key, value] : metadata_) {
    if (key == "content_hash") continue;
    add(key);
    add(value);
  }
  for (const auto& [name, value] : tensors_) {
    add(name);
    add(detail::facts_of(value.type).name);
    hash.add_number(value.shape.size());
    for (const std::uint64_t size : value.shape) hash.add_number(size);
    hash.add(std::span<const std::byte>(value.bytes));
  }
  return detail::hexadecimal(detail::fmix64(hash.value()));
}

}  // namespace MMD_ISA
}  // namespace mmd
