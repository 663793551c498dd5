#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "writer/index.h"

namespace reelvault {

struct Rescan {
  std::vector<IndexRecord> records;  ///< without sequence numbers; times as if the media clock had started at `formerEndUs`
  uint64_t goodEnd = 0;              ///< offset in the reel behind the last whole packet
};

/// Finds the segments in bytes `from`..`to` of a reel. With `torn`, the bytes end where a crash left them: the first ones that
/// never reached the disk end the scan, and a part of a packet is not taken. Without, every byte up to `to` belongs to a segment.
Result<Rescan> rescanReel(int fd, uint64_t from, uint64_t to, int64_t formerEndUs, bool torn, bool evidence);

}  // namespace reelvault
