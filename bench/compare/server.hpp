// SPDX-License-Identifier: MIT
// The protocol between peers.py and the programs it times. A request is a line `verb key=value ...`; the answer is one line of key=value,
// with `seconds`, what the work alone took: files are read before, and only once.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "mmd/io/npy.hpp"

namespace server {

class request {
 public:
  explicit request(std::istream& in) {
    for (std::string word; in >> word;) {
      const auto equals = word.find('=');
      values_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  const std::string& operator[](const std::string& key) const { return values_.at(key); }
  double number(const std::string& key) const { return std::stod(values_.at(key)); }
  long count(const std::string& key) const { return std::stol(values_.at(key)); }
  std::vector<double> numbers(const std::string& key) const {
    std::vector<double> all;
    std::istringstream in(values_.at(key));
    for (std::string one; std::getline(in, one, ',');) all.push_back(std::stod(one));
    return all;
  }
  // The matrix of the file that `key` names.
  const mmd::matrix<float>& rows(const std::string& key) const {
    static std::map<std::string, mmd::matrix<float>> files;
    const auto& path = values_.at(key);
    const auto found = files.find(path);
    return found != files.end() ? found->second : files.emplace(path, mmd::read_npy<float>(path)).first->second;
  }

 private:
  std::map<std::string, std::string> values_;
};

// What was computed, in the order in which it is printed.
class answer {
 public:
  answer& add(const std::string& key, const std::vector<double>& values) {
    if (!text_.empty()) text_ += ' ';
    text_ += key + '=';
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::array<char, 32> digits{};
      std::snprintf(digits.data(), digits.size(), "%.17g", values[i]);
      if (i > 0) text_ += ',';
      text_ += digits.data();
    }
    return *this;
  }
  answer& add(const std::string& key, double value) { return add(key, std::vector{value}); }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

class stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A verb takes a request and gives its answer, `seconds` included.
using verbs = std::map<std::string, std::function<answer(const request&)>>;

inline int serve(const verbs& known) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string verb;
    in >> verb;
    try {
      std::cout << known.at(verb)(request(in)).str() << std::endl;
    } catch (const std::exception& e) {
      std::cout << "error=" << e.what() << std::endl;
    }
  }
  return 0;
}

}  // namespace server
