#include "core/stream_copy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

using namespace reelvault;

TEST_CASE("a copy past the cache is a copy, wherever it begins and ends, and touches nothing beside it") {
  constexpr size_t kLine = 64, kMost = 6 * kLine;
  constexpr unsigned char kUntouched = 0xee;
  std::vector<unsigned char> from(kMost + kLine);
  std::iota(from.begin(), from.end(), static_cast<unsigned char>(1));
  for (size_t at = 0; at < kLine; at++) {
    for (size_t length = 0; length <= kMost; length++) {
      std::vector<unsigned char> to(kMost + 2 * kLine, kUntouched), expected = to;
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(at / 3), length, expected.begin() + static_cast<ptrdiff_t>(at));
      streamCopy(to.data() + at, from.data() + at / 3, length);
      publishStreamCopies();
      REQUIRE(to == expected);
    }
  }
}
