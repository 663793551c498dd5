#pragma once
#include <cstdint>
#include <string>

#include "luksblock/container.h"
#include "luksblock/secret.h"

namespace reelvault::luksblock {

/** What the header says about the payload, proven to be something this program serves. */
struct Layout {
  std::string type;  // LUKS1, LUKS2
  std::string uuid;
  std::string cipher;  // aes-xts-plain64
  std::string header;  // primary, secondary: which copy was read
  uint64_t offset = 0;  // of the payload in the container, bytes
  uint64_t size = 0;    // of the payload, bytes; whole sectors
  uint64_t ivTweak = 0;  // added to the IV of every sector
  uint32_t sectorSize = 512;
  uint32_t keyBits = 0;
  bool fixedSize = false;  // the header says the size; else the payload reaches to the container's end
};

struct OpenedHeader {
  Layout layout;
  Secret volumeKey;
};

/**
 * Loads and checks the header of `container` and takes the volume key with `key` (from `keySlot`, or any with -1).
 * libcryptsetup works on a private copy of the header in memory, so it never writes the container: no automatic repair,
 * no lock files. Throws Refusal.
 */
OpenedHeader openHeader(const Container& container, const Secret& key, int keySlot);

}  // namespace reelvault::luksblock
