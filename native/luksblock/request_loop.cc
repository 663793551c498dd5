#include "luksblock/request_loop.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "luksblock/refusal.h"
#include "luksblock/request_threads.h"
#include "luksblock/small_io.h"

namespace reelvault::luksblock {
namespace {

/** A request's raw bytes; libfuse makes the memory at the first one. */
struct RawRequest {
  RawRequest() = default;
  ~RawRequest() { std::free(buffer.mem); }
  RawRequest(const RawRequest&) = delete;
  RawRequest& operator=(const RawRequest&) = delete;

  template <typename T>
  T at(size_t offset) const {
    T value;
    std::memcpy(&value, static_cast<const char*>(buffer.mem) + offset, sizeof value);
    return value;
  }

  fuse_buf buffer{};
};

// What the reading thread should not do itself: it would keep all others waiting.
bool takesLong(const RawRequest& raw, Plane& plane, const SmallIo* small) {
  const auto header = raw.at<fuse_in_header>(0);
  const bool plain = header.nodeid == kPlain;
  switch (header.opcode) {
    // Both begin with the file handle, the offset and the size.
    case FUSE_READ:
    case FUSE_WRITE: {
      const auto body = raw.at<fuse_read_in>(sizeof header);
      return !plain || small == nullptr || !small->takes(body.offset, body.size);
    }
    case FUSE_FSYNC:
    case FUSE_FLUSH: return plain && !plane.stable() && (small == nullptr || !small->flushes());
    // The status is made at its open, and waits for a growth that is under way.
    case FUSE_OPEN: return !plain;
    default: return false;
  }
}

// Syncs come in a rhythm: the next one may be begun before it is asked for.
void foresee(const RawRequest& raw, FlushAhead& forecast) {
  const auto header = raw.at<fuse_in_header>(0);
  if (header.nodeid != kPlain) return;
  if (header.opcode == FUSE_FSYNC) forecast.asked();
  if (header.opcode == FUSE_WRITE && raw.at<fuse_read_in>(sizeof header).size > kSmallRequest) forecast.streamed();
}

void waitReadable(int fd) {
  pollfd waited{fd, POLLIN, 0};
  poll(&waited, 1, -1);
}

}  // namespace

void serveRequests(fuse_session* session, Service& service) {
  const int fd = fuse_session_fd(session);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
    throw Refusal(Code::mount, "a FUSE device that need not be waited for", describeErrno("O_NONBLOCK", errno));
  const auto small = SmallIo::make(service.plane, service.workers.mine(), service.counters, fd);
  RequestThreads threads(session, service.workers.count() - 1);
  RawRequest raw;
  while (fuse_session_exited(session) == 0) {
    const int got = small != nullptr && small->full() ? -EAGAIN : fuse_session_receive_buf(session, &raw.buffer);
    if (got == -EINTR) continue;
    if (got == -EAGAIN) {
      if (small != nullptr) small->wait();
      else waitReadable(fd);
      continue;
    }
    if (got <= 0) break;
    if (small != nullptr) foresee(raw, small->forecast());
    if (takesLong(raw, service.plane, small.get())) threads.give(raw.buffer);
    else fuse_session_process_buf(session, &raw.buffer);
  }
}

}  // namespace reelvault::luksblock
