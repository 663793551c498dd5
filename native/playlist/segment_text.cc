#include "playlist/segment_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <utility>

namespace reelvault {
namespace {

constexpr int64_t kToleranceUs = 1000;  // ticks of 90 kHz do not fall on whole microseconds; a missing frame is far above this
constexpr int64_t kHourMs = kHourUs / 1000;
constexpr size_t kUsualLines = 128;  // bytes

constexpr int64_t floorDiv(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

void putNumber(std::string& out, uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// With leading zeros.
template <size_t kDigits>
void putDigits(std::string& out, uint64_t value) {
  char digits[kDigits];
  for (size_t i = kDigits; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, kDigits);
}

void putRange(std::string& out, std::string_view hourPath, const IndexRecord& record) {
  out.append(hourPath).push_back('/');
  putNumber(out, record.offset);
  out.push_back('-');
  putNumber(out, record.length);
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
  out_.reserve(out_.size() + (run.end - run.first) * kUsualLines);
  uint32_t tables = run.tables;
  for (uint32_t at = run.first; at < run.end; at++) {
    const IndexRecord record = parseRecord(run.records.data() + at * kIndexRecordBytes);
    const bool marked = (record.flags & kDiscontinuity) != 0;
    const bool discontinuous = (marked || (formerEndUs_ && record.startUs - *formerEndUs_ > kToleranceUs)) && !(run.startsPlaylist && at == run.first);
    if (marked) tables = at;
    if (discontinuous) out_.append("#EXT-X-DISCONTINUITY\n");
    // A map stays in force until the next one: after a discontinuity the old one would be wrong even for a segment with its own tables.
    if ((record.flags & kTables) == 0 || (discontinuous && !map_.empty())) putMap(run, tables);
    out_.append("#EXT-X-PROGRAM-DATE-TIME:");
    putTime(record.startUs);
    const auto durationUs = static_cast<uint64_t>(ticksToUs(record.duration));
    out_.append("\n#EXTINF:");
    putNumber(out_, durationUs / 1'000'000);
    out_.push_back('.');
    putDigits<6>(out_, durationUs % 1'000'000);
    out_.append(",\n");
    putRange(out_, run.hourPath, record);
    out_.append(".ts\n");
    formerEndUs_ = record.endUs();
  }
  return out_.size();
}

std::string SegmentText::take(std::string_view head, std::string_view tail) {
  std::string text = std::exchange(out_, {});
  text.insert(0, head).append(tail);
  return text;
}

void SegmentText::putMap(const SegmentRun& run, uint32_t tables) {
  if (std::ranges::find(run.withoutTables, tables) != run.withoutTables.end()) return;
  found_.clear();
  putRange(found_, run.hourPath, parseRecord(run.records.data() + tables * kIndexRecordBytes));
  found_.append(".tables.ts");
  if (found_ == map_) return;
  map_.swap(found_);
  out_.append("#EXT-X-MAP:URI=\"").append(map_).append("\"\n");
}

// ISO 8601 in UTC, to the millisecond. Within an hour only its end changes.
void SegmentText::putTime(int64_t us) {
  const int64_t ms = floorDiv(us, 1000);
  const int64_t hour = floorDiv(ms, kHourMs);
  if (hour != datedHour_) {
    datedHour_ = hour;
    date_ = dateOfHour(hour);
  }
  const auto rest = static_cast<uint64_t>(ms - hour * kHourMs);
  out_.append(date_);
  putDigits<2>(out_, rest / 60'000);
  out_.push_back(':');
  putDigits<2>(out_, rest / 1000 % 60);
  out_.push_back('.');
  putDigits<3>(out_, rest % 1000);
  out_.push_back('Z');
}

}  // namespace reelvault
