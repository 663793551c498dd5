#pragma once
#include <cerrno>
#include <string>
#include <utility>

namespace reelvault {

/// What went wrong, as a value: `error` is an errno, `what` names the step and the file in words. `error` 0 means nothing went wrong.
struct [[nodiscard]] Failure {
  int error = 0;
  std::string what;

  explicit operator bool() const { return error != 0; }
  static Failure none() { return {}; }
  /// The failure of the system call that has just returned -1.
  static Failure last(std::string what) { return {errno, std::move(what)}; }
};

}  // namespace reelvault
