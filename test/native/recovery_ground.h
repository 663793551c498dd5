#pragma once
// Reels as sessions leave them, and what must hold of every recovery.
#include "ts_builder.h"
#include "volume_ground.h"
#include "writer/segmenter.h"

namespace recovery_ground {

using namespace reelvault;

inline const std::string kIndexPath = "dvr/cam/2026/11/21/14.idx";

struct Archive {
  std::string reel, index;
  std::vector<IndexRecord> records;
};

// A reel as a session leaves it: segments of one second.
inline Archive makeArchive(int seconds, bool evidence = false, size_t packetBytes = ts::kPacketBytes) {
  const auto bytes = TsBuilder().seconds(seconds).framed(packetBytes);
  Segmenter segmenter(1000, kUnknownTime);
  CHECK(segmenter.feed(bytes.data(), bytes.size(), kTestHour));
  CHECK(segmenter.end());
  Archive archive;
  archive.reel.assign(bytes.begin(), bytes.end());
  const auto add = [&](const IndexBytes& bytes) { archive.index.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); };
  add(encodeHeader({.flags = evidence ? kEvidence : 0, .hourUs = kTestHour}));
  for (const Segment& segment : segmenter.finished()) {
    IndexRecord record{.offset = segment.begin,
                       .length = static_cast<uint32_t>(segment.end - segment.begin),
                       .flags = segment.flags,
                       .startUs = segment.startUs,
                       .firstPts = segment.firstPts,
                       .duration = segment.duration,
                       .crc32c = crc32c(0, archive.reel.data() + segment.begin, segment.end - segment.begin),
                       .sequence = static_cast<uint32_t>(archive.records.size())};
    if (evidence) {
      Sha256 sha;
      sha.update(archive.reel.data() + record.offset, record.length);
      record.sha256 = sha.finish();
    }
    add(encodeRecord(record));
    archive.records.push_back(record);
  }
  return archive;
}

struct Recovered {
  RecoveryReport report;
  ReelIndex index;
  std::string reel;
};

inline Recovered recover(const TemporaryVolume& volume) {
  const auto report = recoverReel(volume.fd.get(), kTestReel);
  REQUIRE_MESSAGE(report.ok(), report.failure.what);
  Recovered recovered{report.value, volume.index(), volume.read(kTestReel)};
  // What recovery leaves is in accord with itself, whatever it found.
  CHECK(recovered.index.exact);
  CHECK(recovered.index.header.hourUs == kTestHour);
  uint64_t end = 0;
  int64_t endUs = INT64_MIN;
  for (size_t i = 0; i < recovered.index.records.size(); i++) {
    const IndexRecord& record = recovered.index.records[i];
    CHECK(record.offset == end);
    CHECK(record.sequence == i);
    CHECK(record.startUs >= endUs);
    CHECK(crc32c(0, recovered.reel.data() + record.offset, record.length) == record.crc32c);
    end = record.end();
    endUs = record.endUs();
  }
  CHECK(end == recovered.reel.size());
  CHECK(recovered.report.records == recovered.index.records.size());
  CHECK(recovered.report.indexed == end);
  const auto again = recoverReel(volume.fd.get(), kTestReel);
  REQUIRE(again.ok());
  CHECK(again.value.added == 0);
  CHECK(again.value.cutBytes == 0);
  CHECK(volume.read(kTestReel) == recovered.reel);
  return recovered;
}

inline void setTime(const TemporaryVolume& volume, int64_t us) {
  const timespec times[2] = {{us / 1'000'000, 0}, {us / 1'000'000, 0}};
  REQUIRE(::utimensat(volume.fd.get(), kTestReel.c_str(), times, 0) == 0);
}

}  // namespace recovery_ground
