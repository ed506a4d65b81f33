// SPDX-License-Identifier: MIT
// Whole detectors in safetensors files.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "mmd/models/detector_model.hpp"
#include "mmd/models/network_file.hpp"
#include "mmd/models/training_file.hpp"
#include "mmd/models/vocabulary_file.hpp"

namespace mmd {
namespace detail {
inline namespace MMD_ISA {

inline constexpr const char* model_format = "mmd detector";
inline constexpr const char* model_version = "1";
inline constexpr std::string_view note_prefix = "note.";

inline void put_documents(safetensors& file, const std::vector<DocumentStatistic>& documents, const DocumentOptions& options) {
  std::vector<std::int64_t> docs, sentences;
  std::vector<double> statistics;
  for (const DocumentStatistic& d : documents) {
    docs.push_back(d.doc);
    sentences.push_back(d.sentences);
    statistics.push_back(d.statistic);
  }
  file.put("documents.doc", docs);
  file.put("documents.sentences", sentences);
  file.put("documents.statistic", statistics);
  file.put("documents.level", options.level);
  file.put("documents.class_starts", std::vector<std::int64_t>(options.class_starts.begin(), options.class_starts.end()));
  file.put("documents.cut_to", static_cast<std::int64_t>(options.cut_to));
}
inline void get_documents(const safetensors& file, std::vector<DocumentStatistic>& documents, DocumentOptions& options) {
  const auto statistics = file.get<double>("documents.statistic");
  const auto docs = file.get<std::int64_t>("documents.doc", {statistics.size()});
  const auto sentences = file.get<std::int64_t>("documents.sentences", {statistics.size()});
  for (std::size_t i = 0; i < statistics.size(); ++i) documents.push_back({docs[i], sentences[i], statistics[i]});
  options.level = file.get_number<double>("documents.level");
  const auto starts = file.get<std::int64_t>("documents.class_starts");
  options.class_starts.assign(starts.begin(), starts.end());
  options.cut_to = file.get_number<std::int64_t>("documents.cut_to");
}
// Rows of features of the kernel: of its width, and finite. 0 x 0 where there are none.
template <class T>
matrix<T> get_features(const safetensors& file, const std::string& name, index_t columns) {
  auto rows = file.get_matrix<T>(name);
  if (rows.rows() == 0) return rows;
  return from_file(file, [&] {
    require(rows.cols() == columns, (name + ".cols()").c_str(), rows.cols(),
            (std::to_string(columns) + ", as the kernel's features").c_str());
    check_sample(samples<T>(rows), name.c_str());
    return std::move(rows);
  });
}

}  // namespace MMD_ISA
}  // namespace detail

inline namespace MMD_ISA {

// Writes the model atomically: at any time there is the old file or the new one. Equal models give equal bytes. Throws write_error, and
// invalid_input for words that are not UTF-8.
template <class T>
void save_model(const std::string& path, const DetectorModel<T>& model) {
  safetensors file;
  put_kernel(file, model.kernel);
  put_options(file, model.options);
  put_history(file, model.history);
  file.put("reference", model.reference);
  file.put("machine_reference", model.machine_reference);
  for (const role r : all_roles) file.put(std::string("roles.") + role_name(r), model.roles.hashes(r));
  file.put("calibration_scores", model.calibration_scores);
  detail::put_documents(file, model.documents, model.document_options);
  file.metadata()["embedder"] = model.embedder;
  if (model.text_embedder) put_vocabulary(file, *model.text_embedder);
  for (const auto& [key, text] : model.notes) file.metadata()[std::string(detail::note_prefix) + key] = text;
  file.metadata()["format"] = detail::model_format;
  file.metadata()["format_version"] = detail::model_version;
  file.seal();
  file.write(path);
}

// A model file that is in memory already; `name` stands in messages. See load_model.
template <class T = float>
DetectorModel<T> parse_model(std::span<const std::byte> bytes, const std::string& name) {
  const auto file = safetensors::parse(bytes, name);
  detail::require_format(file, detail::model_format, detail::model_version);
  DetectorModel<T> model;
  model.kernel = get_kernel<T>(file);
  model.options = get_options(file);
  model.history = get_history(file);
  model.reference = detail::get_features<T>(file, "reference", model.kernel.feature_columns());
  model.machine_reference = detail::get_features<T>(file, "machine_reference", model.kernel.feature_columns());
  std::array<std::vector<std::uint64_t>, 5> ids;
  for (const role r : all_roles) ids[static_cast<std::size_t>(r)] = file.get<std::uint64_t>(std::string("roles.") + role_name(r));
  model.roles = detail::from_file(file, [&] { return Roles(ids); });
  model.calibration_scores = file.get<double>("calibration_scores");
  for (const double s : model.calibration_scores) {
    if (!std::isfinite(s)) file.fail("tensor \"calibration_scores\" holds " + detail::shown(s) + ", expected finite numbers");
  }
  detail::get_documents(file, model.documents, model.document_options);
  model.embedder = file.metadata("embedder");
  if (file.contains("vocabulary.keys")) model.text_embedder = get_vocabulary(file);
  if (model.text_embedder && model.text_embedder->dimension() != model.kernel.dimension()) {
    file.fail("the vocabulary has " + std::to_string(model.text_embedder->dimension()) + " columns, expected " +
              std::to_string(model.kernel.dimension()) + ", as the kernel");
  }
  for (const auto& [key, text] : file.metadata()) {
    if (key.starts_with(detail::note_prefix)) model.notes[key.substr(detail::note_prefix.size())] = text;
  }
  return model;
}
// Reads what save_model wrote, with the same number type, bit for bit. Throws io_error with the path and the reason: as safetensors::read
// does, or no model file, of a newer format, edited since it was written, or with figures that cannot be.
template <class T = float>
DetectorModel<T> load_model(const std::string& path) {
  return parse_model<T>(read_bytes(path), detail::input_name(path));
}

// Throws invalid_input unless the samples were made by the embedder that the model was trained with and have its dimension. Names are only
// compared where both are known.
template <class T>
void require_embedding(const DetectorModel<T>& model, index_t columns, const std::string& embedder = {}) {
  detail::require(columns == model.kernel.dimension(), "embedding columns", columns,
                  (std::to_string(model.kernel.dimension()) + ", the dimension that the model was trained on").c_str());
  if (embedder.empty() || model.embedder.empty()) return;
  detail::require(embedder == model.embedder, "embedder", embedder, (model.embedder + ", which the model was trained with").c_str());
}

}  // namespace MMD_ISA
}  // namespace mmd
