#include "writer/rescan.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "core/crc32c.h"
#include "writer/segmenter.h"

namespace reelvault {
namespace {

// The index does not say how long segments were meant to be.
constexpr uint32_t kSegmentMs = 4000;
constexpr size_t kReadBytes = 1 << 20;
// What a disk writes whole at least (NVMe, SCSI and ATA alike): a torn write leaves sectors of the old and of the new bytes.
constexpr size_t kSectorBytes = 512;

// What a read of the page cache fails for at once.
constexpr size_t kPageBytes = 4096;

Failure readAt(FileOps& ops, int fd, uint8_t* data, size_t length, uint64_t offset) {
  while (length > 0) {
    const ssize_t got = ops.read(fd, data, length, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure::last("read the reel");
    if (got == 0) return {EIO, "read the reel: it ends early"};
    data += got, length -= static_cast<size_t>(got), offset += static_cast<uint64_t>(got);
  }
  return Failure::none();
}

// Bytes from `at` on, up to `length`, as many as can be read; none where the disk does not give back the first of them.
Result<size_t> readReadable(FileOps& ops, int fd, uint8_t* data, size_t length, uint64_t at) {
  for (const size_t take : {length, std::min(length, kPageBytes - at % kPageBytes)}) {
    const Failure failure = readAt(ops, fd, data, take, at);
    if (!failure) return take;
    if (failure.error != EIO) return failure;
  }
  return size_t{0};
}

enum class Holes : uint8_t { none, sectors, padding };

/// A sector of zeros: no packet is so long without a sync byte.
std::optional<uint64_t> emptySector(const uint8_t* sector, size_t length, uint64_t fed) {
  const bool empty = length == kSectorBytes && std::all_of(sector, sector + length, [](uint8_t byte) { return byte == 0; });
  return empty ? std::optional(fed - length) : std::nullopt;
}

/// Looks at the end of a sector for bytes of a torn tail that never reached the disk. They read as zeros, from the beginning of a sector on, or
/// from where the padded block ended that was to be overwritten there: a block is padded behind a segment only, so they begin with a packet.
/// `fed`: bytes of the tail up to there; `length`: how many of them lie in the sector. Answers where the zeros begin, if they are such a hole.
std::optional<uint64_t> holeBefore(const uint8_t* end, size_t length, const ts::Parser& parser, uint64_t fed) {
  const auto last = std::reverse_iterator(end);
  const auto zeros = static_cast<size_t>(std::find_if(last, last + static_cast<ptrdiff_t>(length), [](uint8_t byte) { return byte != 0; }) - last);
  const uint64_t begin = fed - zeros;
  const auto holds = [&](uint64_t packet) { return begin <= packet && packet < fed; };
  // Too few packets yet to know how they lie: the first one begins the tail.
  const auto holdsOneOf = [&](const ts::Grid& grid) { return holds((fed - 1) / grid.bytes * grid.bytes); };
  const bool packetBegins = parser.synced() ? holds(parser.goodEnd()) : std::any_of(ts::kGrids.begin(), ts::kGrids.end(), holdsOneOf);
  return zeros == length || packetBegins ? std::optional(begin) : std::nullopt;
}

Result<IndexRecord> record(FileOps& ops, int fd, const Segment& segment, uint64_t from, bool evidence, std::vector<uint8_t>& buffer) {
  IndexRecord made{.offset = from + segment.begin,
                   .length = static_cast<uint32_t>(segment.end - segment.begin),
                   .flags = segment.flags,
                   .startUs = segment.startUs,
                   .firstPts = segment.firstPts,
                   .duration = segment.duration};
  Sha256 sha;
  for (uint64_t at = made.offset; at < made.end();) {
    const size_t take = std::min<uint64_t>(buffer.size(), made.end() - at);
    if (auto failure = readAt(ops, fd, buffer.data(), take, at)) return failure;
    made.crc32c = crc32c(made.crc32c, buffer.data(), take);
    if (evidence) sha.update(buffer.data(), take);
    at += take;
  }
  if (evidence) made.sha256 = sha.finish();
  return made;
}

/// What is found from one place on without a break. `stop`: where the looking ended, at `to` or behind what broke it.
struct Run {
  std::vector<IndexRecord> found;
  uint64_t stop = 0;
};

Result<Run> scanRun(FileOps& ops, int fd, uint64_t from, uint64_t to, int64_t formerEndUs, Holes holes, bool wholePackets, bool evidence) {
  Segmenter segmenter(kSegmentMs, formerEndUs);
  std::vector<uint8_t> buffer(std::min<uint64_t>(kReadBytes, to - from + kSectorBytes));
  Run run{.found = {}, .stop = to};
  const auto endBefore = [&](uint64_t hole, uint64_t stop) {
    auto before = scanRun(ops, fd, from, hole, formerEndUs, holes == Holes::sectors ? Holes::none : holes, wholePackets, evidence);
    if (before.ok()) before.value.stop = stop;
    return before;
  };
  bool good = true;
  for (uint64_t at = from; at < to && good;) {
    const size_t most = std::min<uint64_t>(buffer.size() - at % kSectorBytes, to - at);
    size_t take = most;
    if (holes == Holes::sectors) {
      const auto got = readReadable(ops, fd, buffer.data(), most, at);
      if (!got.ok()) return got.failure;
      take = got.value;
      if (take == 0) return endBefore(at, std::min(to, at - at % kPageBytes + kPageBytes));
    } else if (auto failure = readAt(ops, fd, buffer.data(), most, at)) {
      return failure;
    }
    for (size_t done = 0; done < take && good;) {
      const uint8_t* piece = buffer.data() + done;
      const size_t length = std::min(kSectorBytes - (at + done) % kSectorBytes, take - done);
      good = segmenter.feed(piece, length, kUnknownTime);
      done += length;
      if (!good) run.stop = at + done;
      if (holes == Holes::none || (at + done) % kSectorBytes != 0) continue;
      const uint64_t fed = at + done - from;
      const auto hole = holes == Holes::sectors ? emptySector(piece, length, fed) : holeBefore(piece + length, length, segmenter.parser(), fed);
      // Not what stands behind it, be it whole; nor, where padding may be a hole, a packet before it that ends in zeros.
      if (hole) return endBefore(from + *hole, at + done);
    }
    at += take;
  }
  if (!segmenter.end(wholePackets)) return run;
  for (const Segment& segment : segmenter.finished()) {
    auto made = record(ops, fd, segment, from, evidence, buffer);
    if (!made.ok()) return made.failure;
    run.found.push_back(made.value);
  }
  return run;
}

}  // namespace

Result<uint64_t> skipZeros(FileOps& ops, int fd, uint64_t from, uint64_t to) {
  std::vector<uint8_t> buffer(std::min<uint64_t>(kReadBytes, to - from));
  for (uint64_t at = from; at < to;) {
    const auto got = readReadable(ops, fd, buffer.data(), std::min<uint64_t>(buffer.size(), to - at), at);
    if (!got.ok()) return got.failure;
    if (got.value == 0) return at;
    const auto end = buffer.begin() + static_cast<ptrdiff_t>(got.value);
    const auto found = std::find_if(buffer.begin(), end, [](uint8_t byte) { return byte != 0; });
    if (found != end) return at + static_cast<uint64_t>(found - buffer.begin());
    at += got.value;
  }
  return to;
}

Result<std::vector<IndexRecord>> rescanReel(FileOps& ops, int fd, uint64_t from, uint64_t to, int64_t formerEndUs, Unnamed unnamed, bool evidence) {
  const bool torn = unnamed == Unnamed::torn;
  std::vector<IndexRecord> all;
  for (uint64_t at = from;;) {
    const int64_t endUs = all.empty() ? formerEndUs : all.back().endUs();
    const auto run = scanRun(ops, fd, at, to, endUs, torn ? Holes::padding : Holes::sectors, torn, evidence);
    if (!run.ok()) return run.failure;
    const auto& [found, stop] = run.value;
    all.insert(all.end(), found.begin(), found.end());
    if (torn || stop >= to) return all;
    const auto next = skipZeros(ops, fd, stop, to);
    if (!next.ok()) return next.failure;
    if (next.value == to) return all;
    at = next.value;
  }
}

}  // namespace reelvault
