#include "luksblock/write_log.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace reelvault::luksblock {

int WriteLog::start() {
  const std::lock_guard lock(mutex);
  return put({reinterpret_cast<const uint8_t*>(kLogMagic), sizeof kLogMagic}, {});
}

int WriteLog::writeBegins(uint64_t position, std::span<const uint8_t> bytes, uint64_t& entry) {
  return begins(LogKind::write, position, bytes, entry);
}

int WriteLog::flushBegins(uint64_t& entry) { return begins(LogKind::flush, 0, {}, entry); }

int WriteLog::begins(LogKind kind, uint64_t where, std::span<const uint8_t> bytes, uint64_t& entry) {
  LogEntry begun{0, static_cast<uint32_t>(kind), 0, where, static_cast<uint32_t>(bytes.size()), 0};
  const int error = append(begun, bytes);
  entry = begun.sequence;
  return error;
}

int WriteLog::ends(LogKind kind, uint64_t entry, int error) {
  LogEntry ended{0, static_cast<uint32_t>(kind), error, entry, 0, 0};
  return append(ended, {});
}

// The place in the file and the number are given together: the file's order is that of the numbers.
int WriteLog::append(LogEntry& entry, std::span<const uint8_t> bytes) {
  const std::lock_guard lock(mutex);
  entry.sequence = next;
  next += 1;
  return put({reinterpret_cast<const uint8_t*>(&entry), sizeof entry}, bytes);
}

int WriteLog::put(std::span<const uint8_t> head, std::span<const uint8_t> bytes) {
  while (broken == 0 && head.size() + bytes.size() != 0) {
    const iovec parts[] = {{const_cast<uint8_t*>(head.data()), head.size()}, {const_cast<uint8_t*>(bytes.data()), bytes.size()}};
    const ssize_t done = writev(file.get(), parts, 2);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      broken = done < 0 ? errno : EIO;
      break;
    }
    const size_t ofHead = std::min(static_cast<size_t>(done), head.size());
    head = head.subspan(ofHead);
    bytes = bytes.subspan(static_cast<size_t>(done) - ofHead);
  }
  return broken;
}

}  // namespace reelvault::luksblock
