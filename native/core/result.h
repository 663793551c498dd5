#pragma once
#include "core/failure.h"

namespace reelvault {

/// A value or the failure that came instead of it.
template <typename T>
struct [[nodiscard]] Result {
  T value{};
  Failure failure;

  Result(T v) : value(std::move(v)) {}          // NOLINT: a value is a result
  Result(Failure f) : failure(std::move(f)) {}  // NOLINT: so is a failure
  bool ok() const { return failure.error == 0; }
};

}  // namespace reelvault
