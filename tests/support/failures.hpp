// SPDX-License-Identifier: MIT
// What a call threw, as text, so that tests can look for the argument, its value and the expectation in it.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "mmd/core/errors.hpp"

// The message of the Error that f() throws. Another exception passes through; none gives "(nothing was thrown)".
template <class Error, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "(nothing was thrown)";
}

// The same for what the library throws at bad input.
template <class F>
std::string message(F&& f) {
  return message_of<mmd::invalid_input>(std::forward<F>(f));
}

inline bool mentions(const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; }
