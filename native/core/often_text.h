#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace reelvault {

/// Text, usually short, that is put into other text very often. So many bytes are always copied: a copy of a fixed length is a few instructions,
/// one of any length a call.
class OftenText {
 public:
  static constexpr size_t kAlways = 64;

  void set(std::string_view start, std::string_view rest) {
    text_.assign(start).append(rest);
    size_ = text_.size();
    text_.resize(std::max(size_, kAlways));
  }
  /// Puts it at `at`, where there must be room for `kAlways` bytes at least, and returns the place behind it.
  char* put(char* at) const {
    std::memcpy(at, text_.data(), kAlways);
    if (size_ > kAlways) std::memcpy(at + kAlways, text_.data() + kAlways, size_ - kAlways);
    return at + size_;
  }

 private:
  std::string text_ = std::string(kAlways, '\0');
  size_t size_ = 0;
};

}  // namespace reelvault
