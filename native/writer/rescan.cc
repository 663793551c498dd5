#include "writer/rescan.h"

#include <unistd.h>

#include <algorithm>

#include "core/crc32c.h"
#include "writer/segmenter.h"
#include "writer/slab_pool.h"

namespace reelvault {
namespace {

// The index does not say how long segments were meant to be.
constexpr uint32_t kSegmentMs = 4000;
constexpr size_t kReadBytes = 1 << 20;
// A grid is found again after 753 bytes at the earliest: fed in smaller pieces, no loss of it goes by unseen.
constexpr size_t kPieceBytes = 512;

Failure readAt(int fd, uint8_t* data, size_t length, uint64_t offset) {
  while (length > 0) {
    const ssize_t got = ::pread(fd, data, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure::last("read the reel");
    if (got == 0) return {EIO, "read the reel: it ends early"};
    data += got, length -= static_cast<size_t>(got), offset += static_cast<uint64_t>(got);
  }
  return Failure::none();
}

Result<bool> zerosAt(int fd, uint64_t at, uint64_t to) {
  uint8_t bytes[ts::kPacketBytes];
  const size_t length = std::min<uint64_t>(sizeof bytes, to - at);
  if (auto failure = readAt(fd, bytes, length, at)) return failure;
  return std::all_of(bytes, bytes + length, [](uint8_t byte) { return byte == 0; });
}

Result<IndexRecord> record(int fd, const Segment& segment, uint64_t from, bool evidence, std::vector<uint8_t>& buffer) {
  IndexRecord made{.offset = from + segment.begin,
                   .length = static_cast<uint32_t>(segment.end - segment.begin),
                   .flags = segment.flags,
                   .startUs = segment.startUs,
                   .firstPts = segment.firstPts,
                   .duration = segment.duration};
  Sha256 sha;
  for (uint64_t at = made.offset; at < made.end();) {
    const size_t take = std::min<uint64_t>(buffer.size(), made.end() - at);
    if (auto failure = readAt(fd, buffer.data(), take, at)) return failure;
    made.crc32c = crc32c(made.crc32c, buffer.data(), take);
    if (evidence) sha.update(buffer.data(), take);
    at += take;
  }
  if (evidence) made.sha256 = sha.finish();
  return made;
}

}  // namespace

Result<Rescan> rescanReel(int fd, uint64_t from, uint64_t to, int64_t formerEndUs, bool torn, bool evidence) {
  Segmenter segmenter(kSegmentMs, formerEndUs);
  std::vector<uint8_t> buffer(std::min<uint64_t>(kReadBytes, to - from));
  bool stop = false;
  for (uint64_t at = from; at < to && !stop;) {
    const size_t take = std::min<uint64_t>(buffer.size(), to - at);
    if (auto failure = readAt(fd, buffer.data(), take, at)) return failure;
    for (size_t done = 0; done < take && !stop; done += kPieceBytes) {
      const bool searching = segmenter.parser().searching();
      stop = !segmenter.feed(buffer.data() + done, std::min(kPieceBytes, take - done), kUnknownTime);
      const bool lostNow = segmenter.parser().searching() && (!searching || (at == from && done == 0));
      if (!torn || stop || !lostNow) continue;
      const auto zeros = zerosAt(fd, from + segmenter.parser().goodEnd(), to);
      if (!zeros.ok()) return zeros.failure;
      stop = zeros.value;
    }
    at += take;
  }
  Rescan rescan{.records = {}, .goodEnd = from};
  if (!segmenter.end(torn)) return rescan;
  const uint64_t tailEnd = from + segmenter.parser().goodEnd();
  const bool mayBePadded = torn && tailEnd >= from + ts::kPacketBytes && (stop || (tailEnd == to && to % kBlockBytes == 0));
  if (mayBePadded) {
    // Zeros behind the tail may have made its last packet whole: one that ends in a zero is not trusted.
    uint8_t last = 0;
    if (auto failure = readAt(fd, &last, 1, tailEnd - 1)) return failure;
    if (last == 0) return rescanReel(fd, from, tailEnd - ts::kPacketBytes, formerEndUs, torn, evidence);
  }
  for (const Segment& segment : segmenter.finished()) {
    auto made = record(fd, segment, from, evidence, buffer);
    if (!made.ok()) return made.failure;
    rescan.records.push_back(made.value);
    rescan.goodEnd = made.value.end();
  }
  return rescan;
}

}  // namespace reelvault
