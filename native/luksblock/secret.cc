#include "luksblock/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "luksblock/refusal.h"
#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {
namespace {

constexpr size_t kMaxKeyBytes = 8 << 20;

}  // namespace

Secret::Secret(size_t capacity) : mapped((capacity + 4095) & ~size_t{4095}) {
  void* pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw Refusal(Code::memory, "memory for the key", describeErrno("mmap", errno));
  bytes = static_cast<uint8_t*>(pages);
  // Locked as pages are touched: a key is short, the room for the longest one is not. A refusal leaves the key swappable;
  // the mlockall that follows before serving reports the same refusal in the status.
  mlock2(bytes, mapped, MLOCK_ONFAULT);
  madvise(bytes, mapped, MADV_DONTDUMP);
}

Secret::Secret(Secret&& other) noexcept
    : bytes(std::exchange(other.bytes, nullptr)), mapped(other.mapped), used(std::exchange(other.used, 0)) {}

Secret::~Secret() {
  if (bytes == nullptr) return;
  OPENSSL_cleanse(bytes, used);
  munmap(bytes, mapped);
}

Secret readKey(int fd) {
  UniqueFd owned(fd);
  Secret key(kMaxKeyBytes + 1);
  size_t total = 0;
  while (total <= kMaxKeyBytes) {
    const ssize_t got = read(fd, key.data() + total, kMaxKeyBytes + 1 - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Refusal(Code::usage, "key bytes on the descriptor of --key-fd", describeErrno("read", errno));
    if (got == 0) break;
    total += static_cast<size_t>(got);
    key.resize(total);
  }
  if (total == 0) throw Refusal(Code::usage, "key bytes on the descriptor of --key-fd", "an empty stream");
  if (total > kMaxKeyBytes) throw Refusal(Code::usage, "at most 8388608 key bytes", "more");
  return key;
}

}  // namespace reelvault::luksblock
