#include "playlist/segment_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "core/time_gap.h"

namespace reelvault {
namespace {

constexpr int64_t kHourMs = kHourUs / 1000;
constexpr size_t kMostLines = 512;  // bytes of the lines of one segment, but for the path of its hour
constexpr size_t kMostPaths = 2;    // of those there may be so many, one for the tables

constexpr int64_t floorDiv(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Each puts something at `at` and returns the place behind it.
char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* putNumber(char* at, uint64_t value) { return std::to_chars(at, at + 20, value).ptr; }

// With leading zeros.
template <size_t kDigits>
char* putDigits(char* at, uint64_t value) {
  for (size_t i = kDigits; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
  return at + kDigits;
}

char* putRange(char* at, std::string_view hourPath, const IndexRecord& record) {
  at = put(put(at, hourPath), "/");
  at = put(putNumber(at, record.offset), "-");
  return putNumber(at, record.length);
}

// "2026-11-21T14:", as ISO 8601 writes years beyond four digits.
std::string dateOfHour(int64_t hour) {
  const time_t seconds = hour * 3600;
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  const int year = time.tm_year + 1900;
  char text[40];
  const int length = std::snprintf(text, sizeof text, year < 0 ? "%07d-%02d-%02dT%02d:" : "%04d-%02d-%02dT%02d:", year, time.tm_mon + 1, time.tm_mday, time.tm_hour);
  return {text, static_cast<size_t>(length)};
}

}  // namespace

size_t SegmentText::write(const SegmentRun& run) {
  uint32_t tables = run.tables;
  for (uint32_t position = run.first; position < run.end; position++) {
    const IndexRecord record = parseRecord(run.records.data() + position * kIndexRecordBytes);
    const bool marked = (record.flags & kDiscontinuity) != 0;
    const bool discontinuous = (marked || (formerEndUs_ && isTimeGap(*formerEndUs_, record.startUs))) && !(run.startsPlaylist && position == run.first);
    if (marked) tables = position;
    char* at = out_.room(kMostLines + kMostPaths * run.hourPath.size());
    if (discontinuous) at = put(at, "#EXT-X-DISCONTINUITY\n");
    // A map stays in force until the next one: after a discontinuity the old one would be wrong even for a segment with its own tables.
    if ((record.flags & kTables) == 0 || (discontinuous && !map_.empty())) at = putMap(at, run, tables);
    at = putTime(put(at, "#EXT-X-PROGRAM-DATE-TIME:"), record.startUs);
    const auto durationUs = static_cast<uint64_t>(ticksToUs(record.duration));
    at = put(putNumber(put(at, "\n#EXTINF:"), durationUs / 1'000'000), ".");
    at = put(putDigits<6>(at, durationUs % 1'000'000), ",\n");
    at = put(putRange(at, run.hourPath, record), ".ts\n");
    out_.endAt(at);
    formerEndUs_ = record.endUs();
  }
  return out_.size();
}

GrowingText SegmentText::take(std::string_view head, std::string_view tail) {
  GrowingText text = std::move(out_);
  text.prepend(head);
  text.append(tail);
  return text;
}

char* SegmentText::putMap(char* at, const SegmentRun& run, uint32_t tables) {
  if (std::ranges::find(run.withoutTables, tables) != run.withoutTables.end()) return at;
  char* const uri = put(at, "#EXT-X-MAP:URI=\"");
  char* const end = put(putRange(uri, run.hourPath, parseRecord(run.records.data() + tables * kIndexRecordBytes)), ".tables.ts");
  const std::string_view found(uri, static_cast<size_t>(end - uri));
  if (found == map_) return at;
  map_ = found;
  return put(end, "\"\n");
}

// ISO 8601 in UTC, to the millisecond. Within an hour only its end changes.
char* SegmentText::putTime(char* at, int64_t us) {
  const int64_t ms = floorDiv(us, 1000);
  const int64_t hour = floorDiv(ms, kHourMs);
  if (hour != datedHour_) {
    datedHour_ = hour;
    date_ = dateOfHour(hour);
  }
  const auto rest = static_cast<uint64_t>(ms - hour * kHourMs);
  at = put(putDigits<2>(put(at, date_), rest / 60'000), ":");
  at = put(putDigits<2>(at, rest / 1000 % 60), ".");
  return put(putDigits<3>(at, rest % 1000), "Z");
}

}  // namespace reelvault
