#pragma once
#include <cstdint>
#include <string>

#include "luksblock/container.h"
#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {

/** A sparse copy in memory of the first bytes of a container, as long as the container, for libcryptsetup to work on. */
class HeaderCopy {
 public:
  explicit HeaderCopy(const Container& container);

  /** Copies what is missing of the first `bytes`. Throws Refusal(io). */
  void extend(uint64_t bytes);
  std::string path() const { return "/proc/self/fd/" + std::to_string(memory.get()); }
  int fd() const { return memory.get(); }

 private:
  const Container& container;
  UniqueFd memory;
  uint64_t copied = 0;
};

/** What the raw header bytes look like, judged without libcryptsetup. */
enum class HeaderState {
  none,             // no LUKS magic at any place
  luks1,            // LUKS1 magic
  legacyReencrypt,  // LUKS1 under cryptsetup's own reencryption mark
  primary,          // LUKS2, primary copy whole
  secondary,        // LUKS2, primary copy damaged, a secondary one whole
  damaged,          // LUKS2 magic somewhere, no copy whole
};

/** Reads `fd` (a HeaderCopy): binary headers and their checksums, as in the LUKS2 on-disk format, sections 2 and 3. */
HeaderState inspectHeader(int fd);

}  // namespace reelvault::luksblock
