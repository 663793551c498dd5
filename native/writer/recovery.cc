#include "writer/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
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
};

// Where the reel of the hour before ends, by its index. Its last segment may reach into this hour; no older reel's can.
int64_t formerReelEnd(int dirFd, const std::string& reelPath) {
  const int64_t hourUs = hourFromPath(reelPath);
  if (hourUs == kUnknownTime) return kUnknownTime;
  const std::string stream = reelPath.substr(0, reelPath.size() - kHourPathLength);
  const auto file = openIn(dirFd, indexPathOf(stream + hourPathOf(hourUs - kHourUs)), O_RDONLY);
  if (!file.ok()) return kUnknownTime;
  const auto contents = readFile(file.value.get(), reelPath);
  if (!contents.ok()) return kUnknownTime;
  const ReelIndex index = readIndex(contents.value, UINT64_MAX);
  return index.records.empty() ? kUnknownTime : index.records.back().endUs();
}

// Puts rescanned segments on the timeline: right behind the former record when their PTS go on from it; otherwise as late as the file's time says,
// but in the reel's hour, behind the former reel, and before the next record.
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
      shift = std::max<int64_t>(0, context.mtimeUs - fresh.back().endUs());
    }
  } else {
    const int64_t length = fresh.back().endUs() - fresh.front().startUs;
    int64_t start = context.mtimeUs - length;
    if (context.hourUs != kUnknownTime) start = std::clamp(start, context.hourUs, context.hourUs + kHourUs - 1);
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

Failure truncateReel(int fd, uint64_t length, const struct stat& before, FileOps& ops, const std::string& path) {
  if (ops.truncate(fd, static_cast<off_t>(length)) != 0) return Failure::last("truncate " + path);
  // Its time tells when the last bytes came; should this run stop here, the next one still needs it.
  const timespec times[2] = {before.st_atim, before.st_mtim};
  if (::futimens(fd, times) != 0) return Failure::last("set the time of " + path);
  if (ops.dataSync(fd) != 0) return Failure::last("sync " + path);
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

Result<RecoveryReport> recoverReel(int dirFd, const std::string& reelPath, FileOps& ops, const IndexHeader& session) {
  // 1. Nobody else may have the reel.
  auto reel = openIn(dirFd, reelPath, O_RDWR);
  if (!reel.ok()) return reel.failure;
  const int fd = reel.value.get();
  if (auto failure = lockReel(fd, reelPath)) return failure;
  struct stat before {};
  if (::fstat(fd, &before) != 0) return Failure::last("stat " + reelPath);
  const auto reelBytes = static_cast<uint64_t>(before.st_size);

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
  ReelIndex index = readIndex(contents, reelBytes);
  const bool evidence = index.headerHolds ? (index.header.flags & kEvidence) != 0
                                          : std::any_of(index.records.begin(), index.records.end(), [](const auto& r) { return r.sha256 != Sha256Digest{}; });
  const Context context{.hourUs = index.headerHolds ? index.header.hourUs : hourFromPath(reelPath),
                        .mtimeUs = static_cast<int64_t>(before.st_mtim.tv_sec) * 1'000'000 + before.st_mtim.tv_nsec / 1000,
                        .formerEndUs = formerReelEnd(dirFd, reelPath)};

  // 3. Segments in the bytes that no record names: between records, and behind the last one.
  RecoveryReport report;
  std::vector<IndexRecord> all;
  uint64_t end = 0;
  for (size_t next = 0; next <= index.records.size(); next++) {
    const bool tail = next == index.records.size();
    const uint64_t to = tail ? reelBytes : index.records[next].offset;
    if (to > end) {
      const IndexRecord* former = all.empty() ? nullptr : &all.back();
      auto found = rescanReel(fd, end, to, former != nullptr ? former->endUs() : 0, tail, evidence);
      if (!found.ok()) return found.failure;
      place(found.value.records, former, tail ? nullptr : &index.records[next], context);
      report.added += found.value.records.size();
      all.insert(all.end(), found.value.records.begin(), found.value.records.end());
    }
    if (tail) break;
    all.push_back(index.records[next]);
    end = index.records[next].end();
  }
  for (size_t i = 0; i < all.size(); i++) all[i].sequence = static_cast<uint32_t>(i);

  // 4. Cut what is left of the tail, durably, before the index says that the reel ends there.
  const uint64_t goodEnd = all.empty() ? 0 : all.back().end();
  report.cutBytes = reelBytes - goodEnd;
  if (auto failure = report.cutBytes > 0 ? truncateReel(fd, goodEnd, before, ops, reelPath) : Failure::none()) return failure;

  // 5. The new index replaces the old one whole, also where it holds the same: what reads well may be in the page cache only, after a sync
  // that failed, and whoever asks for recovery shows these records from now on.
  IndexHeader header = index.header;
  if (!index.headerHolds) {
    header.flags = evidence ? kEvidence : 0;
    header.hourUs = context.hourUs != kUnknownTime ? context.hourUs : hourOf(all.empty() ? context.mtimeUs : all.front().startUs);
  }
  header.flags |= session.flags;
  if (header.uuid == VolumeUuid{}) header.uuid = session.uuid;
  // Bytes must be on disk before the index names them.
  if (ops.dataSync(fd) != 0) return Failure::last("sync " + reelPath);
  if (auto failure = replaceFile(ops, dirFd, indexPath, encodeIndex(header, all), true)) return failure;
  report.records = all.size();
  for (const auto& record : all) report.indexed += record.length;
  return report;
}

}  // namespace reelvault
