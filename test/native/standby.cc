// A stream that is received and not recorded: what is kept of it, what is dropped, and in which order.
#include "writer/standby.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "segments_of.h"
#include "ts_builder.h"

using namespace reelvault;

namespace {
struct Kept {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> times;
};
Kept taken(Standby& standby) {
  Kept kept;
  while (const auto piece = standby.front()) {
    kept.bytes.insert(kept.bytes.end(), piece->data, piece->data + piece->length);
    kept.times.push_back(piece->cameUs);
    standby.pop();
  }
  return kept;
}
/// A video that goes on second by second, each from a keyframe with its tables on and as large as asked for.
class Video {
 public:
  std::vector<uint8_t> second(size_t pictures = 10) {
    const size_t from = ts_.bytes.size();
    const auto step = 90000 / static_cast<int64_t>(pictures);
    ts_.pat().pmt().key(pts_);
    for (size_t f = 1; f < pictures; f++) ts_.frame(pts_ + static_cast<int64_t>(f) * step);
    pts_ += 90000;
    return {ts_.bytes.begin() + static_cast<ptrdiff_t>(from), ts_.bytes.end()};
  }

 private:
  TsBuilder ts_;
  int64_t pts_ = 0;
};
constexpr size_t sizeOf(size_t pictures) { return (2 * pictures + 3) * 188; }
constexpr int64_t kSecond = 1'000'000;
[[maybe_unused]] size_t residentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}
bool endsWith(const std::vector<uint8_t>& all, const std::vector<uint8_t>& tail) {
  return all.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), all.rbegin());
}
}  // namespace

TEST_CASE("the newest seconds are kept, from a keyframe on, with the times they came at") {
  StandbyPool pool(1 << 20);
  Standby standby(pool, 3 * kSecond);
  Video video;
  std::vector<uint8_t> all;
  for (int s = 0; s < 20; s++) {
    const auto bytes = video.second();
    CHECK(standby.feed(bytes.data(), bytes.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  CHECK(standby.counters().packets == all.size() / 188);
  CHECK(standby.heldSinceUs() == kNow + 16 * kSecond);
  standby.hold();
  const auto more = video.second();
  CHECK(standby.feed(more.data(), more.size(), kNow + 20 * kSecond, 20 * kSecond) == Standby::Fed::taken);
  all.insert(all.end(), more.begin(), more.end());
  const Kept kept = taken(standby);
  CHECK(kept.bytes.size() == 5 * sizeOf(10));
  CHECK(endsWith(all, kept.bytes));
  CHECK(kept.times == std::vector<int64_t>{kNow + 16 * kSecond, kNow + 17 * kSecond, kNow + 18 * kSecond, kNow + 19 * kSecond, kNow + 20 * kSecond});
}

TEST_CASE("a wall clock that is set neither empties what is kept nor lets it grow") {
  for (const int64_t step : {-3600 * kSecond, 3600 * kSecond}) {
    StandbyPool pool(1 << 20);
    Standby standby(pool, 3 * kSecond);
    Video video;
    for (int s = 0; s < 20; s++) {
      const auto bytes = video.second();
      CHECK(standby.feed(bytes.data(), bytes.size(), kNow + s * kSecond + (s < 18 ? 0 : step), s * kSecond) == Standby::Fed::taken);
    }
    CHECK(standby.held() >= 3 * sizeOf(10));
    CHECK(standby.held() <= 6 * sizeOf(10));
  }
}

TEST_CASE("what comes in bursts is kept for no longer than what comes evenly") {
  StandbyPool pool(1 << 20);
  Standby standby(pool, 30 * kSecond);
  Video video;
  for (int s = 0; s <= 200; s += 5) {
    const auto bytes = video.second();
    CHECK(standby.feed(bytes.data(), bytes.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
  }
  CHECK(standby.heldSinceUs() == kNow + 170 * kSecond);
}

TEST_CASE("without seconds to keep nothing is kept before a recording begins, and everything from there on") {
  StandbyPool pool(0);
  Standby standby(pool, 0);
  const auto bytes = Video().second();
  CHECK(standby.feed(bytes.data(), bytes.size(), kNow, 0) == Standby::Fed::taken);
  CHECK(pool.used() == 0);
  CHECK(!standby.front());
  standby.hold();
  CHECK(standby.feed(bytes.data(), bytes.size(), kNow + kSecond, kSecond) == Standby::Fed::taken);
  CHECK(taken(standby).bytes == bytes);
}

TEST_CASE("a beginning recording asks its publisher to wait, and goes on as it is emptied") {
  StandbyPool pool(0);
  Standby standby(pool, 0);
  standby.hold();
  const auto bytes = Video().second(2000);
  CHECK(standby.feed(bytes.data(), bytes.size(), kNow, 0) == Standby::Fed::taken);
  CHECK(standby.feed(bytes.data(), bytes.size(), kNow, 0) == Standby::Fed::full);
  CHECK(standby.held() == 2 * bytes.size());
  CHECK(taken(standby).bytes.size() == 2 * bytes.size());
  CHECK(standby.feed(bytes.data(), bytes.size(), kNow, 0) == Standby::Fed::taken);
}

TEST_CASE("what comes when all was taken out has its own time") {
  StandbyPool pool(0);
  Standby standby(pool, 0);
  standby.hold();
  const auto bytes = Video().second();
  for (int s = 0; s < 3; s++) {
    CHECK(standby.feed(bytes.data(), bytes.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    CHECK(standby.heldSinceUs() == kNow + s * kSecond);
    CHECK(taken(standby).times == std::vector<int64_t>{kNow + s * kSecond});
  }
}

TEST_CASE("the memory has a ceiling: who holds most gives up its oldest, and a beginning recording gives up nothing") {
  constexpr size_t kCeiling = 16 * StandbyPool::kBlockBytes;
  StandbyPool pool(kCeiling);
  Standby large(pool, 60 * kSecond), small(pool, 60 * kSecond);
  Video video, other;
  std::vector<uint8_t> all;
  for (int s = 0; s < 30; s++) {
    const auto much = video.second(600), little = other.second(10);
    CHECK(large.feed(much.data(), much.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    CHECK(small.feed(little.data(), little.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    all.insert(all.end(), much.begin(), much.end());
    CHECK(pool.used() <= kCeiling);
  }
  CHECK(small.held() == 30 * sizeOf(10));
  CHECK(large.held() > 2 * sizeOf(600));
  large.hold();
  const uint64_t held = large.held();
  for (int s = 30; s < 300; s++) {
    const auto little = other.second(10);
    CHECK(small.feed(little.data(), little.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    CHECK(pool.used() <= kCeiling);
  }
  CHECK(large.held() == held);
  const Kept kept = taken(large);
  CHECK(kept.bytes.size() == held);
  CHECK(endsWith(all, kept.bytes));
  CHECK(kept.bytes.size() % sizeOf(600) == 0);
}

TEST_CASE("a group of pictures larger than all the memory is not kept, the next one is") {
  StandbyPool pool(2 * StandbyPool::kBlockBytes);
  Standby standby(pool, 10 * kSecond);
  Video video;
  const auto much = video.second(2000), little = video.second(20);
  for (size_t at = 0; at < much.size(); at += 1316)
    CHECK(standby.feed(much.data() + at, std::min<size_t>(1316, much.size() - at), kNow, 0) == Standby::Fed::taken);
  CHECK(pool.used() <= 2 * StandbyPool::kBlockBytes);
  CHECK(standby.feed(little.data(), little.size(), kNow + kSecond, kSecond) == Standby::Fed::taken);
  standby.hold();
  CHECK(taken(standby).bytes == little);
}

TEST_CASE("what is no transport stream is told, with how it begins") {
  StandbyPool pool(1 << 20);
  Standby standby(pool, kSecond);
  const std::vector<uint8_t> zeros(128 * 1024, 0);
  CHECK(standby.feed(zeros.data(), zeros.size(), kNow, 0) == Standby::Fed::notTransportStream);
  CHECK(standby.got().find("that begin with 00 00") != std::string::npos);
}

TEST_CASE("memory goes back when a stream goes") {
  StandbyPool pool(1 << 20);
  {
    Standby standby(pool, kSecond);
    const auto bytes = Video().second();
    CHECK(standby.feed(bytes.data(), bytes.size(), kNow, 0) == Standby::Fed::taken);
    CHECK(pool.used() > 0);
  }
  CHECK(pool.used() == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("memory goes back to the system when a stream that held much goes and others stay") {
  constexpr size_t kMiB = 1 << 20;
  StandbyPool pool(256 * kMiB);
  Standby small(pool, 600 * kSecond);
  const size_t before = residentBytes();
  {
    Standby large(pool, 600 * kSecond);
    Video video, other;
    for (int s = 0; s < 300; s++) {
      const auto much = video.second(1000), little = other.second(100);
      CHECK(large.feed(much.data(), much.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
      CHECK(small.feed(little.data(), little.size(), kNow + s * kSecond, s * kSecond) == Standby::Fed::taken);
    }
    CHECK(residentBytes() > before + 100 * kMiB);
  }
  CHECK(small.held() == 300 * sizeOf(100));
  CHECK(residentBytes() < before + pool.used() + 32 * kMiB);
}
#endif
