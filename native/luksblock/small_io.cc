#include "luksblock/small_io.h"

#include <poll.h>

#include <cerrno>
#include <new>

#include "luksblock/replies.h"

namespace reelvault::luksblock {
namespace {

constexpr uint64_t kFuseTag = ~uint64_t{0};
thread_local SmallIo* own = nullptr;

}  // namespace

std::unique_ptr<SmallIo> SmallIo::make(Plane& plane, Worker& worker, Counters& counters, int fuseFd) {
  if (!plane.mode().direct) return nullptr;
  std::unique_ptr<SmallIo> made(new SmallIo(plane, worker, counters, fuseFd));
  if (!made->start()) return nullptr;
  own = made.get();
  return made;
}

SmallIo::SmallIo(Plane& plane, Worker& worker, Counters& counters, int fuseFd)
    : plane(plane),
      worker(worker),
      counters(counters),
      fuseFd(fuseFd),
      memory(static_cast<uint8_t*>(std::aligned_alloc(kMemoryAlign, kSmallSlots * kSmallRequest))) {
  if (!memory) throw std::bad_alloc();
  for (unsigned index = 0; index < kSmallSlots; index += 1) {
    slots[index].buffer = memory.get() + index * kSmallRequest;
    free[index] = index;
  }
  freeCount = kSmallSlots;
}

bool SmallIo::start() {
  // Completions are looked at where they are waited for, interrupt nothing, and can be seen without a system call; older kernels have
  // no such ring.
  for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0U}) {
    if (io_uring_queue_init(kSmallSlots * 2, &ring, flags) != 0) continue;
    started = true;
    return true;
  }
  return false;
}

// The disk may still write into the buffers: they stay until it is done.
SmallIo::~SmallIo() {
  if (!started) return;
  own = nullptr;
  while (freeCount != kSmallSlots) {
    (void)io_uring_submit_and_wait(&ring, 1);
    reap();
  }
  io_uring_queue_exit(&ring);
}

SmallIo* SmallIo::mine() { return own; }

bool SmallIo::takes(uint64_t offset, size_t length) const {
  return freeCount != 0 && length != 0 && length <= kSmallRequest && plane.wholeUnits(offset, length);
}

// The ring has twice the entries that can be under way.
io_uring_sqe* SmallIo::entry() {
  io_uring_sqe* made = io_uring_get_sqe(&ring);
  while (made == nullptr) {
    (void)io_uring_submit(&ring);
    made = io_uring_get_sqe(&ring);
  }
  return made;
}

SmallIo::Slot& SmallIo::takeSlot(fuse_req_t request, uint64_t offset, size_t length, bool writing) {
  freeCount -= 1;
  Slot& slot = slots[free[freeCount]];
  slot.request = request;
  slot.offset = offset;
  slot.length = static_cast<uint32_t>(length);
  slot.writing = writing;
  return slot;
}

unsigned SmallIo::indexOf(const Slot& slot) const { return static_cast<unsigned>(&slot - slots.data()); }

void SmallIo::read(fuse_req_t request, uint64_t offset, size_t length) {
  Slot& slot = takeSlot(request, offset, length, false);
  io_uring_sqe* made = entry();
  io_uring_prep_read(made, plane.descriptor(), slot.buffer, slot.length, plane.position(offset));
  io_uring_sqe_set_data64(made, indexOf(slot));
  submit();
}

bool SmallIo::write(fuse_req_t request, uint64_t offset, std::span<const uint8_t> bytes) {
  unsigned range = 0;
  if (!plane.beginWrite(offset, bytes.size(), range)) return false;
  Slot& slot = takeSlot(request, offset, bytes.size(), true);
  slot.range = range;
  writing += 1;
  const bool sealed = worker.cipher.encrypt(offset, bytes.data(), slot.buffer, bytes.size());
  if (const int error = sealed ? plane.announce(offset, {slot.buffer, slot.length}, slot.logged) : EIO) {
    plane.endWrite(range);
    writing -= 1;
    replyError(request, counters, counters.writeErrors, error);
    free[freeCount++] = indexOf(slot);
    return true;
  }
  io_uring_sqe* made = entry();
  io_uring_prep_write(made, plane.descriptor(), slot.buffer, slot.length, plane.position(offset));
  io_uring_sqe_set_data64(made, indexOf(slot));
  submit();
  return true;
}

// At once: the disk works on it while the next request is read. EINTR, EAGAIN, EBUSY: the entry stays in the ring for the next call.
void SmallIo::submit() { (void)io_uring_submit(&ring); }

void SmallIo::listen() {
  if (listening) return;
  io_uring_sqe* made = entry();
  io_uring_prep_poll_add(made, fuseFd, POLLIN);
  io_uring_sqe_set_data64(made, kFuseTag);
  listening = true;
  submit();
}

void SmallIo::wait() {
  listen();
  const auto found = [this] {
    io_uring_cqe* done = nullptr;
    return io_uring_peek_cqe(&ring, &done) == 0;
  };
  if (!poll.look(found)) (void)io_uring_submit_and_wait(&ring, 1);
  poll.over();
  reap();
  if (flushNow) plane.flushAhead();
  flushNow = false;
}

void SmallIo::reap() {
  io_uring_cqe* done = nullptr;
  while (io_uring_peek_cqe(&ring, &done) == 0) {
    const uint64_t tag = done->user_data;
    const int result = done->res;
    io_uring_cqe_seen(&ring, done);
    if (tag == kFuseTag) listening = false;
    else finish(slots[tag], result);
  }
}

void SmallIo::finish(Slot& slot, int result) {
  if (slot.writing) finishWrite(slot, result);
  else finishRead(slot, result);
  free[freeCount++] = indexOf(slot);
}

// Whatever is not the whole is done once more the blocking way, which goes on after a part and finds the error.
void SmallIo::finishRead(Slot& slot, int result) {
  std::span<const uint8_t> bytes(slot.buffer, slot.length);
  int error = 0;
  if (result != static_cast<int>(slot.length)) error = plane.read(worker, slot.offset, slot.length, bytes);
  else if (!worker.cipher.decrypt(slot.offset, slot.buffer, slot.buffer, slot.length)) error = EIO;
  if (error != 0) replyError(slot.request, counters, counters.readErrors, error);
  else replyRead(slot.request, counters, bytes);
}

void SmallIo::finishWrite(Slot& slot, int result) {
  const bool whole = result == static_cast<int>(slot.length);
  int error = plane.answered(slot.logged, whole ? 0 : result < 0 ? -result : EIO);
  if (!whole) error = plane.writeSealed(slot.offset, {slot.buffer, slot.length});
  plane.endWrite(slot.range);
  writing -= 1;
  if (ahead.wrote(writing == 0) && plane.flushesQuickly()) flushNow = true;
  if (error != 0) replyError(slot.request, counters, counters.writeErrors, error);
  else replyWritten(slot.request, counters, slot.length);
}

}  // namespace reelvault::luksblock
