#include "luksblock/replies.h"

namespace reelvault::luksblock {
namespace {

void count(std::atomic<uint64_t>& counter, uint64_t by = 1) { counter.fetch_add(by, std::memory_order_relaxed); }

}  // namespace

void replyError(fuse_req_t request, Counters& counters, std::atomic<uint64_t>& errors, int error) {
  count(errors);
  counters.lastError.store(error, std::memory_order_relaxed);
  fuse_reply_err(request, error);
}

void replyRead(fuse_req_t request, Counters& counters, std::span<const uint8_t> bytes) {
  count(counters.reads);
  count(counters.readBytes, bytes.size());
  fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void replyWritten(fuse_req_t request, Counters& counters, size_t size) {
  count(counters.writes);
  count(counters.writtenBytes, size);
  fuse_reply_write(request, size);
}

}  // namespace reelvault::luksblock
