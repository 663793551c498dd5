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

TEST_CASE("crc32c of much is that of its bytes one by one") {
  std::vector<uint8_t> bytes(3 * 3072 + 77);
  uint32_t state = 1;
  for (auto& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  for (const size_t from : {0, 1, 7, 8}) {
    for (const size_t length : {127, 128, 383, 384, 385, 768, 775, 1316, 9285}) {
      uint32_t each = 0;
      for (size_t i = 0; i < length; i++) each = crc32c(each, bytes.data() + from + i, 1);
      CHECK(crc32c(0, bytes.data() + from, length) == each);
    }
  }
}
