#pragma once
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>

#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {

/** What an entry of the write log tells. */
enum class LogKind : uint32_t {
  write = 1,       // a write is about to be given to the kernel; the bytes follow
  writeEnded = 2,  // the kernel has answered it
  flush = 3,       // an fdatasync is about to be called
  flushEnded = 4,  // it has returned, and nobody has been answered yet
};

/** The head of an entry, little endian; `length` bytes follow. The file begins with `kLogMagic`. Format: docs/luksblock.md. */
struct LogEntry {
  uint64_t sequence;  // from 0, without a gap
  uint32_t kind;
  int32_t error;    // of what has ended: 0 or an errno
  uint64_t where;   // write: byte of the container; of what has ended: the sequence of its beginning
  uint32_t length;  // bytes of the container, as they are there: ciphertext
  uint32_t zero;
};
static_assert(sizeof(LogEntry) == 32);

constexpr char kLogMagic[8] = {'R', 'V', 'W', 'L', 'O', 'G', '0', '1'};

/**
 * A test instrument: every write and flush of the container, appended to a file in the order in which they began and ended. Whoever can
 * read it sees former contents of the container, as ciphertext. Thread-safe. Its own errors are those of the request: an entry that is
 * missing would make every conclusion from the log worthless, so after one that failed, all fail.
 */
class WriteLog {
 public:
  /** `file`: empty, opened for appending. */
  explicit WriteLog(UniqueFd file) : file(std::move(file)) {}

  /** Writes the beginning of the file. 0 or an errno, as of all below. */
  int start();
  /** To be called before the write is given to the kernel; `entry` is for `writeEnds`. */
  int writeBegins(uint64_t position, std::span<const uint8_t> bytes, uint64_t& entry);
  /** Before the write counts as one that a flush covers. */
  int writeEnds(uint64_t entry, int error) { return ends(LogKind::writeEnded, entry, error); }
  /** After it is settled which writes the flush covers, and before it is begun. */
  int flushBegins(uint64_t& entry);
  /** Before anybody is answered. */
  int flushEnds(uint64_t entry, int error) { return ends(LogKind::flushEnded, entry, error); }

 private:
  int begins(LogKind kind, uint64_t where, std::span<const uint8_t> bytes, uint64_t& entry);
  int ends(LogKind kind, uint64_t entry, int error);
  int append(LogEntry& entry, std::span<const uint8_t> bytes);
  int put(std::span<const uint8_t> head, std::span<const uint8_t> bytes);

  const UniqueFd file;
  std::mutex mutex;
  uint64_t next = 0;
  int broken = 0;
};

}  // namespace reelvault::luksblock
