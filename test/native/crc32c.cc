#include "core/crc32c.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using reelvault::crc32c;

TEST_CASE("crc32c gives the values of RFC 3720 appendix B.4") {
  std::vector<uint8_t> bytes(32, 0);
  CHECK(crc32c(0, bytes.data(), 32) == 0x8a9136aa);
  std::memset(bytes.data(), 0xff, 32);
  CHECK(crc32c(0, bytes.data(), 32) == 0x62a8ab43);
  for (int i = 0; i < 32; i++) bytes[i] = static_cast<uint8_t>(i);
  CHECK(crc32c(0, bytes.data(), 32) == 0x46dd794e);
}

TEST_CASE("crc32c may be taken in pieces of any length") {
  const char* text = "the quick brown fox jumps over the lazy dog";
  const size_t length = std::strlen(text);
  const uint32_t whole = crc32c(0, text, length);
  for (size_t cut = 0; cut <= length; cut++) CHECK(crc32c(crc32c(0, text, cut), text + cut, length - cut) == whole);
}
