// SPDX-License-Identifier: MIT
#include "mmd/models/model_file.hpp"

#include "mmd/backends/cpu.hpp"
#include "support/catch2.hpp"
#include "support/failures.hpp"
#include "support/learning.hpp"
#include "support/temporary_folder.hpp"

namespace {

using support::normal;

const std::vector<std::string> texts = {"the cat sat on the mat", "the dog sat, and the cat ran"};

template <class T>
mmd::DeepKernel<T> some_kernel(mmd::index_t inputs, bool raw) {
  mmd::DeepKernel<T> k;
  auto means = support::normal_vector<double>(static_cast<std::size_t>(inputs), 1);
  k.standardizer = mmd::Standardizer(means, std::vector<double>(means.size(), 0.1));
  k.network = mmd::Perceptron<T>({inputs, 5, 4, 3}, 7);
  k.logit_epsilon = -1.0 / 3;
  k.log_sigma_phi = 2.0 / 3;
  k.log_sigma_q = 1e-300;
  k.raw_kernel = raw;
  return k;
}
template <class T>
mmd::DetectorModel<T> full_model() {
  mmd::DetectorModel<T> m;
  m.text_embedder = mmd::TextEmbedder::fit(texts);
  m.embedder = m.text_embedder->identity();
  m.kernel = some_kernel<T>(m.text_embedder->dimension(), true);
  m.options = {.objective = mmd::proxy::full,
               .form = mmd::pairing::paired,
               .lambda = 1e-7,
               .steps = 11,
               .epochs = 2,
               .batch = 31,
               .learning_rate = 0.1,
               .hidden = {5, 4},
               .output = 3,
               .input_dropout = 0.25,
               .hidden_dropout = 0.125,
               .epsilon = 0.3,
               .raw_kernel = true,
               .checkpoint_every = 5,
               .select = mmd::criterion::power,
               .seed = 0xfedcba9876543210u};
  m.history = {{0.1, 0.2}, {0.3, 0.4}, {0.5, 0.6}, {{1, 0.75, 0.01, 3, 4}, {2, 0.5, 0.02, 5, 6}}, 1};
  m.reference = normal<T>(6, m.kernel.feature_columns(), 2);
  m.machine_reference = normal<T>(4, m.kernel.feature_columns(), 3);
  m.roles.assign(mmd::role::train, mmd::TextIds(std::vector<std::string>{"a", "b"}));
  m.roles.assign(mmd::role::calibration, mmd::TextIds(std::vector<std::string>{"c"}));
  m.calibration_scores = {0.1, 0.2, 1.0 / 3};
  m.documents = {{4, 7, 0.25}, {9, 12, -0.5}};
  m.document_options = {.level = 0.1, .class_starts = {3, 9}, .cut_to = 5};
  m.notes = {{"data", "the demo's, \"quoted\" ü"}, {"note.", ""}};
  return m;
}
template <class T>
void check_equal(const mmd::DetectorModel<T>& a, const mmd::DetectorModel<T>& b) {
  CHECK(a.kernel == b.kernel);
  CHECK(a.options == b.options);
  CHECK(a.history == b.history);
  CHECK(a.reference == b.reference);
  CHECK(a.machine_reference == b.machine_reference);
  for (const auto r : mmd::all_roles) CHECK(a.roles.hashes(r) == b.roles.hashes(r));
  CHECK(a.calibration_scores == b.calibration_scores);
  REQUIRE(a.documents.size() == b.documents.size());
  for (std::size_t i = 0; i < a.documents.size(); ++i) {
    CHECK(a.documents[i].doc == b.documents[i].doc);
    CHECK(a.documents[i].sentences == b.documents[i].sentences);
    CHECK(a.documents[i].statistic == b.documents[i].statistic);
  }
  CHECK(a.document_options.level == b.document_options.level);
  CHECK(a.document_options.class_starts == b.document_options.class_starts);
  CHECK(a.document_options.cut_to == b.document_options.cut_to);
  CHECK(a.embedder == b.embedder);
  REQUIRE(a.text_embedder.has_value() == b.text_embedder.has_value());
  if (a.text_embedder) CHECK(a.text_embedder->vocabulary() == b.text_embedder->vocabulary());
  CHECK(a.notes == b.notes);
}

// A small model's file, as it is in memory.
struct Saved {
  temporary_folder folder;
  std::string path = folder.file("m.safetensors");
  Saved() {
    mmd::DetectorModel<float> m;
    m.kernel = some_kernel<float>(4, false);
    m.reference = normal<float>(3, 3, 1);
    m.calibration_scores = {0.5};
    mmd::save_model(path, m);
  }
};
std::string loading(const std::string& bytes) {
  return message_of<mmd::io_error>([&] { static_cast<void>(mmd::parse_model<float>(mmd::detail::as_bytes_of(bytes), "m.safetensors")); });
}
// The message for a file whose content was changed and sealed again: a fault that no hash can find.
template <class F>
std::string refusal(F&& change) {
  const Saved saved;
  auto file = mmd::safetensors::read(saved.path);
  change(file);
  file.seal();
  const auto bytes = file.serialize();
  return loading(std::string(mmd::detail::as_text(bytes)));
}

}  // namespace

TEMPLATE_TEST_CASE("a model comes back from its file bit for bit, and the file from the model", "[model_file]", float, double) {
  using T = TestType;
  const temporary_folder folder;
  const std::string path = folder.file("m.safetensors");
  auto model = full_model<T>();
  if (GENERATE(true, false)) {  // a model with nothing in it but a kernel
    model = {};
    model.kernel = some_kernel<T>(4, false);
  }
  mmd::save_model(path, model);
  const auto back = mmd::load_model<T>(path);
  check_equal(back, model);
  const std::string bytes = contents_of(path);
  mmd::save_model(path, back);
  CHECK(contents_of(path) == bytes);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a loaded model gives the same features, to the last bit", "[model_file]") {
  const temporary_folder folder;
  const auto kernel = some_kernel<float>(4, GENERATE(false, true));
  mmd::save_kernel(folder.file("k.safetensors"), kernel);
  const auto back = mmd::load_kernel<float>(folder.file("k.safetensors"));
  CHECK(back == kernel);
  const auto x = normal<float>(20, 4, 5, 3);
  CHECK(back.features(x) == kernel.features(x));
  CHECK(mentions(message_of<mmd::io_error>([&] { mmd::load_model(folder.file("k.safetensors")); }),
                 "is not a file of the kind \"mmd detector\": its metadata \"format\" is \"mmd kernel\""));
}

TEST_CASE("a model file cut at any length is refused", "[model_file]") {
  const Saved saved;
  const std::string whole = contents_of(saved.path);
  CHECK(loading(whole) == "(nothing was thrown)");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut at " << size);
    CHECK(mentions(loading(whole.substr(0, size)), "m.safetensors: not a usable safetensors file: truncated"));
  }
  CHECK(mentions(loading(whole + " "), "1 bytes follow the last tensor"));
}

TEST_CASE("a model file with any byte changed is refused", "[model_file]") {
  const Saved saved;
  const std::string whole = contents_of(saved.path);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string edited = whole;
    edited[i] = static_cast<char>(edited[i] ^ 1);
    INFO("byte " << i);
    CHECK(mentions(loading(edited), "m.safetensors: "));
  }
  std::string last = whole;
  last.back() = static_cast<char>(last.back() ^ 64);
  CHECK(mentions(loading(last), "was edited: its content has the hash"));
}

TEST_CASE("a newer model file, and what is none, is refused by name", "[model_file]") {
  CHECK(mentions(refusal([](auto& f) { f.metadata()["format_version"] = "2"; }),
                 "has the format version 2, expected 1; a newer version of mmd may read it"));
  CHECK(mentions(refusal([](auto& f) { f.metadata().erase("format"); }), "its metadata \"format\" is missing"));
  CHECK(mentions(refusal([](auto& f) { f.metadata()["format"] = "other"; }), "is \"other\""));
  CHECK(mentions(message_of<mmd::io_error>([] { mmd::load_model("no/such/file"); }), "no/such/file: cannot be opened"));
}

TEST_CASE("a model file whose figures cannot be is refused, although its hash is right", "[model_file]") {
  using list = std::vector<double>;
  CHECK(mentions(refusal([](auto& f) {
                   f.put("network.bias0", std::vector<float>{1, 2, NAN, 4, 5});
                 }),
                 "bias0[2] = nan, expected a finite"));
  CHECK(mentions(refusal([](auto& f) {
                   f.put("network.bias0", std::vector<float>{1, 2});
                 }),
                 "\"network.bias0\" has the shape [2], expected [5]"));
  CHECK(mentions(refusal([](auto& f) { f.put("network.bias0", list{1, 2, 3, 4, 5}); }), "has the dtype F64, expected F32"));
  CHECK(mentions(refusal([](auto& f) {
                   f.put("network.sizes", std::vector<std::int64_t>{4, 5, 1 << 24, 3});
                 }),
                 "\"network.weight1\" has the shape"));
  CHECK(mentions(refusal([](auto& f) { f.put("network.sizes", std::vector<std::int64_t>{4, -5, 4, 3}); }), "a width below 1"));
  CHECK(mentions(refusal([](auto& f) { f.put("network.sizes", std::vector<std::int64_t>{}); }), "sizes.size() = 0"));
  CHECK(mentions(refusal([](auto& f) { f.put("network.norm_epsilon", -1.0); }), "norm_epsilon = -1"));
  CHECK(mentions(refusal([](auto& f) { f.put("standardizer.deviations", list{1, 1, 0, 1}); }), "deviations = 0"));
  CHECK(mentions(refusal([](auto& f) {
                   f.put("standardizer.means", list{1, 2, 3});
                   f.put("standardizer.deviations", list{1, 1, 1});
                 }),
                 "the standardiser has 3 columns, expected 4"));
  CHECK(mentions(refusal([](auto& f) { f.put("kernel.log_sigma_phi", static_cast<double>(INFINITY)); }),
                 "\"kernel.log_sigma_phi\" holds inf"));
  CHECK(mentions(refusal([](auto& f) { f.metadata()["kernel.raw"] = "maybe"; }),
                 "\"kernel.raw\" is \"maybe\", expected \"false\" or \"true\""));
  CHECK(mentions(refusal([](auto& f) { f.put("reference", mmd::matrix<float>(2, 4)); }), "reference.cols() = 4, expected 3"));
  CHECK(mentions(refusal([](auto& f) {
                   f.put("machine_reference", mmd::matrix<float>(1, 3, {1, NAN, 2}));
                 }),
                 "machine_reference(0, 1) = nan"));
  CHECK(mentions(refusal([](auto& f) { f.put("calibration_scores", list{NAN}); }), "\"calibration_scores\" holds nan"));
  CHECK(mentions(refusal([](auto& f) {
                   f.put("roles.train", std::vector<std::uint64_t>{5});
                   f.put("roles.reference", std::vector<std::uint64_t>{5});
                 }),
                 "but it is a train text"));
  CHECK(mentions(refusal([](auto& f) { f.put("documents.sentences", std::vector<std::int64_t>{5}); }),
                 "\"documents.sentences\" has the shape [1]"));
  CHECK(mentions(refusal([](auto& f) { f.put("history.statistic", list{5}); }), "\"history.statistic\" has the shape [1], expected [0]"));
  CHECK(mentions(refusal([](auto& f) { f.put("history.checkpoints", mmd::matrix<double>(1, 5, {NAN, 1, 1, 1, 1})); }), "no whole number"));
  CHECK(mentions(refusal([](auto& f) { f.metadata()["options.objective"] = "x"; }), "expected \"mpp\" or \"mmd\""));
  CHECK(mentions(refusal([](auto& f) { mmd::put_vocabulary(f, mmd::TextEmbedder::fit(texts)); }), "expected 4, as the kernel"));
  CHECK(mentions(refusal([](auto& f) { f.metadata().erase("embedder"); }), "no entry \"embedder\""));
  CHECK(mentions(message_of<mmd::io_error>([] {
                   const Saved saved;
                   mmd::load_model<double>(saved.path);
                 }),
                 "has the dtype F32, expected F64"));
}

TEST_CASE("a model that cannot be written leaves what was there", "[model_file]") {
  mmd::DetectorModel<float> model;
  model.kernel = some_kernel<float>(4, false);
  CHECK(mentions(message_of<mmd::write_error>([&] { mmd::save_model("no/such/folder/m.safetensors", model); }), "no/such/folder"));
  const temporary_folder folder;
  put_contents(folder.file("m"), "old");
  model.notes["bad"] = "\xff";
  CHECK(mentions(message_of<mmd::invalid_input>([&] { mmd::save_model(folder.file("m"), model); }), "expected UTF-8"));
  CHECK(contents_of(folder.file("m")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("samples of another dimension or embedder are refused", "[model_file]") {
  const auto model = full_model<float>();
  const auto message = [&](mmd::index_t columns, const std::string& name) {
    return message_of<mmd::invalid_input>([&] { mmd::require_embedding(model, columns, name); });
  };
  const auto right = model.kernel.dimension();
  CHECK(message(right, model.embedder) == "(nothing was thrown)");
  CHECK(message(right, "") == "(nothing was thrown)");
  CHECK(mentions(message(right + 1, ""), "embedding columns = " + std::to_string(right + 1) + ", expected " + std::to_string(right)));
  CHECK(mentions(message(right, "smollm2"), "embedder = smollm2, expected " + model.embedder));
}
