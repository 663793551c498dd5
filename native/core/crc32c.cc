#include "core/crc32c.h"

#include <array>
#include <cstring>

namespace reelvault {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reversed 0x1EDC6F41

constexpr std::array<uint32_t, 256> makeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t c = n;
    for (int bit = 0; bit < 8; bit++) c = (c & 1) ? (c >> 1) ^ kPolynomial : c >> 1;
    table[n] = c;
  }
  return table;
}
constexpr auto kTable = makeTable();

uint32_t software(uint32_t crc, const uint8_t* p, size_t length) {
  while (length--) crc = kTable[(crc ^ *p++) & 0xff] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t hardware(uint32_t crc, const uint8_t* p, size_t length) {
  uint64_t wide = crc;
  for (; length >= 8; p += 8, length -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  while (length--) crc = __builtin_ia32_crc32qi(crc, *p++);
  return crc;
}
#endif

}  // namespace

uint32_t crc32c(uint32_t crc, const void* data, size_t length) {
  const auto* p = static_cast<const uint8_t*>(data);
  crc = ~crc;
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2");
  crc = fast ? hardware(crc, p, length) : software(crc, p, length);
#else
  crc = software(crc, p, length);
#endif
  return ~crc;
}

}  // namespace reelvault
