#pragma once
#include <libcryptsetup.h>

#include "luksblock/header.h"

namespace reelvault::luksblock {

/** The bytes that count of a container of `bytes`: a loop device over it ends at its last whole 512, and so does dm-crypt. */
constexpr uint64_t usableSize(uint64_t bytes) { return bytes - bytes % 512; }

/**
 * The payload as a loaded header describes it. libcryptsetup refuses some unsupported states only when it activates a
 * mapping, which never happens here; so everything that the data path relies on is checked here. Throws Refusal.
 */
Layout readLayout(crypt_device* device, uint64_t containerSize);

}  // namespace reelvault::luksblock
