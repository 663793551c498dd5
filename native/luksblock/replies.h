#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "luksblock/fuse_operations.h"
#include "luksblock/status.h"

namespace reelvault::luksblock {

/** Replies to a request of the payload and counts it; `errors` is the counter of its kind, `error` an errno. */
void replyError(fuse_req_t request, Counters& counters, std::atomic<uint64_t>& errors, int error);
void replyRead(fuse_req_t request, Counters& counters, std::span<const uint8_t> bytes);
void replyWritten(fuse_req_t request, Counters& counters, size_t size);

}  // namespace reelvault::luksblock
