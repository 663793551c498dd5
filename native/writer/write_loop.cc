#include "writer/write_loop.h"

#include <pthread.h>

#include <algorithm>

#include "core/crc32c.h"
#include "writer/write_plan.h"

namespace reelvault {

size_t highMarkOf(size_t stagingBytes) { return std::clamp<size_t>(stagingBytes / 8, 512 * 1024, 8 * 1024 * 1024); }

void drainBlocked(Shared& shared, std::vector<Event>& events) {
  const uint64_t low = highMarkOf(shared.pool.total() * kSlabBytes) / 2;
  std::erase_if(shared.blocked, [&](const std::shared_ptr<Stream>& stream) {
    const PoolShare& share = stream->share;
    if (!stream->failed && (stream->queuedBytes() > low || shared.pool.room(share) < shared.pool.limit(share) / 4)) return false;
    stream->blocked = false;
    events.push_back({.kind = EventKind::drain, .stream = stream->id});
    return true;
  });
}

void failStream(Shared& shared, Stream& stream, Failure failure, std::vector<Event>& events) {
  if (stream.failed) return;
  stream.failure = failure;
  stream.failed = true;
  events.push_back({.kind = EventKind::error,
                    .stream = stream.id,
                    .reel = stream.reels.empty() ? std::string() : stream.reels.front().path,
                    .error = failure.error,
                    .expected = "to " + failure.what});
  shared.progress.notify_all();
}

WriteLoop::WriteLoop(Shared& shared, std::unique_ptr<IoBackend> backend) : shared_(shared), backend_(std::move(backend)) {
  for (size_t i = 0; i < IoBackend::kDepth; i++) {
    operations_.push_back(std::make_unique<WriteOperation>());
    idle_.push_back(operations_.back().get());
  }
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "rv-write");
}

WriteLoop::~WriteLoop() { stop(); }

void WriteLoop::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  backend_->wake();
  thread_.join();
}

void WriteLoop::enqueue(const std::shared_ptr<Stream>& stream) {
  if (stream->queued) return;
  stream->queued = true;
  ready_.push_back(stream);
}

void WriteLoop::wake() {
  if (!awake_.exchange(true)) backend_->wake();
}

void WriteLoop::run() {
  std::vector<Event> events;
  while (!stop_ || idle_.size() < operations_.size()) {
    // Before looking at the queue: whoever puts something in later wakes us again.
    awake_ = false;
    if (!stop_) start();
    done_.clear();
    backend_->wait(done_);
    if (done_.empty()) continue;
    for (WriteRequest* request : done_) {
      const bool direct = static_cast<const WriteOperation&>(*request).direct;
      request->result = shared_.ops.writeResult(request->fd, static_cast<int>(request->result), direct);
    }
    {
      const std::lock_guard lock(shared_.mutex);
      for (WriteRequest* request : done_) complete(static_cast<WriteOperation&>(*request), events);
      drainBlocked(shared_, events);
    }
    if (!events.empty()) shared_.sink.report(std::exchange(events, {}));
  }
}

void WriteLoop::start() {
  std::unique_lock lock(shared_.mutex);
  while (!ready_.empty() && !idle_.empty()) {
    const std::shared_ptr<Stream> stream = ready_.front();
    if (stream->evidence) closeHashes(*stream);
    WriteOperation& operation = *idle_.back();
    if (!planWrite(*stream, operation, dueBytes(shared_.pool))) {
      ready_.pop_front();
      stream->queued = false;
      shared_.progress.notify_all();
      continue;
    }
    idle_.pop_back();
    operation.stream = stream;
    if (stream->evidence) hash(operation);
    // Streams take turns, so that a fast one does not hold up the others.
    ready_.pop_front();
    ready_.push_back(stream);
    lock.unlock();
    backend_->submit(&operation);
    lock.lock();
  }
}

// Segment by segment. The mutex is let go meanwhile: the slabs stay until the write is done.
void WriteLoop::hash(WriteOperation& operation) {
  Stream& stream = *operation.stream;
  size_t piece = 0;
  size_t inPiece = 0;
  while (stream.hashed < operation.end) {
    closeHashes(stream);
    uint64_t until = operation.end;
    for (const Reel& reel : stream.reels)
      for (const PendingSegment& pending : reel.pending)
        if (!pending.hashed) until = std::min(until, pending.segment.end);
    uint64_t left = until - stream.hashed;
    shared_.mutex.unlock();
    while (left > 0) {
      const iovec& part = operation.exact[piece];
      const size_t take = std::min<uint64_t>(left, part.iov_len - inPiece);
      stream.sha.update(static_cast<const uint8_t*>(part.iov_base) + inPiece, take);
      left -= take;
      inPiece += take;
      if (inPiece == part.iov_len) piece++, inPiece = 0;
    }
    shared_.mutex.lock();
    stream.hashed = until;
  }
  closeHashes(stream);
}

bool WriteLoop::resume(WriteOperation& operation) {
  // Direct I/O goes on at a whole block only.
  uint64_t skip = static_cast<uint64_t>(operation.result) / kBlockBytes * kBlockBytes;
  if (skip == 0) return false;
  operation.offset += skip;
  operation.length -= skip;
  while (skip > 0) {
    iovec& part = operation.iov[operation.first];
    const size_t take = std::min<uint64_t>(skip, part.iov_len);
    part.iov_base = static_cast<uint8_t*>(part.iov_base) + take;
    part.iov_len -= take;
    skip -= take;
    if (part.iov_len == 0) operation.first++;
  }
  backend_->submit(&operation);
  return true;
}

void WriteLoop::complete(WriteOperation& operation, std::vector<Event>& events) {
  Stream& stream = *operation.stream;
  const std::string path = stream.reels.empty() ? std::string() : stream.reels.front().path;
  if (operation.result == -EINTR || operation.result == -EAGAIN) {
    backend_->submit(&operation);
    return;
  }
  if (operation.result == -EINVAL && operation.direct && usePageCache(operation.fd)) {
    // Each write that was under way when the first was refused comes back refused too: hence the mark on each.
    operation.direct = false;
    backend_->submit(&operation);
    return;
  }
  const bool whole = operation.result == static_cast<int64_t>(operation.length);
  if (!whole && operation.result > 0 && resume(operation)) return;
  operation.done = true;
  if (!whole) {
    // A write that stops short says so only by its length; the reason in practice is a full filesystem.
    const int error = operation.result < 0 ? static_cast<int>(-operation.result) : ENOSPC;
    failStream(shared_, stream, {error, "write " + path}, events);
    operation.end = operation.begin;
  }
  retire(stream);
}

void WriteLoop::retire(Stream& stream) {
  while (!stream.underWay.empty() && stream.underWay.front()->done) {
    WriteOperation& operation = *stream.underWay.front();
    stream.underWay.pop_front();
    // Behind a failed write nothing counts: a gap in the reel is the end of it.
    if (stream.written == operation.begin && operation.end > operation.begin) stream.written = operation.end;
    const std::shared_ptr<Stream> held = std::move(operation.stream);
    idle_.push_back(&operation);
    if (stream.underWay.empty()) stream.partialUnderWay = false;
    releaseWritten(stream, shared_.pool);
    enqueue(held);
  }
  shared_.progress.notify_all();
}

}  // namespace reelvault
