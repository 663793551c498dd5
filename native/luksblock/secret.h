#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace reelvault::luksblock {

/** Memory for key bytes: pages of its own, locked where the machine allows it, left out of core dumps, wiped at the end. */
class Secret {
 public:
  explicit Secret(size_t capacity);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&&) = delete;
  ~Secret();

  uint8_t* data() { return bytes; }
  const uint8_t* data() const { return bytes; }
  size_t size() const { return used; }
  void resize(size_t size) { used = size; }
  std::span<const uint8_t> span() const { return {bytes, used}; }

 private:
  uint8_t* bytes;
  size_t mapped;
  size_t used = 0;
};

/** Reads `fd` to its end and closes it. Refuses nothing at all and more than 8 MiB, the limit of cryptsetup's key files. */
Secret readKey(int fd);

}  // namespace reelvault::luksblock
