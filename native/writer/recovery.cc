#include "writer/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "writer/rescan.h"

namespace reelvault {
namespace {

constexpr int kHourPathLength = 16;  // 2026/11/21/14.ts
constexpr int64_t kContinuousTicks = 2 * 90000;

// …/2026/11/21/14.ts → the start of that hour; kUnknownTime for another form.
int64_t hourFromPath(const std::string& path) {
  if (path.size() < kHourPathLength) return kUnknownTime;
  std::tm time{};
  int end = 0;
  const std::string tail = path.substr(path.size() - kHourPathLength);
  if (std::sscanf(tail.c_str(), "%4d/%2d/%2d/%2d.ts%n", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &end) != 4 || end != kHourPathLength) return kUnknownTime;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return static_cast<int64_t>(::timegm(&time)) * 1'000'000;
}

struct Context {
  int64_t hourUs;       // kUnknownTime: not known
  int64_t mtimeUs;      // when the reel was last written
  int64_t formerEndUs;  // where the reel of the hour before ends; kUnknownTime: no such reel, or not known
  int64_t nextStartUs;  // where the reel of the hour behind begins; the same
};

// The index of the stream's reel so many hours later; without records where there is none that can be read.
ReelIndex neighbourOf(int dirFd, const std::string& reelPath, int64_t hours) {
  const int64_t hourUs = hourFromPath(reelPath);
  if (hourUs == kUnknownTime) return {};
  const std::string stream = reelPath.substr(0, reelPath.size() - kHourPathLength);
  const auto file = openIn(dirFd, indexPathOf(stream + hourPathOf(hourUs + hours * kHourUs)), O_RDONLY);
  if (!file.ok()) return {};
  const auto contents = readFile(file.value.get(), reelPath);
  return contents.ok() ? readIndex(contents.value, UINT64_MAX) : ReelIndex{};
}

// How far segments may be moved for the last one to end when the reel was written last, before `next` starts, and to start in the reel's hour.
int64_t latestShift(const std::vector<IndexRecord>& fresh, const IndexRecord* next, const Context& context) {
  const int64_t limit = next != nullptr ? next->startUs : context.nextStartUs;
  const int64_t end = limit == kUnknownTime ? context.mtimeUs : std::min(context.mtimeUs, limit);
  const int64_t shift = end - fresh.back().endUs();
  return context.hourUs == kUnknownTime ? shift : std::min(shift, context.hourUs + kHourUs - 1 - fresh.back().startUs);
}

// Puts rescanned segments on the timeline: right behind the former record when their PTS go on from it; otherwise as late as the file's time says,
// but in the reel's hour, behind the former reel, and before the next record and the next reel.
void place(std::vector<IndexRecord>& fresh, const IndexRecord* former, const IndexRecord* next, const Context& context) {
  if (fresh.empty()) return;
  int64_t shift = 0;
  if (former != nullptr) {
    const bool timed = former->firstPts != kUnknownPts && fresh.front().firstPts != kUnknownPts;
    const int64_t expected = former->firstPts + former->duration;
    const int64_t wraps = timed ? (expected - fresh.front().firstPts + kPtsWrap / 2) / kPtsWrap * kPtsWrap : 0;
    const bool continuous = timed && std::abs(fresh.front().firstPts + wraps - expected) <= kContinuousTicks;
    if (continuous) {
      fresh.front().flags &= ~kDiscontinuity;
      for (auto& record : fresh)
        if (record.firstPts != kUnknownPts) record.firstPts += wraps;
    } else if (next == nullptr) {
      shift = std::max<int64_t>(0, latestShift(fresh, next, context));
    }
  } else {
    const int64_t length = fresh.back().endUs() - fresh.front().startUs;
    int64_t start = fresh.front().startUs + latestShift(fresh, next, context);
    if (context.hourUs != kUnknownTime) start = std::max(start, context.hourUs);
    if (context.formerEndUs != kUnknownTime) start = std::max(start, context.formerEndUs);
    if (next != nullptr) start = std::min(start, next->startUs - length);
    shift = start - fresh.front().startUs;
  }
  for (auto& record : fresh) record.startUs += shift;
  if (next != nullptr) fresh.back().flags &= ~kSessionEnd;
}

std::string encodeIndex(const IndexHeader& header, const std::vector<IndexRecord>& records) {
  std::string contents;
  const auto add = [&contents](const IndexBytes& bytes) { contents.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); };
  add(encodeHeader(header));
  for (const auto& record : records) add(encodeRecord(record));
  return contents;
}

// How long the reel is without what was only allocated behind its bytes, which reads as zeros. Where the filesystem cannot tell, as long as the file.
uint64_t endOfData(int fd, uint64_t length) {
  off_t end = 0;
  for (;;) {
    const off_t data = ::lseek(fd, end, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? static_cast<uint64_t>(end) : length;
    end = ::lseek(fd, data, SEEK_HOLE);
    if (end < 0) return length;
  }
}

Failure truncateReel(int fd, uint64_t length, const struct stat& before, FileOps& ops, const std::string& path) {
  if (ops.truncate(fd, static_cast<off_t>(length)) != 0) return Failure::last("truncate " + path);
  // Its time tells when the last bytes came; should this run stop here, the next one still needs it.
  const timespec times[2] = {before.st_atim, before.st_mtim};
  if (::futimens(fd, times) != 0) return Failure::last("set the time of " + path);
  return Failure::none();
}

}  // namespace

std::string hourPathOf(int64_t hourUs) {
  const time_t seconds = hourUs / 1'000'000;
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  char text[64];
  (void)std::snprintf(text, sizeof text, "%04d/%02d/%02d/%02d.ts", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour);
  return text;
}

std::string indexPathOf(const std::string& reelPath) { return reelPath.substr(0, reelPath.rfind('.')) + ".idx"; }

ReelIndex readIndex(const std::string& contents, uint64_t reelBytes) {
  ReelIndex index;
  const auto* bytes = reinterpret_cast<const uint8_t*>(contents.data());
  if (contents.size() < kIndexRecordBytes) return index;
  if (const auto header = decodeHeader(bytes)) index.header = *header, index.headerHolds = true;
  forEachRecord({bytes, contents.size()}, reelBytes, [&index](const IndexRecord& record, const uint8_t*) { index.records.push_back(record); });
  index.exact = index.headerHolds && contents.size() == (index.records.size() + 1) * kIndexRecordBytes;
  return index;
}

Result<RecoveryReport> recoverReel(int dirFd, const std::string& reelPath, FileOps& ops, const RecoveryOptions& options) {
  // 1. Nobody else may have the reel.
  auto reel = openIn(dirFd, reelPath, O_RDWR);
  if (!reel.ok()) return reel.failure;
  const int fd = reel.value.get();
  if (auto failure = lockReel(fd, reelPath)) return failure;
  struct stat before {};
  if (::fstat(fd, &before) != 0) return Failure::last("stat " + reelPath);
  // What counts is what is on disk: after a write-back that failed the page cache has the bytes that never came there, and calls them clean.
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  // A closed reel has its length; what reads as zeros at its end is a damage to be told.
  const auto length = static_cast<uint64_t>(before.st_size);
  const uint64_t reelBytes = options.closed ? length : endOfData(fd, length);

  // 2. Which records hold.
  const std::string indexPath = indexPathOf(reelPath);
  std::string contents;
  auto indexFile = openIn(dirFd, indexPath, O_RDONLY);
  if (!indexFile.ok() && indexFile.failure.error != ENOENT) return indexFile.failure;
  if (indexFile.ok()) {
    auto read = readFile(indexFile.value.get(), indexPath);
    if (!read.ok()) return read.failure;
    contents = std::move(read.value);
  }
  const int64_t pathHourUs = hourFromPath(reelPath);
  ReelIndex index = readIndex(contents, reelBytes);
  RecoveryReport report;
  if (index.headerHolds && pathHourUs != kUnknownTime && index.header.hourUs != pathHourUs) index = {};  // another reel's: it says nothing of this one
  else report.lost = readIndex(contents, UINT64_MAX).records.size() - index.records.size();
  const bool evidence = index.headerHolds ? (index.header.flags & kEvidence) != 0
                                          : std::any_of(index.records.begin(), index.records.end(), [](const auto& r) { return r.sha256 != Sha256Digest{}; });
  const ReelIndex formerReel = neighbourOf(dirFd, reelPath, -1), nextReel = neighbourOf(dirFd, reelPath, 1);
  const Context context{.hourUs = index.headerHolds ? index.header.hourUs : pathHourUs,
                        .mtimeUs = static_cast<int64_t>(before.st_mtim.tv_sec) * 1'000'000 + before.st_mtim.tv_nsec / 1000,
                        // Its last segment may reach into this hour; no older reel's can.
                        .formerEndUs = formerReel.records.empty() ? kUnknownTime : formerReel.records.back().endUs(),
                        .nextStartUs = nextReel.records.empty() ? kUnknownTime : nextReel.records.front().startUs};

  // 3. Segments in the bytes that no record names: between records, and behind the last one.
  std::vector<IndexRecord> all;
  uint64_t end = 0;
  for (size_t next = 0; next <= index.records.size(); next++) {
    const bool tail = next == index.records.size();
    const uint64_t to = tail ? reelBytes : index.records[next].offset;
    if (to > end) {
      const IndexRecord* former = all.empty() ? nullptr : &all.back();
      const Unnamed unnamed = tail && !options.closed ? Unnamed::torn : Unnamed::durable;
      auto found = rescanReel(ops, fd, end, to, former != nullptr ? former->endUs() : 0, unnamed, evidence);
      if (!found.ok()) return found.failure;
      place(found.value, former, tail ? nullptr : &index.records[next], context);
      report.added += found.value.size();
      all.insert(all.end(), found.value.begin(), found.value.end());
    }
    if (tail) break;
    all.push_back(index.records[next]);
    end = index.records[next].end();
  }
  for (size_t i = 0; i < all.size(); i++) all[i].sequence = static_cast<uint32_t>(i);
  report.records = all.size();
  for (const auto& record : all) report.indexed += record.length;

  // 4. Cut what is left of a torn tail. Of a reel that was closed nothing goes but zeros: whatever else is there may be looked into by hand.
  uint64_t keep = all.empty() ? 0 : all.back().end();
  if (options.closed) {
    const auto more = skipZeros(ops, fd, keep, reelBytes);
    if (!more.ok()) return more.failure;
    if (more.value < reelBytes) keep = reelBytes;
  }
  report.cutBytes = reelBytes - keep;
  report.leftOver = keep - report.indexed;
  // Also to the length it has: that gives back what was allocated behind it.
  if (auto failure = truncateReel(fd, keep, before, ops, reelPath)) return failure;

  // 5. The new index replaces the old one whole, also where it holds the same: what reads well may be in the page cache only, after a sync
  // that failed, and whoever asks for recovery shows these records from now on.
  IndexHeader header = index.header;
  if (!index.headerHolds) {
    header.flags = evidence ? kEvidence : 0;
    header.hourUs = context.hourUs != kUnknownTime ? context.hourUs : hourOf(all.empty() ? context.mtimeUs : all.front().startUs);
  }
  header.flags |= options.session.flags;
  if (header.uuid == VolumeUuid{}) header.uuid = options.session.uuid;
  // The cut and the bytes must be on disk before the index says that the reel ends there.
  if (ops.dataSync(fd) != 0) return Failure::last("sync " + reelPath);
  if (auto failure = replaceFile(ops, dirFd, indexPath, encodeIndex(header, all), true)) return failure;
  return report;
}

}  // namespace reelvault
