#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/result.h"
#include "writer/slab_pool.h"

namespace reelvault {

enum class BackendKind : uint8_t { automatic, ioUring, pwrite };

/// One write of whole blocks. The backend touches `fd`, `iov`, `offset` and `result` only; the memory stays the caller's.
struct WriteRequest {
  int fd = -1;
  std::array<iovec, 72> iov{};
  size_t first = 0, count = 0;  ///< iov[first] … iov[count - 1] are still to be written
  uint64_t offset = 0;
  int64_t result = 0;  ///< bytes, or -errno
};

/// Runs writes side by side. One thread submits and waits; wake() may come from any.
class IoBackend {
 public:
  static constexpr size_t kDepth = 64;  ///< at most so many requests may be under way

  virtual ~IoBackend() = default;
  virtual void submit(WriteRequest* request) = 0;
  /// Blocks until a request is done or wake() was called; adds what is done. Wake calls are not counted.
  virtual void wait(std::vector<WriteRequest*>& done) = 0;
  virtual void wake() = 0;
};

/// ENOSYS or EPERM where the kernel or a seccomp filter forbids io_uring.
Result<std::unique_ptr<IoBackend>> makeUringBackend();
std::unique_ptr<IoBackend> makePwriteBackend();

}  // namespace reelvault
