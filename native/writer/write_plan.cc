#include "writer/write_plan.h"

#include <algorithm>
#include <cstring>

namespace reelvault {
namespace {

constexpr uint64_t blockFloor(uint64_t at) { return at / kBlockBytes * kBlockBytes; }
constexpr uint64_t blockCeil(uint64_t at) { return blockFloor(at + kBlockBytes - 1); }

uint64_t slabEnd(const Slab& slab) { return slab.next != nullptr ? slab.next->begin : slab.begin + kSlabBytes - slab.skip; }

/// Walks the slabs; offsets only grow.
class Cursor {
 public:
  explicit Cursor(Slab* slab) : slab_(slab) {}
  /// The bytes from session offset `at` on that lie in one piece.
  iovec piece(uint64_t at) {
    while (at >= slabEnd(*slab_)) slab_ = slab_->next;
    return {slab_->data + slab_->skip + (at - slab_->begin), static_cast<size_t>(slabEnd(*slab_) - at)};
  }

 private:
  Slab* slab_;
};

// Where in the file the next write ends; 0: nothing to write now.
uint64_t nextEnd(const Stream& stream, const Reel& reel, uint64_t due) {
  const uint64_t limit = std::min(stream.settled.load(std::memory_order_acquire), reel.end);
  if (limit <= stream.submitted) return 0;
  const uint64_t begin = reel.fileOffset(stream.submitted);
  const uint64_t whole = blockFloor(reel.fileOffset(limit));
  uint64_t end = whole >= begin + due ? whole : 0;
  if (limit == reel.end) end = reel.fileOffset(limit);
  else if (stream.flushTo > stream.submitted) end = std::max(whole, reel.fileOffset(std::min(limit, stream.flushTo)));
  return end <= begin ? 0 : std::min(end, blockFloor(begin) + kWriteMost);
}

bool alignedPiece(const iovec& piece) { return reinterpret_cast<uintptr_t>(piece.iov_base) % kBlockBytes == 0 && piece.iov_len >= kBlockBytes; }

}  // namespace

bool planWrite(Stream& stream, WriteOperation& operation, uint64_t due) {
  Reel* reel = stream.openReel();
  if (reel == nullptr || stream.failed || stream.partialUnderWay || stream.underWay.size() >= kWritesPerStream) return false;
  if (stream.submitted >= reel->end) return false;
  const uint64_t fileEnd = nextEnd(stream, *reel, due);
  if (fileEnd == 0) return false;

  const uint64_t fileBegin = blockFloor(reel->fileOffset(stream.submitted));
  const auto session = [reel](uint64_t fileAt) { return reel->begin + (fileAt - reel->file.base); };
  Cursor cursor(stream.head);
  operation.blocks.clear();
  // The blocks must not move once an iovec points at them.
  operation.blocks.reserve((blockCeil(fileEnd) - fileBegin) / kBlockBytes);
  size_t count = 0;
  uint64_t at = fileBegin;
  while (at < fileEnd && count < operation.iov.size()) {
    if (at >= reel->file.base && fileEnd - at >= kBlockBytes) {
      const iovec piece = cursor.piece(session(at));
      if (alignedPiece(piece)) {
        const uint64_t run = blockFloor(std::min<uint64_t>(piece.iov_len, fileEnd - at));
        operation.iov[count++] = {piece.iov_base, run};
        at += run;
        continue;
      }
    }
    BlockBuffer& block = operation.blocks.emplace_back();
    const uint64_t blockEnd = std::min(at + kBlockBytes, fileEnd);
    uint64_t from = at;
    if (from < reel->file.base) {
      from = reel->file.base;
      std::memcpy(block.bytes, reel->file.head->bytes, from - at);
    }
    while (from < blockEnd) {
      const iovec piece = cursor.piece(session(from));
      const size_t take = std::min<uint64_t>(piece.iov_len, blockEnd - from);
      std::memcpy(block.bytes + (from - at), piece.iov_base, take);
      from += take;
    }
    std::memset(block.bytes + (blockEnd - at), 0, kBlockBytes - (blockEnd - at));
    const bool joins = count > 0 && static_cast<uint8_t*>(operation.iov[count - 1].iov_base) + operation.iov[count - 1].iov_len == block.bytes;
    if (joins) operation.iov[count - 1].iov_len += kBlockBytes;
    else operation.iov[count++] = {block.bytes, kBlockBytes};
    at += kBlockBytes;
  }
  const uint64_t reached = std::min(at, fileEnd);

  operation.fd = reel->file.reel.get();
  operation.first = 0;
  operation.count = count;
  operation.offset = fileBegin;
  operation.length = at - fileBegin;
  operation.done = false;
  operation.direct = true;
  operation.begin = stream.submitted;
  operation.end = session(reached);
  operation.exactCount = 0;
  if (stream.evidence) {
    Cursor exact(stream.head);
    for (uint64_t from = operation.begin; from < operation.end;) {
      iovec piece = exact.piece(from);
      piece.iov_len = std::min<uint64_t>(piece.iov_len, operation.end - from);
      operation.exact[operation.exactCount++] = piece;
      from += piece.iov_len;
    }
  }
  stream.partialUnderWay = reached % kBlockBytes != 0;
  stream.submitted = operation.end;
  stream.underWay.push_back(&operation);
  return true;
}

void releaseWritten(Stream& stream, SlabPool& pool) {
  const uint64_t written = stream.written;
  uint64_t keep = written;
  // The last block may be written again; its beginning must stay at hand.
  for (const Reel& reel : stream.reels) {
    if (written < reel.begin || written >= reel.end) continue;
    const uint64_t inBlock = reel.fileOffset(written) % kBlockBytes;
    keep = std::max(reel.begin, written - std::min(inBlock, written));
  }
  while (stream.head != nullptr && stream.head->next != nullptr && stream.head->next->begin <= keep) {
    Slab* slab = stream.head;
    stream.head = slab->next;
    pool.give(slab, stream.share);
  }
}

void releaseAll(Stream& stream, SlabPool& pool) {
  while (stream.head != nullptr) {
    Slab* slab = stream.head;
    stream.head = slab->next;
    pool.give(slab, stream.share);
  }
  stream.tail = nullptr;
}

void closeHashes(Stream& stream) {
  for (Reel& reel : stream.reels) {
    for (PendingSegment& pending : reel.pending) {
      if (pending.hashed) continue;
      if (pending.segment.end != stream.hashed) return;
      pending.sha256 = stream.sha.finish();
      pending.hashed = true;
    }
  }
}

}  // namespace reelvault
