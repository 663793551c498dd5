#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"
#include "writer/file_ops.h"
#include "writer/index.h"
#include "writer/slab_pool.h"

namespace reelvault {

/// dvr/<stream>/2026/11/21/14.ts
std::string reelPathOf(const std::string& stream, int64_t hourUs);
/// .reelvault/open/<stream>
std::string markerPathOf(const std::string& stream);

struct BlockBuffer {
  alignas(kBlockBytes) uint8_t bytes[kBlockBytes];
};

/// The two files of a reel that is being written. `base`: length of the reel before this session.
struct ReelFile {
  UniqueFd reel, index;
  uint64_t base = 0;
  uint32_t nextSequence = 0;
  bool existed = false;
  std::shared_ptr<BlockBuffer> head{};  ///< the block in which `base` lies, when it lies inside one
};

/// Procedure "Create" of docs/archive.md. A reel of the same hour is first recovered, then taken up at its exact end. EBUSY: another writer has it.
Result<ReelFile> openReelFile(int volumeFd, const std::string& stream, const IndexHeader& header, FileOps& ops);
/// Appends records behind those that are there.
Failure appendRecords(const ReelFile& file, const std::string& bytes, uint32_t firstSequence, const std::string& path, FileOps& ops);

}  // namespace reelvault
