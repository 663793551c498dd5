#include "writer/writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/crc32c.h"
#include "core/stream_copy.h"
#include "writer/write_plan.h"

namespace reelvault {

Result<std::unique_ptr<Writer>> Writer::make(const WriterOptions& options, EventSink& sink, FileOps& ops) {
  // A ring to see whether there are any: each volume gets one of its own.
  BackendKind backend = BackendKind::pwrite;
  if (options.backend != BackendKind::pwrite) {
    auto ring = makeUringBackend();
    if (ring.ok()) backend = BackendKind::ioUring;
    else if (options.backend == BackendKind::ioUring) return ring.failure;
  }
  std::unique_ptr<Writer> writer(new Writer(options, backend, sink, ops));
  if (!writer->shared_.pool.ok()) return Failure{ENOMEM, "reserve the staging memory"};
  return writer;
}

Writer::Writer(const WriterOptions& options, BackendKind backend, EventSink& sink, FileOps& ops)
    : wanted_(options.backend),
      backend_(backend),
      highMark_(highMarkOf(options.stagingBytes)),
      interval_(options.commitIntervalMs),
      shared_(options.stagingBytes, sink, ops) {}

Writer::~Writer() { stop(); }

void Writer::stop() {
  for (auto& [id, volume] : volumes_) volume->stop();
  for (auto& [id, volume] : volumes_) volume->loop().stop();
}

Result<int> Writer::addVolume(UniqueFd directory, const VolumeUuid& uuid) {
  std::unique_ptr<IoBackend> io;
  if (backend_ == BackendKind::ioUring) {
    auto ring = makeUringBackend();
    if (!ring.ok() && wanted_ == BackendKind::ioUring) return ring.failure;
    io = std::move(ring.value);
  }
  if (!io) io = makePwriteBackend();
  const int id = nextVolume_++;
  volumes_[id] = std::make_unique<Volume>(id, std::move(directory), uuid, interval_, shared_, std::move(io));
  return id;
}

Failure Writer::removeVolume(int volume) {
  const auto found = volumes_.find(volume);
  if (found == volumes_.end()) return {ENOENT, "find the volume"};
  {
    const std::lock_guard lock(shared_.mutex);
    if (!found->second->empty()) return {EBUSY, "remove the volume: sessions are open"};
  }
  volumes_.erase(found);
  return Failure::none();
}

Result<int> Writer::openStream(const StreamOptions& options) {
  const auto volume = volumes_.find(options.volume);
  if (volume == volumes_.end()) return Failure{ENOENT, "find the volume"};
  const std::lock_guard lock(shared_.mutex);
  if (volume->second->writes(options.name)) return Failure{EBUSY, "open the stream: it is being written"};
  if ((streams_.size() + 1) * kReservedSlabs > shared_.pool.total() / 4 * 3) return Failure{ENOBUFS, "open the stream: too little staging memory for so many"};
  const int id = streams_.nextId();
  if (id == 0) return Failure{ENOBUFS, "open the stream: there are as many as a writer can have"};
  const auto stream = std::make_shared<Stream>(id, options.volume, options.name, options.evidence, options.segmentMs, options.lastEndUs,
                                               options.gapReasons, volume->second->share());
  volume->second->add(stream);
  streams_.add(stream);
  return id;
}

int64_t Writer::append(int id, const uint8_t* data, size_t length, int64_t nowUs) {
  const auto* found = streams_.find(id);
  if (found == nullptr) return kRefused;
  const std::shared_ptr<Stream>& stream = *found;
  stream->segmenter.expect();
  if (const SlabPlace& fill = stream->fill; !fill.spent()) {
    // The copy goes past the cache, but for the two lines that it shares with those before and after.
    __builtin_prefetch(fill.data + fill.at, 1);
    __builtin_prefetch(fill.data + std::min(fill.at + length, kSlabBytes - 1), 1);
  }
  if (stream->inputEnded || stream->failed.load(std::memory_order_relaxed)) return kRefused;
  if (!reserve(*stream, length)) {
    const std::lock_guard lock(shared_.mutex);
    if (stream->failed) return kRefused;
    block(stream);
    // Memory is short because little streams wait for their commits: bring those forward.
    for (auto& [key, volume] : volumes_) volume->hurry();
    return kNotTaken;
  }
  stream->firstBytes.keep(stream->received, data, length);
  stream->chunkBegin = stream->received;
  stream->formerChunkMs = std::exchange(stream->chunkMs, monotonicMs());
  copyIn(*stream, data, length);
  const bool good = stream->segmenter.feed(data, length, nowUs);
  const int64_t queued = publish(stream, data, length);
  if (good) return queued;
  reportNoTransportStream(*stream);
  endInput(stream);
  return queued;
}

// Staging memory for all the bytes, or none of it.
bool Writer::reserve(Stream& stream, size_t length) {
  const size_t room = stream.fill.spent() ? 0 : kSlabBytes - stream.fill.at;
  if (length <= room) return true;
  const std::lock_guard lock(shared_.mutex);
  uint64_t begin = stream.received + room;
  uint32_t skip = 0;
  // Memory is laid out as the file will be, so that whole slabs can be written as they are.
  if (!stream.reels.empty() && begin >= stream.reels.back().begin) skip = static_cast<uint32_t>(stream.reels.back().fileOffset(begin) % kBlockBytes);
  const size_t needed = (length - room + skip + kSlabBytes - 1) / kSlabBytes;
  if (stream.failed || !shared_.pool.mayTake(stream.share, needed)) return false;
  for (size_t i = 0; i < needed; i++) {
    Slab* slab = shared_.pool.take(stream.share);
    slab->begin = begin;
    slab->skip = skip;
    begin += kSlabBytes - skip;
    skip = 0;
    if (stream.tail != nullptr) stream.tail->next = slab;
    else stream.head = slab;
    stream.tail = slab;
    // A full slab may be given back as soon as one follows it: from here on it must not be asked for the next.
    for (SlabPlace* place : {&stream.fill, &stream.unsummed})
      if (place->spent()) place->goTo(slab);
  }
  return true;
}

// A follower may be asked for without the mutex: it came from reserve(), in this thread, and the slab that it follows holds bytes which nobody else
// knows yet to be received, or settled.
void Writer::copyIn(Stream& stream, const uint8_t* data, size_t length) {
  SlabPlace& fill = stream.fill;
  while (length > 0) {
    if (fill.spent()) fill.goTo(fill.slab->next);
    const size_t take = std::min(length, kSlabBytes - fill.at);
    streamCopy(fill.data + fill.at, data, take);
    fill.at += take, data += take, length -= take;
  }
}

// Here most of the bytes are still at hand, in the chunk that brought them: when their write is due they no longer are, and reading them costs more than
// summing them.
void Writer::sumSettled(Stream& stream, const uint8_t* chunk) {
  SlabPlace& place = stream.unsummed;
  const auto sumTo = [&stream, &place, chunk](uint64_t end) {
    while (stream.summed < end) {
      size_t take = std::min<uint64_t>(end - stream.summed, kSlabBytes - place.at);
      const uint8_t* from = place.data + place.at;
      if (chunk != nullptr && stream.summed >= stream.chunkBegin) from = chunk + (stream.summed - stream.chunkBegin);
      else if (chunk != nullptr) take = std::min<uint64_t>(take, stream.chunkBegin - stream.summed);
      stream.crc = crc32c(stream.crc, from, take);
      stream.summed += take, place.at += take;
      if (place.spent() && place.slab->next != nullptr) place.goTo(place.slab->next);
    }
  };
  for (const Segment& segment : stream.segmenter.finished()) {
    sumTo(segment.end);
    stream.crcs.push_back(std::exchange(stream.crc, 0));
  }
  sumTo(stream.segmenter.settled());
}

// Makes what append did known to the other threads. Most chunks end no segment and make nothing due: those need no mutex.
int64_t Writer::publish(const std::shared_ptr<Stream>& stream, const uint8_t* chunk, size_t length) {
  const uint64_t received = stream->received.load(std::memory_order_relaxed) + length;
  const uint64_t settled = stream->segmenter.settled();
  sumSettled(*stream, chunk);
  // Only now: what the copying left under way came to its end meanwhile.
  publishStreamCopies();
  stream->received.store(received, std::memory_order_relaxed);
  const bool firstReel = !stream->placed && stream->segmenter.open();
  const bool toPlace = firstReel || !stream->segmenter.finished().empty() || stream->inputEnded;
  if (!toPlace) {
    stream->settled.store(settled, std::memory_order_release);
    // What the other threads did meanwhile only makes these smaller: nothing due is overlooked.
    const uint64_t queued = received - stream->written.load(std::memory_order_relaxed);
    const bool due = settled - stream->submitted.load(std::memory_order_relaxed) >= dueBytes(shared_.pool);
    if (!due && queued <= highMark_ && !stream->failed.load(std::memory_order_relaxed)) return static_cast<int64_t>(queued);
  }
  const std::lock_guard lock(shared_.mutex);
  if (stream->failed) return kRefused;
  if (toPlace) {
    placeSegments(*stream);
    stream->settled = settled;
  }
  if (firstReel) volumes_.at(stream->volume)->hurry();
  // The writing thread comes back to the stream by itself as long as a write of it is under way.
  const bool wake = settled - stream->submitted >= dueBytes(shared_.pool) && stream->openReel() != nullptr && stream->underWay.size() < kWritesPerStream &&
                    !stream->partialUnderWay && !stream->queued;
  if (wake) {
    WriteLoop& loop = volumes_.at(stream->volume)->loop();
    loop.enqueue(stream);
    loop.wake();
  }
  if (stream->queuedBytes() > highMark_) block(stream);
  return static_cast<int64_t>(stream->queuedBytes());
}

// Finished segments go to the reel of their hour.
void Writer::placeSegments(Stream& stream) {
  std::vector<Segment>& finished = stream.segmenter.finished();
  const auto add = [&stream](int64_t startUs, uint64_t begin) {
    Reel& reel = stream.reels.emplace_back();
    reel.hourUs = hourOf(startUs);
    reel.path = reelPathOf(stream.name, reel.hourUs);
    reel.begin = begin;
  };
  if (!stream.placed && stream.segmenter.open()) {
    stream.placed = true;
    add(finished.empty() ? stream.segmenter.currentStartUs() : finished.front().startUs, 0);
  }
  for (size_t i = 0; i < finished.size(); i++) {
    const Segment& segment = finished[i];
    Reel& reel = stream.reels.back();
    PendingSegment pending;
    pending.segment = segment;
    pending.crc32c = stream.crcs[i];
    pending.hashed = !stream.evidence;
    // A segment's end is known only when the next one begins, often a chunk later than its last byte came.
    pending.arrivedMs = segment.end <= stream.chunkBegin ? stream.formerChunkMs : stream.chunkMs;
    reel.pending.push_back(pending);
    Event event{.kind = EventKind::segment, .stream = stream.id, .reel = reel.path};
    event.records.push_back({.length = static_cast<uint32_t>(segment.end - segment.begin),
                             .flags = segment.flags,
                             .startUs = segment.startUs,
                             .firstPts = segment.firstPts,
                             .duration = segment.duration});
    shared_.cuts.push_back(std::move(event));
    const bool last = i + 1 == finished.size();
    if (last && stream.inputEnded) break;
    const int64_t nextUs = last ? stream.segmenter.currentStartUs() : finished[i + 1].startUs;
    if (hourOf(nextUs) == reel.hourUs) continue;
    reel.end = segment.end;
    add(nextUs, segment.end);
  }
  finished.clear();
  stream.crcs.clear();
  if (stream.inputEnded && !stream.reels.empty()) stream.reels.back().end = stream.segmenter.settled();
}

void Writer::endInput(const std::shared_ptr<Stream>& stream) {
  stream->inputEnded = true;
  (void)stream->segmenter.end();
  (void)publish(stream, nullptr, 0);
  const std::lock_guard lock(shared_.mutex);
  volumes_.at(stream->volume)->hurry();
}

void Writer::finish(int id) {
  const auto* found = streams_.find(id);
  if (found == nullptr) return;
  const std::shared_ptr<Stream> stream = *found;
  streams_.remove(id);
  if (!stream->inputEnded) {
    endInput(stream);
    if (stream->received > 0 && !stream->segmenter.parser().synced()) reportNoTransportStream(*stream);
  }
  const std::lock_guard lock(shared_.mutex);
  stream->finishing = true;
  volumes_.at(stream->volume)->hurry();
}

void Writer::noteGap(int id, uint32_t reasons) {
  if (const auto* stream = streams_.find(id)) (*stream)->segmenter.noteGap(reasons);
}

ts::Counters Writer::counters(int id) const {
  const auto* stream = streams_.find(id);
  return stream == nullptr ? ts::Counters{} : (*stream)->segmenter.parser().counters();
}

// Call with Shared::mutex held.
void Writer::block(const std::shared_ptr<Stream>& stream) {
  if (stream->blocked) return;
  stream->blocked = true;
  shared_.blocked.push_back(stream);
}

void Writer::reportNoTransportStream(const Stream& stream) {
  Event event{.kind = EventKind::error, .stream = stream.id, .notTransportStream = true, .expected = FirstBytes::kExpected};
  event.got = stream.firstBytes.got(stream.segmenter.parser());
  shared_.sink.report({std::move(event)});
}

}  // namespace reelvault
