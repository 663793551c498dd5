#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace reelvault {

/// Text that is put together of many small pieces and becomes large. Who writes asks once for room for several pieces, and puts them there
/// without looking at each whether it fits. Room is made by realloc, which moves the pages of a large block instead of copying it. A short head
/// that is known last goes in front without moving what is there.
class GrowingText {
 public:
  GrowingText() = default;
  GrowingText(GrowingText&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), start_(std::exchange(other.start_, 0)), end_(std::exchange(other.end_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
  GrowingText& operator=(GrowingText&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(start_, other.start_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~GrowingText() { std::free(block_); }

  size_t size() const { return end_ - start_; }
  std::string_view view() const { return {block_ + start_, size()}; }
  char* data() { return block_ + start_; }

  /// The end of the text, with room for `bytes` behind it. `endAt` says how far they were written.
  char* room(size_t bytes) {
    if (bytes > capacity_ - end_) grow(bytes);
    return block_ + end_;
  }
  void endAt(const char* end) { end_ = static_cast<size_t>(end - block_); }

  void append(std::string_view text) { endAt(std::ranges::copy(text, room(text.size())).out); }
  void prepend(std::string_view text) {
    if (text.empty()) return;
    if (text.size() > start_) {
      room(text.size());
      std::memmove(data() + text.size(), data(), size());
      end_ += text.size();
    } else {
      start_ -= text.size();
    }
    std::ranges::copy(text, data());
  }

 private:
  static constexpr size_t kFront = 256;

  void grow(size_t bytes) {
    if (block_ == nullptr) start_ = end_ = kFront;
    capacity_ = std::max(end_ + bytes, 2 * capacity_);
    block_ = static_cast<char*>(std::realloc(block_, capacity_));
    if (block_ == nullptr) std::abort();  // as `new` does here, without exceptions
  }

  char* block_ = nullptr;
  size_t start_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

}  // namespace reelvault
