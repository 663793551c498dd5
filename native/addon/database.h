#pragma once

struct sqlite3;

namespace reelvault {

/// Gives the connection the function `recorded_time`. SQLite's code.
int addRecordedTime(sqlite3* db);

}  // namespace reelvault
