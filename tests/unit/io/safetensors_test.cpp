// SPDX-License-Identifier: MIT
// safetensors files that are as they should be; tests/golden/io/mixed.safetensors is the safetensors package's own.
#include "mmd/io/safetensors.hpp"

#include <cmath>

#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/standard_input.hpp"
#include "support/temporary_folder.hpp"

namespace {
const std::string golden = MMD_TEST_DATA "/golden/";

std::string text_of(const std::vector<std::byte>& bytes) { return std::string(mmd::detail::as_text(bytes)); }
mmd::safetensors parsed(const std::string& file) { return mmd::safetensors::parse(mmd::detail::as_bytes_of(file), "x.safetensors"); }

mmd::safetensors example() {
  mmd::safetensors file;
  const mmd::matrix<double> weight(2, 3, {1, -0.0, 3e-310, 4, 5, 6});
  file.put("weight", weight);
  file.put("flags", std::vector<std::uint8_t>{1, 0, 255});
  file.put("keys", std::vector<std::uint32_t>{7, 0xffffffffu});
  file.put("step", std::int64_t{-5});
  file.put("count", std::uint64_t{0xffffffffffffffffu});
  file.put("small", std::vector<std::int32_t>{-1});
  file.put("none", {0, 4}, std::span<const float>());
  file.metadata() = {{"b", "two"}, {"a", "quotes \" and é\n"}};
  return file;
}
}  // namespace

TEST_CASE("a file of the safetensors package is read: all types, shapes and metadata") {
  const auto file = mmd::safetensors::read(golden + "io/mixed.safetensors");
  CHECK(file.tensors().size() == 7);
  CHECK(file.metadata("made_by") == "safetensors");
  CHECK(file.metadata("café") == "naïve \"quotes\"");
  const auto doubles = file.get_matrix<double>("doubles", 3, 5);
  const auto floats = file.get_matrix<float>("floats", -1, 5);
  const auto halves = file.get_matrix<float>("halves");
  for (mmd::index_t i = 0; i < 15; ++i) {
    const double expected = static_cast<double>(i - 7) / 4;
    CHECK(doubles(i / 5, i % 5) == expected);
    CHECK(static_cast<double>(floats(i / 5, i % 5)) == expected);
    CHECK(static_cast<double>(halves(i / 5, i % 5)) == expected);
  }
  CHECK(file.get<std::uint8_t>("bytes") == std::vector<std::uint8_t>{0, 1, 2, 3, 4});
  CHECK(file.get<std::int64_t>("integers", {2, 2}) == std::vector<std::int64_t>{-1, 2, 3, -(std::int64_t{1} << 62)});
  CHECK(file.get_number<double>("number") == 2.5);
  CHECK(file.get_matrix<float>("empty").cols() == 4);
  CHECK(file.get_matrix<float>("empty").rows() == 0);
}

TEST_CASE("halves of both kinds are read as stored or as float, and no other way") {
  const auto file = mmd::safetensors::read(golden + "io/halves.safetensors");
  const auto brain = file.get_matrix<mmd::bfloat16>("brain", 3, 5);
  const auto halves = file.get_matrix<mmd::float16>("halves", 3, 5);
  for (mmd::index_t i = 0; i < 15; ++i) {
    const float expected = static_cast<float>(i - 7) / 4;
    CHECK(static_cast<float>(brain.data()[i]) == expected);
    CHECK(static_cast<float>(halves.data()[i]) == expected);
  }
  CHECK(file.get_matrix<float>("brain") == mmd::converted<float>(brain));
  CHECK(file.get_matrix<float>("halves") == mmd::converted<float>(halves));
  const auto getting = [&](auto&& get) { return message_of<mmd::io_error>([&] { static_cast<void>(get(file)); }); };
  CHECK(mentions(getting([](auto& f) { return f.template get<mmd::bfloat16>("halves"); }), "\"halves\" has the dtype F16, expected BF16"));
  CHECK(mentions(getting([](auto& f) { return f.template get<mmd::float16>("brain"); }), "\"brain\" has the dtype BF16, expected F16"));
  CHECK(mentions(getting([](auto& f) { return f.template get<double>("brain"); }), "\"brain\" has the dtype BF16, expected F64"));
  // Written again: the very file of the other writer.
  mmd::safetensors again;
  again.put("halves", halves);
  again.put("brain", mmd::samples<mmd::bfloat16>(brain));
  CHECK(again == file);
  CHECK(text_of(again.serialize()) == contents_of(golden + "io/halves.safetensors"));
}

TEST_CASE("the golden files of the estimators are read and come back to the same content") {
  for (const std::string name : {"network_small", "objective_n5", "objective_n37", "objective_n128"}) {
    const auto file = mmd::safetensors::read(golden + "official/" + name + ".safetensors");
    CHECK(file.tensors().size() >= 33);
    CHECK(parsed(text_of(file.serialize())) == file);
  }
}

TEST_CASE("a round trip keeps every bit, and the bytes are a function of the content alone") {
  const auto file = example();
  const std::string bytes = text_of(file.serialize());
  const auto back = parsed(bytes);
  CHECK(back == file);
  CHECK(text_of(back.serialize()) == bytes);
  CHECK(std::signbit(back.get_matrix<double>("weight")(0, 1)));
  CHECK(back.get_number<std::int64_t>("step") == -5);
  CHECK(back.get_number<std::uint64_t>("count") == 0xffffffffffffffffu);
  CHECK(back.get<std::int32_t>("small") == std::vector<std::int32_t>{-1});

  mmd::safetensors reversed;
  const std::map<std::string, mmd::tensor> tensors = file.tensors();
  for (auto t = tensors.rbegin(); t != tensors.rend(); ++t) reversed.put(t->first, t->second);
  reversed.metadata() = file.metadata();
  CHECK(text_of(reversed.serialize()) == bytes);
}

TEST_CASE("the header is what the format asks for, padded to 8 bytes, with aligned tensors") {
  mmd::safetensors file;
  file.put("b", std::vector<std::uint8_t>{1, 2, 3});
  file.put("a", std::vector<float>{1});
  file.put("c", std::vector<double>{2});
  file.metadata()["k"] = "v";
  const std::string bytes = text_of(file.serialize());
  const std::string header =
      R"({"__metadata__":{"k":"v"},"c":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(bytes.substr(8, padded.size()) == padded);
  CHECK(bytes.size() == 8 + padded.size() + 15);
  CHECK(bytes[0] == static_cast<char>(padded.size()));
}

TEST_CASE("a file without tensors, and standard input") {
  CHECK(parsed(text_of(mmd::safetensors().serialize())) == mmd::safetensors());
  const standard_input input(text_of(example().serialize()));
  CHECK(mmd::safetensors::read("-") == example());
}

TEST_CASE("writing is atomic, and failures name the file") {
  const temporary_folder folder;
  example().write(folder.file("m.safetensors"));
  CHECK(mmd::safetensors::read(folder.file("m.safetensors")) == example());
  CHECK(folder.entries() == 1);
  CHECK(mentions(message_of<mmd::write_error>([] { example().write("/dev/full"); }), "/dev/full: cannot be written: No space left"));
  const std::string missing = folder.file("none/m.safetensors");
  CHECK(mentions(message_of<mmd::write_error>([&] { example().write(missing); }), missing));
}

TEST_CASE("the seal finds every change of content") {
  auto file = example();
  file.seal();
  CHECK(file.metadata("content_hash").size() == 16);
  const std::string bytes = text_of(file.serialize());
  CHECK_NOTHROW(parsed(bytes).require_seal());
  file.seal();
  CHECK(text_of(file.serialize()) == bytes);

  // Any other byte of the data, and any digit of the header that leaves it readable.
  int found = 0;
  for (std::size_t i = 8; i < bytes.size(); ++i) {
    std::string edited = bytes;
    edited[i] = edited[i] == '1' ? '2' : '1';
    if (edited == bytes) continue;
    const std::string message = message_of<mmd::io_error>([&] { parsed(edited).require_seal(); });
    CHECK(mentions(message, "x.safetensors: "));
    found += mentions(message, "was edited: its content has the hash");
  }
  CHECK(found > 80);

  const std::string seal = file.metadata("content_hash");
  const auto differs = [&](auto&& change) {
    auto other = example();
    change(other);
    return other.content_hash() != seal;
  };
  CHECK_FALSE(differs([](auto&) {}));
  CHECK(differs([](auto& f) { f.metadata()["a"] = "x"; }));
  CHECK(differs([](auto& f) { f.metadata()["c"] = ""; }));
  CHECK(differs([](auto& f) { f.put("small", {1, 1}, std::span<const std::int32_t>(std::vector<std::int32_t>{-1})); }));
  CHECK(differs([](auto& f) { f.put("small", std::vector<std::uint32_t>{0xffffffffu}); }));
  CHECK(differs([](auto& f) { f.put("extra", std::uint8_t{0}); }));
  CHECK(mentions(message_of<mmd::io_error>([] { example().require_seal(); }), "metadata has no entry \"content_hash\""));
}

TEST_CASE("getters say what they expected and what is there") {
  const auto file = parsed(text_of(example().serialize()));
  const auto getting = [&](auto&& get) { return message_of<mmd::io_error>([&] { static_cast<void>(get(file)); }); };
  CHECK(getting([](auto& f) { return f.template get<double>("bias"); }) == "x.safetensors: has no tensor \"bias\"");
  CHECK(getting([](auto& f) { return f.template get<float>("weight"); }) ==
        "x.safetensors: tensor \"weight\" has the dtype F64, expected F32");
  CHECK(getting([](auto& f) {
          return f.template get<double>("weight", {3, 2});
        }) == "x.safetensors: tensor \"weight\" has the shape [2, 3], expected [3, 2]");
  CHECK(getting([](auto& f) { return f.template get_matrix<double>("weight", -1, 4); }) ==
        "x.safetensors: tensor \"weight\" has the shape [2, 3], expected [any, 4]");
  CHECK(getting([](auto& f) { return f.template get_matrix<float>("flags"); }) ==
        "x.safetensors: tensor \"flags\" has the shape [3], expected [any, any]");
  CHECK(getting([](auto& f) { return f.template get_number<double>("weight"); }) ==
        "x.safetensors: tensor \"weight\" has the shape [2, 3], expected [] or [1]");
  CHECK(getting([](auto& f) { return f.metadata("none"); }) == "x.safetensors: metadata has no entry \"none\"");
}

TEST_CASE("what cannot be stored is refused at once") {
  mmd::safetensors file;
  const auto putting = [&](auto&& put) { return message_of<mmd::invalid_input>([&] { put(); }); };
  CHECK(mentions(putting([&] {
                   file.put("x", {2, 2}, std::span<const float>(std::vector<float>(3)));
                 }),
                 "bytes of the tensor = 12, expected as many as its shape has"));
  CHECK(mentions(putting([&] {
                   file.put("x", mmd::tensor{mmd::tensor_type::f64, {1ull << 62, 8}, {}});
                 }),
                 "expected as many as its shape has"));
  CHECK(mentions(putting([&] { file.put("__metadata__", 1.0); }), "name = __metadata__, expected another name"));
  CHECK(file.tensors().empty());
  file.metadata()["k"] = "\xff";
  CHECK(mentions(putting([&] { static_cast<void>(file.serialize()); }), "name or metadata = \xff, expected UTF-8"));
}
