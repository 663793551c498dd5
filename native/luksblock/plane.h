#pragma once
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "luksblock/container.h"
#include "luksblock/group_sync.h"
#include "luksblock/header.h"
#include "luksblock/write_log.h"
#include "luksblock/write_ranges.h"
#include "luksblock/xts.h"

namespace reelvault::luksblock {

/** The largest FUSE request: the kernel's max_pages_limit of 256 pages. */
constexpr size_t kMaxRequest = 1 << 20;
/** Alignment that every file system accepts for O_DIRECT memory. */
constexpr size_t kMemoryAlign = 4096;

struct FreeMemory {
  void operator()(uint8_t* memory) const { std::free(memory); }
};

/** What one thread needs for a request; made before the first one, so that no request allocates. */
struct Worker {
  Worker(const Layout& layout, const Secret& volumeKey, uint32_t unit);

  SectorCipher cipher;
  std::unique_ptr<uint8_t, FreeMemory> buffer;  // the largest request and a unit at either end
};

/** How the container is read and written. */
struct IoMode {
  bool direct = false;
  uint32_t unit = 0;     // every read and write is whole units of this many bytes, at a multiple of it
  std::string reason;  // why not direct
  bool logged = false;   // there is a write log
};

/** The decrypted payload as bytes at offsets. Thread-safe; a worker is used by one thread at a time. */
class Plane {
 public:
  /** `log`, where there is one, outlives the plane. */
  Plane(const Container& container, const Layout& layout, WriteLog* log = nullptr);

  /** Decrypts `[offset, offset + length)`, at most kMaxRequest, into the worker's buffer and points `out` at it. 0 or an errno. */
  int read(Worker& worker, uint64_t offset, size_t length, std::span<const uint8_t>& out);
  /** Encrypts and writes at most kMaxRequest bytes, which need not be aligned. 0 or an errno; then any part may be written. */
  int write(Worker& worker, uint64_t offset, std::span<const uint8_t> bytes);
  /**
   * Makes every write that has ended stable, by fdatasync of the container where it is not yet: 0 or an errno. Buffered, an error
   * stays: the lost pages are clean for the kernel by then.
   */
  int sync();

  /** Does what a sync would, before one is asked for; an error is the next sync's. Direct I/O only. */
  void flushAhead() { group.ahead(); }
  /** Whether a flush takes so little time that the reading thread had better do it itself. Direct I/O only. */
  bool flushesQuickly() const { return group.quick(); }

  /** Whether a sync would find nothing to do. */
  bool stable() { return stickyError.load() == 0 && group.stable(); }

  // For a caller that does its own asynchronous I/O, in whole units:
  /** Whether `[offset, offset + length)` is whole units inside the payload. */
  bool wholeUnits(uint64_t offset, size_t length) const;
  /** Enters a write of whole units, to be left with `endWrite`; false where it would have to wait. */
  bool beginWrite(uint64_t offset, size_t length, unsigned& entry) { return ranges.tryAcquire(offset, offset + length, entry); }
  /** To be called with the encrypted bytes before they are given to the kernel: 0, or the errno of a write log that failed. */
  int announce(uint64_t offset, std::span<const uint8_t> sealed, uint64_t& logged);
  /** To be called when the kernel has answered, before `endWrite`, with 0 or the errno of that: gives it back, or that of the write log. */
  int answered(uint64_t logged, int error);
  /** To be called when the write is over, well or not, and before it is answered. */
  void endWrite(unsigned entry);
  /** Writes what is encrypted already, within `beginWrite` and `endWrite`. 0 or an errno. */
  int writeSealed(uint64_t offset, std::span<const uint8_t> sealed) { return writeUnits(offset, sealed.size(), sealed.data()); }
  int descriptor() const { return fd; }
  /** Where a byte of the payload is in the container. */
  uint64_t position(uint64_t offset) const { return payloadOffset + offset; }

  const IoMode& mode() const { return io; }
  uint64_t size() const { return payloadSize.load(std::memory_order_acquire); }
  /** Serves the payload up to `size` from the next request on; `size` is whole units and not less than before. */
  void extend(uint64_t size) { payloadSize.store(size, std::memory_order_release); }

 private:
  int readUnits(Worker& worker, uint64_t offset, size_t length, uint8_t* to);
  int writeUnits(uint64_t offset, size_t length, const uint8_t* from);
  int putUnits(uint64_t offset, size_t length, const uint8_t* from);
  int modifyUnits(Worker& worker, uint64_t begin, uint64_t end, uint64_t offset, std::span<const uint8_t> bytes);

  const int fd;
  const uint64_t payloadOffset;
  std::atomic<uint64_t> payloadSize;  // grows while requests run: each looks once
  IoMode io;
  WriteRanges ranges;
  WriteLog* const log;
  GroupSync group;
  std::atomic<int> stickyError{0};
};

}  // namespace reelvault::luksblock
