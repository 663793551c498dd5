#include "luksblock/plane.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

// The unit of direct I/O on this container: the sectors of a block device; for a file what statx says, else the file system's block size.
uint32_t directUnit(int fd) {
  int sector = 0;
  if (ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0) return static_cast<uint32_t>(sector);
  struct statx info {};
#ifdef STATX_DIOALIGN
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN | STATX_BASIC_STATS, &info) == 0 && (info.stx_mask & STATX_DIOALIGN) != 0)
    return info.stx_dio_offset_align;
#else
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) != 0) return 0;
#endif
  return info.stx_blksize;
}

bool setDirect(int fd, bool on) {
  const int flags = fcntl(fd, F_GETFL);
  return fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

// O_DIRECT where the file system takes it for every byte of the payload, proven by one read; else buffered with the reason.
IoMode chooseMode(int fd, const Layout& layout) {
  const IoMode buffered{false, layout.sectorSize, {}};
  const auto refuse = [&](std::string reason) {
    setDirect(fd, false);
    return IoMode{false, buffered.unit, std::move(reason)};
  };
  const uint32_t align = directUnit(fd);
  if (align == 0 || align > kMemoryAlign) return refuse("the file system has no direct I/O for this file");
  const uint32_t unit = std::max(layout.sectorSize, align);
  if (layout.offset % unit != 0 || layout.size % unit != 0)
    return refuse("the payload is not aligned to the direct I/O unit of " + std::to_string(unit) + " bytes");
  if (!setDirect(fd, true)) return refuse(describeErrno("O_DIRECT", errno));
  const std::unique_ptr<uint8_t, FreeMemory> probe(static_cast<uint8_t*>(std::aligned_alloc(kMemoryAlign, kMemoryAlign)));
  if (!probe) throw std::bad_alloc();
  ssize_t got = 0;
  do {
    got = pread(fd, probe.get(), unit, static_cast<off_t>(layout.offset));
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(unit))
    return refuse(describeErrno("a direct read of " + std::to_string(unit) + " bytes", errno));
  return {true, unit, {}};
}

/** Counts a write at the end of its scope: a part of it may be on the disk whatever the result. */
class Written {
 public:
  explicit Written(GroupSync& group) : group(group) {}
  ~Written() { group.wrote(); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;

 private:
  GroupSync& group;
};

}  // namespace

Worker::Worker(const Layout& layout, const Secret& volumeKey, uint32_t unit)
    : cipher(volumeKey.span(), layout.sectorSize, layout.ivTweak),
      buffer(static_cast<uint8_t*>(std::aligned_alloc(kMemoryAlign, kMaxRequest + 2 * std::max<size_t>(unit, kMemoryAlign)))) {
  if (!buffer) throw std::bad_alloc();
}

Plane::Plane(const Container& container, const Layout& layout, WriteLog* log)
    : fd(container.fd()),
      payloadOffset(layout.offset),
      payloadSize(layout.size),
      io(chooseMode(container.fd(), layout)),
      log(log),
      group(container.fd(), dataSync, log) {
  io.logged = log != nullptr;
}

int Plane::readUnits(Worker& worker, uint64_t offset, size_t length, uint8_t* to) {
  for (size_t done = 0; done < length;) {
    const ssize_t got = pread(fd, to + done, length - done, static_cast<off_t>(payloadOffset + offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    // The end of the file inside the payload (somebody cut it), or a piece that direct I/O cannot go on from.
    if (got == 0 || (io.direct && static_cast<size_t>(got) % io.unit != 0)) return EIO;
    done += static_cast<size_t>(got);
  }
  return worker.cipher.decrypt(offset, to, to, length) ? 0 : EIO;
}

int Plane::announce(uint64_t offset, std::span<const uint8_t> sealed, uint64_t& logged) {
  return log == nullptr ? 0 : log->writeBegins(position(offset), sealed, logged);
}

int Plane::answered(uint64_t logged, int error) {
  if (log == nullptr) return error;
  const int failed = log->writeEnds(logged, error);
  return error != 0 ? error : failed;
}

int Plane::writeUnits(uint64_t offset, size_t length, const uint8_t* from) {
  const Written written(group);
  uint64_t logged = 0;
  if (const int error = announce(offset, {from, length}, logged)) return error;
  return answered(logged, putUnits(offset, length, from));
}

int Plane::putUnits(uint64_t offset, size_t length, const uint8_t* from) {
  for (size_t done = 0; done < length;) {
    const ssize_t put = pwrite(fd, from + done, length - done, static_cast<off_t>(payloadOffset + offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    if (put == 0 || (io.direct && static_cast<size_t>(put) % io.unit != 0)) return EIO;
    done += static_cast<size_t>(put);
  }
  return 0;
}

int Plane::read(Worker& worker, uint64_t offset, size_t length, std::span<const uint8_t>& out) {
  const uint64_t payload = size();
  if (offset >= payload) {
    out = {};
    return 0;
  }
  length = static_cast<size_t>(std::min<uint64_t>(length, payload - offset));
  if (length > kMaxRequest) return EIO;
  const uint64_t begin = offset - offset % io.unit;
  const uint64_t end = (offset + length + io.unit - 1) / io.unit * io.unit;
  const int error = readUnits(worker, begin, end - begin, worker.buffer.get());
  out = {worker.buffer.get() + (offset - begin), length};
  return error;
}

// Both edge units are read before anything is written; the middle is replaced whole.
int Plane::modifyUnits(Worker& worker, uint64_t begin, uint64_t end, uint64_t offset, std::span<const uint8_t> bytes) {
  uint8_t* buffer = worker.buffer.get();
  const uint64_t last = end - io.unit;
  if (begin != offset || end - begin == io.unit)
    if (const int error = readUnits(worker, begin, io.unit, buffer)) return error;
  if (last != begin && end != offset + bytes.size())
    if (const int error = readUnits(worker, last, io.unit, buffer + (last - begin))) return error;
  std::memcpy(buffer + (offset - begin), bytes.data(), bytes.size());
  if (!worker.cipher.encrypt(begin, buffer, buffer, end - begin)) return EIO;
  return writeUnits(begin, end - begin, buffer);
}

int Plane::write(Worker& worker, uint64_t offset, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return 0;
  if (bytes.size() > kMaxRequest) return EIO;
  const uint64_t payload = size();
  if (offset >= payload || bytes.size() > payload - offset) return ENOSPC;
  const uint64_t begin = offset - offset % io.unit;
  const uint64_t end = (offset + bytes.size() + io.unit - 1) / io.unit * io.unit;
  const bool whole = begin == offset && end == offset + bytes.size();
  const HeldRange held(ranges, begin, end, !whole);
  if (!whole) return modifyUnits(worker, begin, end, offset, bytes);
  if (!worker.cipher.encrypt(offset, bytes.data(), worker.buffer.get(), bytes.size())) return EIO;
  return writeUnits(offset, bytes.size(), worker.buffer.get());
}

bool Plane::wholeUnits(uint64_t offset, size_t length) const {
  const uint64_t payload = size();
  return offset % io.unit == 0 && length % io.unit == 0 && offset < payload && length <= payload - offset;
}

void Plane::endWrite(unsigned entry) {
  group.wrote();
  ranges.release(entry);
}

int Plane::sync() {
  if (const int earlier = stickyError.load()) return earlier;
  const int error = group.sync();
  if (error != 0 && !io.direct) stickyError.store(error);
  return error;
}

}  // namespace reelvault::luksblock
