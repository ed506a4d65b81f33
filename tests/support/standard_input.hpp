// SPDX-License-Identifier: MIT
// Standard input that holds a given text while the object lives.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "support/temporary_folder.hpp"

class standard_input {
 public:
  explicit standard_input(const std::string& content) : saved_(::dup(STDIN_FILENO)) {
    put_contents(folder_.file("input"), content);
    const int file = ::open(folder_.file("input").c_str(), O_RDONLY);
    if (file < 0 || ::dup2(file, STDIN_FILENO) < 0) throw std::runtime_error("standard input cannot be replaced");
    ::close(file);
  }
  standard_input(const standard_input&) = delete;
  standard_input& operator=(const standard_input&) = delete;
  ~standard_input() {
    if (saved_ < 0) {
      ::close(STDIN_FILENO);
      return;
    }
    ::dup2(saved_, STDIN_FILENO);
    ::close(saved_);
  }

 private:
  temporary_folder folder_;
  int saved_;
};
