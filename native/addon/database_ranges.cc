// The SQL function with which the catalog answers what is recorded: one value for a month of rows, as a row that goes through JavaScript costs
// more than all that is done with it. Its only caller is src/archive/catalog/recorded-time.ts.
#include <sqlite3ext.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "addon/database.h"
#include "core/time_gap.h"

SQLITE_EXTENSION_INIT3

namespace reelvault {
namespace {

constexpr int kClosed = 1;   // `state` of a row
constexpr int kDamaged = 2;  // of its `flags`
constexpr double kHourMark = std::numeric_limits<double>::quiet_NaN();

// In order of time: first and last µs of recorded time; or an hour and no number, where the index must be read.
class RecordedTime {
 public:
  void add(int64_t startUs, int64_t endUs) {
    if (merges_ && !isTimeGap(endUs_, startUs)) {
      endUs_ = std::max(endUs_, endUs);
      pairs_.back() = static_cast<double>(endUs_);
      return;
    }
    merges_ = true;
    endUs_ = endUs;
    pairs_.insert(pairs_.end(), {static_cast<double>(startUs), static_cast<double>(endUs)});
  }
  void addUnread(int64_t hour) {
    merges_ = false;
    pairs_.insert(pairs_.end(), {static_cast<double>(hour), kHourMark});
  }
  const std::vector<double>& pairs() const { return pairs_; }

 private:
  std::vector<double> pairs_;
  int64_t endUs_ = 0;
  bool merges_ = false;  // `endUs_` is that of the last pair
};

RecordedTime** held(sqlite3_context* context, bool make) {
  return static_cast<RecordedTime**>(sqlite3_aggregate_context(context, make ? sizeof(RecordedTime*) : 0));
}

double asNumber(int64_t us) { return static_cast<double>(us); }
bool isNull(sqlite3_value* value) { return sqlite3_value_type(value) == SQLITE_NULL; }

// recorded_time(hour, first_us, last_us, state, flags, ranges, from_us, to_us), rows in order of their hour
void step(sqlite3_context* context, int, sqlite3_value** row) {
  RecordedTime** const place = held(context, true);
  if (place == nullptr) return sqlite3_result_error_nomem(context);
  if (*place == nullptr) *place = new RecordedTime;
  RecordedTime& time = **place;
  const int64_t firstUs = sqlite3_value_int64(row[1]), lastUs = sqlite3_value_int64(row[2]);
  const double fromUs = sqlite3_value_double(row[6]), toUs = sqlite3_value_double(row[7]);  // as JavaScript has them, and compares
  const bool known = sqlite3_value_int(row[3]) == kClosed && (sqlite3_value_int(row[4]) & kDamaged) == 0;
  if (known && (isNull(row[1]) || isNull(row[2]) || asNumber(lastUs) <= fromUs || asNumber(firstUs) >= toUs)) return;
  if (!known || asNumber(firstUs) < fromUs || asNumber(lastUs) > toUs) return time.addUnread(sqlite3_value_int64(row[0]));
  if (isNull(row[5])) return time.add(firstUs, lastUs);
  const auto* const packed = static_cast<const uint8_t*>(sqlite3_value_blob(row[5]));
  const int bytes = sqlite3_value_bytes(row[5]);
  int64_t range[2];
  for (int at = 0; at + static_cast<int>(sizeof range) <= bytes; at += sizeof range) {
    std::memcpy(range, packed + at, sizeof range);
    time.add(range[0], range[1]);
  }
}

void finish(sqlite3_context* context) {
  RecordedTime** const place = held(context, false);
  if (place == nullptr || *place == nullptr) return;  // without a row: NULL
  const std::vector<double>& pairs = (*place)->pairs();
  sqlite3_result_blob64(context, pairs.data(), pairs.size() * sizeof(double), SQLITE_TRANSIENT);
  delete *place;
}

}  // namespace

int addRecordedTime(sqlite3* db) {
  return sqlite3_create_function_v2(db, "recorded_time", 8, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr, nullptr, step, finish, nullptr);
}

}  // namespace reelvault
