#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace reelvault::luksblock {

/**
 * The status as it was at each open, so that a reader gets one whole line; the handle is the open file's. Open, read and release may
 * come to different threads, in an order that only the kernel knows: the lock is what makes it visible between them.
 */
class StatusTexts {
 public:
  uint64_t keep(std::string text) {
    const std::lock_guard lock(mutex);
    return reinterpret_cast<uint64_t>(new std::string(std::move(text)));
  }
  /** A copy of what there is of `[from, from + size)`. */
  std::string part(uint64_t handle, uint64_t from, size_t size) {
    const std::lock_guard lock(mutex);
    const auto& text = *reinterpret_cast<const std::string*>(handle);
    return from < text.size() ? text.substr(from, size) : std::string();
  }
  void drop(uint64_t handle) {
    const std::lock_guard lock(mutex);
    delete reinterpret_cast<std::string*>(handle);
  }

 private:
  std::mutex mutex;
};

}  // namespace reelvault::luksblock
