#pragma once
#include <cstddef>
#include <cstdint>

namespace reelvault {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes; pass the former result as `crc` to continue, 0 to start.
uint32_t crc32c(uint32_t crc, const void* data, size_t length);

}  // namespace reelvault
