#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "writer/file_ops.h"
#include "writer/index.h"

namespace reelvault {

/// What is known of the bytes that are looked through.
enum class Unnamed : uint8_t {
  torn,     ///< a crash left them: the first ones that never reached the disk end the scan, and a part of a packet is not taken
  durable,  ///< they were on disk once: what is damaged of them or cannot be read is passed over, and the scan goes on behind it
};

/// Finds the segments in bytes `from`..`to` of a reel: records without sequence numbers, with times as if the media clock had started at `formerEndUs`.
Result<std::vector<IndexRecord>> rescanReel(FileOps& ops, int fd, uint64_t from, uint64_t to, int64_t formerEndUs, Unnamed unnamed, bool evidence);
/// The first byte from `from` on that is no zero, or that the disk does not give back; `to` where there is none.
Result<uint64_t> skipZeros(FileOps& ops, int fd, uint64_t from, uint64_t to);

}  // namespace reelvault
