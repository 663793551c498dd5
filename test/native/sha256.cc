#include "core/sha256.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using reelvault::Sha256;

namespace {
std::string hex(const reelvault::Sha256Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) text += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  return text;
}
std::string hashOf(const std::string& message, bool portable) {
  Sha256 sha(portable);
  sha.update(message.data(), message.size());
  return hex(sha.finish());
}
}  // namespace

TEST_CASE("sha256 gives the values of FIPS 180-4 and of NIST's examples, both ways") {
  for (const bool portable : {false, true}) {
    CHECK(hashOf("", portable) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hashOf("abc", portable) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", portable) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hashOf(std::string(1'000'000, 'a'), portable) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

TEST_CASE("sha256 gives the same for any cut of the message, and starts anew after finish") {
  std::string message;
  for (int i = 0; i < 300; i++) message += static_cast<char>(i * 7);
  Sha256 pieces;
  for (size_t length = 0; length <= message.size(); length++) {
    const std::string part = message.substr(0, length);
    const std::string whole = hashOf(part, true);
    CHECK(hashOf(part, false) == whole);
    const size_t cut = length / 3;
    pieces.update(part.data(), cut);
    pieces.update(part.data() + cut, length - cut);
    CHECK(hex(pieces.finish()) == whole);
  }
}
