#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace reelvault {

/// Text that is put together of many small pieces and becomes large. Who writes asks once for room for several pieces, and puts them there
/// without looking at each whether it fits. Room is made by realloc, which moves the pages of a large block instead of copying it.
class GrowingText {
 public:
  GrowingText() = default;
  GrowingText(GrowingText&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
  GrowingText& operator=(GrowingText&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~GrowingText() { std::free(data_); }

  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  char* data() { return data_; }

  /// The end of the text, with room for `bytes` behind it. `endAt` says how far they were written.
  char* room(size_t bytes) {
    if (bytes > capacity_ - size_) grow(size_ + bytes);
    return data_ + size_;
  }
  void endAt(const char* end) { size_ = static_cast<size_t>(end - data_); }

  void append(std::string_view text) { endAt(std::ranges::copy(text, room(text.size())).out); }
  void prepend(std::string_view text) {
    if (text.empty()) return;
    room(text.size());
    std::memmove(data_ + text.size(), data_, size_);
    std::ranges::copy(text, data_);
    size_ += text.size();
  }

 private:
  void grow(size_t wanted) {
    capacity_ = std::max(wanted, 2 * capacity_);
    data_ = static_cast<char*>(std::realloc(data_, capacity_));
    if (data_ == nullptr) std::abort();  // as `new` does here, without exceptions
  }

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace reelvault
