// SPDX-License-Identifier: MIT
// Files into memory, against a plain read of the same file (from the system's cache, where the file lies after it was written).
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "mmd/io/jsonl.hpp"
#include "mmd/io/npy.hpp"
#include "mmd/io/safetensors.hpp"
#include "support/bench.hpp"

namespace {

using bench::State;

// A file that lasts as long as the case.
class temporary_file {
 public:
  explicit temporary_file(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("mmd-bench-" + std::to_string(getpid()) + name)) {}
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

void plain_read(const std::string& path) {
  const auto size = std::filesystem::file_size(path);
  const auto bytes = std::make_unique_for_overwrite<char[]>(size);
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  if (file == nullptr || std::fread(bytes.get(), 1, size, file) != size) std::abort();
  std::fclose(file);
  benchmark::DoNotOptimize(bytes[size / 2]);
}

template <class Write, class Read>
void add(const std::string& name, const std::string& ending, Write write, Read read) {
  bench::add("loading/" + name, [=](State& state) {
    const temporary_file file(ending);
    write(file.path());
    const auto times = bench::in_turn(state, {[&] { read(file.path()); }, [&] { plain_read(file.path()); }});
    const double bytes = static_cast<double>(std::filesystem::file_size(file.path()));
    state.counters["bytes"] = bytes;
    state.counters["bytes/s"] = bytes / times[0];
    state.counters["of_limit"] = times[1] / times[0];  // the plain read's time over this one's
  });
}

}  // namespace

void bench::cases() {
  constexpr index_t n = 20000, d = 768;
  const auto npy = [](const std::string& name, mmd::npy_type type) {
    ::add(
        "npy_" + name, ".npy", [=](const std::string& path) { mmd::write_npy(path, rows<float>(n, d), type); },
        [](const std::string& path) { benchmark::DoNotOptimize(mmd::read_npy<float>(path).data()); });
  };
  npy("f4", mmd::npy_type::f4);
  npy("f2", mmd::npy_type::f2);
  npy("f8", mmd::npy_type::f8);
  ::add(
      "safetensors_f32", ".safetensors",
      [](const std::string& path) {
        mmd::safetensors file;
        file.put("features", rows<float>(n, d));
        file.write(path);
      },
      [](const std::string& path) { benchmark::DoNotOptimize(mmd::safetensors::read(path).get_matrix<float>("features").data()); });
  ::add(
      "jsonl", ".jsonl",
      [](const std::string& path) {
        std::ofstream out(path, std::ios::binary);
        for (int i = 0; i < 50000; ++i) {
          out << "{\"id\": " << i << ", \"label\": \"human\", \"text\": \"";
          for (int w = 0; w < 24; ++w) out << "word" << (i * 31 + w * 17) % 997 << (w == 23 ? "" : " ");
          out << ".\\n\\u00e9\", \"doc\": \"d" << i / 10 << "\"}\n";
        }
      },
      [](const std::string& path) { benchmark::DoNotOptimize(mmd::read_jsonl(path).size()); });
}
