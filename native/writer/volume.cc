#include "writer/volume.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "writer/recovery.h"
#include "writer/write_plan.h"

namespace reelvault {
namespace {

constexpr size_t kFewFiles = 3;  ///< up to so many, fdatasync of each is cheaper than syncfs
constexpr uint64_t kAheadLeast = 8ull << 20;
constexpr uint64_t kAheadMost = 256ull << 20;
constexpr uint64_t kAheadStep = 1ull << 20;
constexpr uint64_t kAheadCommits = 4;  ///< as much as so many commits bring
constexpr uint64_t kAheadShare = 16;   ///< of all reels together never more than this part of the free space

std::string parentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

Volume::Volume(int id, UniqueFd directory, const VolumeUuid& uuid, std::chrono::milliseconds interval, Shared& shared, std::unique_ptr<IoBackend> backend)
    : id(id), directory_(std::move(directory)), uuid_(uuid), interval_(interval), shared_(shared), loop_(shared, std::move(backend)) {
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.pool.join(share_);
  }
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "rv-commit");
}

Volume::~Volume() {
  stop();
  loop_.stop();
  const std::lock_guard lock(shared_.mutex);
  for (const auto& [key, stream] : streams_) releaseAll(*stream, shared_.pool);
  shared_.pool.leave(share_);
}

bool Volume::writes(const std::string& name) const {
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) { return entry.second->name == name; });
}

void Volume::hurry() {
  urgent_ = true;
  wake_.notify_one();
}

void Volume::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(shared_.mutex);
    stop_ = true;
  }
  wake_.notify_one();
  shared_.progress.notify_all();
  thread_.join();
}

void Volume::run() {
  Lock lock(shared_.mutex);
  while (!stop_) {
    const auto due = std::chrono::steady_clock::now() + interval_;
    const auto wanted = [this] { return stop_ || urgent_; };
    if (streams_.empty()) wake_.wait(lock, wanted);
    else wake_.wait_until(lock, due, wanted);
    if (stop_) return;
    urgent_ = false;
    lock.unlock();
    round();
    lock.lock();
  }
}

void Volume::round() {
  std::vector<Event> events;
  openReels(events);
  commit(events);
  // A reel that is closed may make way for the next hour's: no need to wait a whole interval for that.
  const bool more = closeReels(events);
  report(events);
  if (!more) return;
  const std::lock_guard lock(shared_.mutex);
  urgent_ = true;
}

void Volume::report(std::vector<Event>& events) {
  {
    const std::lock_guard lock(shared_.mutex);
    events.insert(events.begin(), std::make_move_iterator(shared_.cuts.begin()), std::make_move_iterator(shared_.cuts.end()));
    shared_.cuts.clear();
  }
  if (!events.empty()) shared_.sink.report(std::exchange(events, {}));
}

void Volume::openReels(std::vector<Event>& events) {
  std::vector<std::shared_ptr<Stream>> wanting;
  Lock lock(shared_.mutex);
  for (const auto& [key, stream] : streams_)
    if (!stream->failed && !stream->reels.empty() && stream->reels.front().state == Reel::State::wanted) wanting.push_back(stream);
  for (const auto& stream : wanting) {
    Reel& reel = stream->reels.front();
    const IndexHeader header{.flags = stream->evidence ? kEvidence : 0, .hourUs = reel.hourUs, .uuid = uuid_};
    lock.unlock();
    auto file = openReelFile(directory_.get(), stream->name, header, shared_.ops);
    lock.lock();
    if (!file.ok()) {
      failStream(shared_, *stream, file.failure, events);
      continue;
    }
    reel.newOnDisk = !file.value.existed;
    reel.allocatedEnd = file.value.base;
    reel.durableEnd = reel.syncedEnd = reel.begin;
    reel.file = std::move(file.value);
    reel.state = Reel::State::open;
    loop_.enqueue(stream);
  }
  lock.unlock();
  if (!wanting.empty()) loop_.wake();
}

// Step 1 of "Commit": what of each stream goes into this commit.
Volume::Items Volume::gather(Lock& lock) {
  (void)lock;
  Items items;
  for (const auto& [key, stream] : streams_) {
    Reel* reel = stream->openReel();
    if (reel == nullptr || stream->abandoned) continue;
    const uint64_t limit = std::min(stream->settled.load(std::memory_order_acquire), reel->end);
    uint64_t target = limit;
    if (limit != reel->end) {
      // A block that is not full is written only when a finished segment ends in it.
      const uint64_t inBlock = reel->fileOffset(limit) % kBlockBytes;
      target = std::max(reel->begin, limit - std::min(inBlock, limit));
      for (const auto& pending : reel->pending) target = std::max(target, std::min(limit, pending.segment.end));
    }
    if (target <= reel->syncedEnd && reel->pending.empty()) continue;
    stream->flushTo = std::max(stream->flushTo, target);
    loop_.enqueue(stream);
    Item item;
    item.stream = stream;
    item.reel = reel;
    item.target = target;
    items.push_back(std::move(item));
  }
  return items;
}

// Step 2: their bytes are written, and summed.
void Volume::awaitWritten(Lock& lock, const Items& items) {
  for (const Item& item : items) {
    const Stream& stream = *item.stream;
    shared_.progress.wait(lock, [&] {
      if (stop_ || (stream.failed && stream.underWay.empty())) return true;
      if (stream.written < item.target) return false;
      return std::all_of(item.reel->pending.begin(), item.reel->pending.end(),
                         [&](const auto& pending) { return pending.hashed || pending.segment.end > item.target; });
    });
  }
}

// Which segments that makes whole, and their records.
void Volume::collect(Items& items) {
  for (Item& item : items) {
    Reel& reel = *item.reel;
    item.target = std::min(item.target, item.stream->written.load());
    uint32_t sequence = reel.file.nextSequence;
    for (const PendingSegment& pending : reel.pending) {
      if (pending.segment.end > item.target || !pending.hashed) break;
      const Segment& segment = pending.segment;
      const IndexRecord record{.offset = reel.fileOffset(segment.begin),
                               .length = static_cast<uint32_t>(segment.end - segment.begin),
                               .flags = segment.flags,
                               .startUs = segment.startUs,
                               .firstPts = segment.firstPts,
                               .duration = segment.duration,
                               .crc32c = pending.crc32c,
                               .sequence = sequence++,
                               .sha256 = pending.sha256};
      const IndexBytes bytes = encodeRecord(record);
      item.records.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      item.acknowledged.push_back(record);
      item.segments++;
    }
  }
  std::erase_if(items, [](const Item& item) { return item.target <= item.reel->syncedEnd && item.segments == 0; });
}

void Volume::sync(Items& items, Part part, bool whole) {
  const auto concerned = [part](const Item& item) { return !item.failure && (part == Part::reel || item.segments > 0); };
  const auto count = std::count_if(items.begin(), items.end(), concerned);
  if (count == 0) return;
  if (whole || static_cast<size_t>(count) > kFewFiles) {
    if (shared_.ops.volumeSync(directory_.get()) == 0) return;
    // Some file of the volume has an error, be it nobody's here. The kernel keeps what befell each file for those who have it open: each is asked itself.
  }
  for (Item& item : items)
    if (concerned(item)) item.failure = syncAlone(item, part);
}

Failure Volume::syncAlone(const Item& item, Part part) {
  const Reel& reel = *item.reel;
  const auto sync = [this](int fd, const std::string& path) { return shared_.ops.dataSync(fd) == 0 ? Failure::none() : Failure::last("sync " + path); };
  if (part == Part::index) return sync(reel.file.index.get(), indexPathOf(reel.path));
  if (auto failure = sync(reel.file.reel.get(), reel.path)) return failure;
  if (!reel.newOnDisk) return Failure::none();
  // Of a new reel also what leads to it: its index, the marker, and the directories of both.
  if (auto failure = sync(reel.file.index.get(), indexPathOf(reel.path))) return failure;
  const std::string marker = markerPathOf(item.stream->name);
  for (const std::string& path : {marker, reel.path}) {
    for (std::string at = path == marker ? path : parentOf(path); !at.empty(); at = parentOf(at)) {
      auto opened = openIn(directory_.get(), at, O_RDONLY);
      if (!opened.ok()) return opened.failure;
      if (auto failure = sync(opened.value.get(), at)) return failure;
    }
  }
  return sync(directory_.get(), "the root of the volume");
}

void Volume::commit(std::vector<Event>& events) {
  Lock lock(shared_.mutex);
  Items items = gather(lock);
  if (items.empty()) return;
  lock.unlock();
  loop_.wake();
  lock.lock();
  awaitWritten(lock, items);
  if (stop_) return;
  collect(items);
  lock.unlock();
  if (items.empty()) return;
  const bool fresh = std::any_of(items.begin(), items.end(), [](const Item& item) { return item.reel->newOnDisk; });
  // 3. The bytes are on disk. For a new reel that takes its directories and the marker with it.
  sync(items, Part::reel, fresh);
  // 4. Records only for bytes that are.
  for (Item& item : items) {
    if (item.failure || item.segments == 0) continue;
    const Failure failure = appendRecords(item.reel->file, item.records, item.reel->file.nextSequence, item.reel->path, shared_.ops);
    if (!failure) continue;
    // Nothing was promised yet: the stream ends with what was acknowledged before.
    lock.lock();
    failStream(shared_, *item.stream, failure, events);
    item.reel->pending.clear();
    lock.unlock();
    item.segments = 0;
    item.acknowledged.clear();
  }
  // 5. The records are on disk.
  sync(items, Part::index, false);
  lock.lock();
  acknowledge(items, events);
  lock.unlock();
  allocateAhead(items);
}

// Step 6: say so. After a failed sync nobody knows what is on disk, and asking again would be answered with a lie (fsyncgate).
void Volume::acknowledge(Items& items, std::vector<Event>& events) {
  const int64_t now = monotonicMs();
  for (Item& item : items) {
    Reel& reel = *item.reel;
    if (item.failure) {
      item.stream->abandoned = true;
      failStream(shared_, *item.stream, item.failure, events);
      continue;
    }
    item.fresh = item.target - std::min(item.target, reel.syncedEnd);
    reel.syncedEnd = std::max(reel.syncedEnd, item.target);
    reel.newOnDisk = false;
    if (item.segments == 0) continue;
    reel.durableEnd = reel.pending[item.segments - 1].segment.end;
    std::vector<int64_t> lags;
    for (size_t i = 0; i < item.segments; i++) lags.push_back(std::max<int64_t>(0, now - reel.pending[i].arrivedMs));
    reel.pending.erase(reel.pending.begin(), reel.pending.begin() + static_cast<ptrdiff_t>(item.segments));
    reel.file.nextSequence += static_cast<uint32_t>(item.segments);
    events.push_back(
        {.kind = EventKind::durable, .stream = item.stream->id, .reel = reel.path, .records = std::move(item.acknowledged), .lagsMs = std::move(lags)});
  }
}

// A write into blocks that the reel has, below the length that it has, goes on its way at once. One that makes a file longer waits for the journal, and
// io_uring gives it to a kernel thread.
void Volume::allocateAhead(Items& items) {
  struct statvfs space {};
  if (::fstatvfs(directory_.get(), &space) != 0) return;
  const uint64_t share = uint64_t{space.f_bavail} * space.f_frsize / kAheadShare / std::max<size_t>(items.size(), 1);
  for (Item& item : items) {
    Reel& reel = *item.reel;
    const uint64_t at = reel.fileOffset(item.target);
    const uint64_t size = std::min(share, std::clamp(kAheadCommits * item.fresh, kAheadLeast, kAheadMost)) / kAheadStep * kAheadStep;
    if (item.failure || at + size / 2 < reel.allocatedEnd || size == 0) continue;
    // A filesystem without fallocate, or short of space, works without: the writes themselves tell.
    if (shared_.ops.allocateAhead(reel.file.reel.get(), static_cast<off_t>(at), static_cast<off_t>(size)) != 0) continue;
    reel.allocatedEnd = at + size;
  }
}

bool Volume::closeReels(std::vector<Event>& events) {
  struct Closing {
    std::shared_ptr<Stream> stream;
    Reel* reel;
    Failure failure;
  };
  std::vector<Closing> closing;
  Lock lock(shared_.mutex);
  for (const auto& [key, stream] : streams_) {
    if (!stream->underWay.empty()) continue;
    Reel* reel = stream->openReel();
    if (reel == nullptr) continue;
    const auto& pending = reel->pending;
    const bool complete = pending.empty() && stream->written >= reel->end;
    // A stream that failed still gets what was written before acknowledged, by the next commit.
    const bool spent = stream->failed && (stream->abandoned || pending.empty() || !pending.front().hashed || pending.front().segment.end > stream->written);
    if (complete || spent) closing.push_back({stream, reel, Failure::none()});
  }
  lock.unlock();

  // "Close": exact length, on disk, then no marker any more. An abandoned reel is left to recovery, with its marker.
  Items kept;
  for (Closing& entry : closing) {
    if (entry.stream->abandoned) continue;
    ReelFile& file = entry.reel->file;
    const uint64_t length = entry.reel->fileOffset(entry.reel->durableEnd);
    const uint64_t indexLength = (uint64_t{file.nextSequence} + 1) * kIndexRecordBytes;
    const bool cut = shared_.ops.truncate(file.reel.get(), static_cast<off_t>(length)) == 0 && shared_.ops.truncate(file.index.get(), static_cast<off_t>(indexLength)) == 0;
    if (!cut) entry.failure = Failure::last("cut " + entry.reel->path + " to its length");
    Item item;
    item.stream = entry.stream;
    item.reel = entry.reel;
    item.segments = 1;
    item.failure = entry.failure;
    kept.push_back(std::move(item));
  }
  sync(kept, Part::reel, false);
  sync(kept, Part::index, false);
  for (const Item& item : kept) {
    const std::string& path = item.reel->path;
    Failure failure = item.failure;
    if (!failure && item.reel->file.nextSequence == 0 && item.reel->file.base == 0) {
      // Not one segment came to be, and no byte was there before: no reel.
      failure = removeFile(directory_.get(), indexPathOf(path));
      if (!failure) failure = removeFile(directory_.get(), path);
    }
    if (!failure) failure = removeFile(directory_.get(), markerPathOf(item.stream->name));
    if (!failure) continue;
    lock.lock();
    failStream(shared_, *item.stream, failure, events);
    lock.unlock();
  }

  bool more = false;
  lock.lock();
  std::list<Reel> closed;  // closes the files when the mutex is free again
  for (const Closing& entry : closing) closed.splice(closed.end(), entry.stream->reels, entry.stream->reels.begin());
  for (auto at = streams_.begin(); at != streams_.end();) {
    const std::shared_ptr<Stream> stream = at->second;
    if (stream->failed && stream->openReel() == nullptr) stream->reels.clear();
    more = more || (!stream->reels.empty() && stream->reels.front().state == Reel::State::wanted);
    if (!stream->finishing || !stream->reels.empty() || !stream->underWay.empty()) {
      ++at;
      continue;
    }
    releaseAll(*stream, shared_.pool);
    std::erase(shared_.blocked, stream);
    events.push_back({.kind = EventKind::finished, .stream = stream->id, .error = stream->failure.error, .expected = "to " + stream->failure.what});
    at = streams_.erase(at);
    share_.streams = streams_.size();
  }
  drainBlocked(shared_, events);
  lock.unlock();
  return more;
}

}  // namespace reelvault
