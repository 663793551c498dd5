#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "writer/file_ops.h"
#include "writer/index.h"

namespace reelvault {

struct RecoveryReport {
  uint64_t records = 0;   ///< in the index now
  uint64_t indexed = 0;   ///< bytes of the reel that they name
  uint64_t cutBytes = 0;  ///< taken off the reel's end
  uint64_t added = 0;     ///< records for segments that had none
  uint64_t lost = 0;      ///< records that hold and whose bytes the reel does not have: acknowledged once, gone now
  uint64_t leftOver = 0;  ///< bytes that stay in the reel and belong to no segment
};

struct RecoveryOptions {
  /// The header of the session that takes the reel up, where one does: its flags are added to the index's, and its UUID put where none is.
  IndexHeader session{};
  /// No marker names the reel: whoever wrote it closed it, so all of its bytes were durable and none is cut off but zeros at the end.
  bool closed = false;
};

/// "2026/11/21/14.ts"
std::string hourPathOf(int64_t hourUs);
/// "14.ts" → "14.idx"
std::string indexPathOf(const std::string& reelPath);

struct ReelIndex {
  IndexHeader header;
  bool headerHolds = false;
  std::vector<IndexRecord> records;  ///< those that hold, by offset
  bool exact = false;                ///< the file holds these and nothing else
};
/// Reads an index. Records that do not hold, name bytes beyond `reelBytes`, or overlap the one before are left out.
ReelIndex readIndex(const std::string& contents, uint64_t reelBytes);

/// Brings one reel and its index in accord (I1); the procedure is in docs/archive.md ("Recover"). May be called again at any time, and after
/// a crash in the middle of it. EBUSY while a writer has the reel. ENOENT when there is no reel.
Result<RecoveryReport> recoverReel(int dirFd, const std::string& reelPath, FileOps& ops = systemFileOps(), const RecoveryOptions& options = {});

}  // namespace reelvault
