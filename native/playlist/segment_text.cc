#include "playlist/segment_text.h"

#include <algorithm>
#include <array>
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

// "00" to "99"
constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (size_t value = 0; value < 100; value++) {
    pairs[2 * value] = static_cast<char>('0' + value / 10);
    pairs[2 * value + 1] = static_cast<char>('0' + value % 10);
  }
  return pairs;
}();

// What lines need of an index record that is known to hold; writer/index.h has all of it, which costs as much as writing a line.
struct Listed {
  uint64_t offset;
  uint32_t length;
  uint32_t flags;
  int64_t startUs;
  uint32_t duration;

  explicit Listed(const uint8_t* record) : offset(number<uint64_t>(record)), length(number<uint32_t>(record + 8)), flags(number<uint32_t>(record + 12)), startUs(static_cast<int64_t>(number<uint64_t>(record + 16))), duration(number<uint32_t>(record + 40)) {}

 private:
  template <typename T>
  static T number(const uint8_t* bytes) {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); i++) value |= static_cast<T>(bytes[i]) << (8 * i);
    return value;
  }
};

// Each puts something at `at` and returns the place behind it.
char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* putPair(char* at, uint32_t below100) {
  std::memcpy(at, kPairs.data() + 2 * below100, 2);
  return at + 2;
}

char* putFour(char* at, uint32_t below10000) { return putPair(putPair(at, below10000 / 100), below10000 % 100); }

// Eight digits at a time, of which none waits for another: places in a reel have ten.
char* putNumber(char* at, uint64_t value) {
  if (value < 100'000'000) return std::to_chars(at, at + 8, static_cast<uint32_t>(value)).ptr;
  at = putNumber(at, value / 100'000'000);
  const auto last = static_cast<uint32_t>(value % 100'000'000);
  return putFour(putFour(at, last / 10'000), last % 10'000);
}

// Below a million, with leading zeros.
char* putMillionth(char* at, uint32_t value) { return putFour(putPair(at, value / 10'000), value % 10'000); }

char* putRange(char* at, const OftenText& folder, const Listed& segment) {
  at = put(putNumber(folder.put(at), segment.offset), "-");
  return putNumber(at, segment.length);
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
  OftenText folder;
  folder.set(run.hourPath, "/");
  uint32_t tables = run.tables;
  for (uint32_t position = run.first; position < run.end; position++) {
    const Listed segment(run.records.data() + position * kIndexRecordBytes);
    const bool marked = (segment.flags & kDiscontinuity) != 0;
    const bool discontinuous = (marked || (formerEndUs_ && isTimeGap(*formerEndUs_, segment.startUs))) && !(run.startsPlaylist && position == run.first);
    if (marked) tables = position;
    char* at = out_.room(kMostLines + kMostPaths * run.hourPath.size());
    if (discontinuous) at = put(at, "#EXT-X-DISCONTINUITY\n");
    // A map stays in force until the next one: after a discontinuity the old one would be wrong even for a segment with its own tables.
    if ((segment.flags & kTables) == 0 || (discontinuous && !map_.empty())) at = putMap(at, run, folder, tables);
    at = putTime(at, segment.startUs);
    const auto durationUs = static_cast<uint64_t>(ticksToUs(segment.duration));
    at = put(putNumber(put(at, "\n#EXTINF:"), durationUs / 1'000'000), ".");
    at = put(putMillionth(at, static_cast<uint32_t>(durationUs % 1'000'000)), ",\n");
    at = put(putRange(at, folder, segment), ".ts\n");
    out_.endAt(at);
    formerEndUs_ = segment.startUs + static_cast<int64_t>(durationUs);
  }
  return out_.size();
}

GrowingText SegmentText::take(std::string_view head, std::string_view tail) {
  GrowingText text = std::move(out_);
  text.prepend(head);
  text.append(tail);
  return text;
}

char* SegmentText::putMap(char* at, const SegmentRun& run, const OftenText& folder, uint32_t tables) {
  if (std::ranges::find(run.withoutTables, tables) != run.withoutTables.end()) return at;
  char* const uri = put(at, "#EXT-X-MAP:URI=\"");
  char* const end = put(putRange(uri, folder, Listed(run.records.data() + tables * kIndexRecordBytes)), ".tables.ts");
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
    date_.set("#EXT-X-PROGRAM-DATE-TIME:", dateOfHour(hour));
  }
  const auto rest = static_cast<uint32_t>(ms - hour * kHourMs);
  at = put(putPair(date_.put(at), rest / 60'000), ":");
  at = put(putPair(at, rest / 1000 % 60), ".");
  *at = static_cast<char>('0' + rest % 1000 / 100);
  return put(putPair(at + 1, rest % 100), "Z");
}

}  // namespace reelvault
