#include "writer/first_bytes.h"

#include <algorithm>
#include <cstring>

namespace reelvault {

void FirstBytes::keep(uint64_t at, const uint8_t* data, size_t length) {
  if (at < bytes_.size()) std::memcpy(bytes_.data() + at, data, std::min<size_t>(length, bytes_.size() - at));
}

std::string FirstBytes::got(const ts::Parser& parser) const {
  if (parser.synced()) return "no packet in the 64 KiB after byte " + std::to_string(parser.goodEnd());
  std::string got = std::to_string(parser.position()) + " bytes without, that begin with";
  const size_t shown = std::min<uint64_t>(parser.position(), bytes_.size());
  for (size_t i = 0; i < shown; i++) {
    constexpr char kDigits[] = "0123456789abcdef";
    got += {' ', kDigits[bytes_[i] >> 4], kDigits[bytes_[i] & 15]};
  }
  return got;
}

}  // namespace reelvault
