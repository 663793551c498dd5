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
// The instruction takes a word a cycle, and its result is there after three (Agner Fog, instruction tables): three sums side by side keep it busy.
// The sum of joined pieces is that of the first carried over as many zero bytes as the second has, xor that of the second (zlib, crc32_combine).
constexpr size_t kLane = 128;

uint32_t overZeros(uint32_t crc) {
  for (size_t i = 0; i < kLane; i++) crc = kTable[crc & 0xff] ^ (crc >> 8);
  return crc;
}

// Carrying over zeros is linear, so it is done a byte of the sum at a time.
using CarryTable = std::array<std::array<uint32_t, 256>, 4>;
CarryTable makeCarry() {
  CarryTable carry{};
  for (uint32_t place = 0; place < 4; place++)
    for (uint32_t byte = 0; byte < 256; byte++) carry[place][byte] = overZeros(byte << (8 * place));
  return carry;
}

uint64_t carried(const CarryTable& carry, uint64_t crc) {
  return carry[0][crc & 0xff] ^ carry[1][crc >> 8 & 0xff] ^ carry[2][crc >> 16 & 0xff] ^ carry[3][crc >> 24 & 0xff];
}

uint64_t wordAt(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) uint32_t hardware(uint32_t crc, const uint8_t* p, size_t length) {
  static const CarryTable carry = makeCarry();
  uint64_t wide = crc;
  for (; length >= 3 * kLane; p += 3 * kLane, length -= 3 * kLane) {
    uint64_t second = 0, third = 0;
    for (size_t at = 0; at < kLane; at += 8) {
      wide = __builtin_ia32_crc32di(wide, wordAt(p + at));
      second = __builtin_ia32_crc32di(second, wordAt(p + kLane + at));
      third = __builtin_ia32_crc32di(third, wordAt(p + 2 * kLane + at));
    }
    wide = carried(carry, carried(carry, wide) ^ second) ^ third;
  }
  for (; length >= 8; p += 8, length -= 8) wide = __builtin_ia32_crc32di(wide, wordAt(p));
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
