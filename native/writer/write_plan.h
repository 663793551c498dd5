#pragma once
#include "writer/stream.h"

namespace reelvault {

constexpr uint64_t kWriteLeast = 256 * 1024;  ///< without a commit, less is not written
constexpr uint64_t kWriteMost = 1024 * 1024;  ///< in one request
constexpr size_t kWritesPerStream = 4;
/// How much is worth a write. A request costs the same whatever its length, here and in the block plane below.
inline uint64_t dueBytes(const SlabPool& pool) { return pool.plenty() ? kWriteMost : kWriteLeast; }

/// Fills `operation` with the next write of the stream: whole blocks, out of the slabs where memory and file are aligned alike, through
/// blocks of its own where not (the rest of a reel's former session, the padded last block, bytes that a new reel took over).
/// False when there is nothing to write now, `due` being what is worth a write. Call with Shared::mutex held.
bool planWrite(Stream& stream, WriteOperation& operation, uint64_t due);
/// Gives back the slabs that no later write needs. Call with Shared::mutex held.
void releaseWritten(Stream& stream, SlabPool& pool);
/// Gives back all slabs: nothing of the stream is written any more.
void releaseAll(Stream& stream, SlabPool& pool);
/// Puts the hash of a segment that ends where the running one stands into its record. Call with Shared::mutex held.
void closeHashes(Stream& stream);

}  // namespace reelvault
