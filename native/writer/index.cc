#include "writer/index.h"

#include <bit>
#include <concepts>
#include <cstring>

#include "core/crc32c.h"

namespace reelvault {
namespace {

constexpr uint8_t kMagic[8] = {'R', 'V', 'I', 'N', 'D', 'E', 'X', '1'};
constexpr size_t kCrcAt = 92;
// Times of the years up to 9999, and as many ticks: what is reckoned from them stays within 64 bits.
constexpr int64_t kFurthest = 253'402'300'800'000'000;
constexpr bool withinTime(int64_t value) { return value > -kFurthest && value < kFurthest; }

template <std::integral T>
void put(IndexBytes& bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); i++) bytes[at + i] = static_cast<uint8_t>(static_cast<std::make_unsigned_t<T>>(value) >> (8 * i));
}
template <std::integral T>
T get(const uint8_t* bytes, size_t at) {
  std::make_unsigned_t<T> value = 0;
  for (size_t i = 0; i < sizeof(T); i++) value |= static_cast<std::make_unsigned_t<T>>(static_cast<std::make_unsigned_t<T>>(bytes[at + i]) << (8 * i));
  return static_cast<T>(value);
}

void seal(IndexBytes& bytes) { put(bytes, kCrcAt, crc32c(0, bytes.data(), kCrcAt)); }
bool sealed(const uint8_t* bytes) { return get<uint32_t>(bytes, kCrcAt) == crc32c(0, bytes, kCrcAt); }

}  // namespace

IndexBytes encodeHeader(const IndexHeader& header) {
  IndexBytes bytes{};
  std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  put(bytes, 8, static_cast<uint32_t>(kIndexRecordBytes));
  put(bytes, 12, header.flags);
  put(bytes, 16, header.hourUs);
  std::memcpy(bytes.data() + 24, header.uuid.data(), header.uuid.size());
  seal(bytes);
  return bytes;
}

std::optional<IndexHeader> decodeHeader(const uint8_t* bytes) {
  if (std::memcmp(bytes, kMagic, sizeof kMagic) != 0 || get<uint32_t>(bytes, 8) != kIndexRecordBytes || !sealed(bytes)) return std::nullopt;
  if (!withinTime(get<int64_t>(bytes, 16))) return std::nullopt;
  IndexHeader header{.flags = get<uint32_t>(bytes, 12), .hourUs = get<int64_t>(bytes, 16)};
  std::memcpy(header.uuid.data(), bytes + 24, header.uuid.size());
  return header;
}

IndexBytes encodeRecord(const IndexRecord& record) {
  IndexBytes bytes{};
  put(bytes, 0, record.offset);
  put(bytes, 8, record.length);
  put(bytes, 12, record.flags);
  put(bytes, 16, record.startUs);
  put(bytes, 24, record.firstPts);
  put(bytes, 32, uint64_t{0});
  put(bytes, 40, record.duration);
  put(bytes, 44, record.crc32c);
  put(bytes, 48, record.sequence);
  std::memcpy(bytes.data() + 56, record.sha256.data(), record.sha256.size());
  seal(bytes);
  return bytes;
}

std::optional<IndexRecord> decodeRecord(const uint8_t* bytes) {
  // A record of zeros has no length; its CRC would not be zero either.
  if (!sealed(bytes) || get<uint32_t>(bytes, 8) == 0) return std::nullopt;
  const auto firstPts = get<int64_t>(bytes, 24);
  if (!withinTime(get<int64_t>(bytes, 16)) || !withinTime(firstPts) || firstPts < kUnknownPts) return std::nullopt;
  return parseRecord(bytes);
}

IndexRecord parseRecord(const uint8_t* bytes) {
  IndexRecord record{.offset = get<uint64_t>(bytes, 0),
                     .length = get<uint32_t>(bytes, 8),
                     .flags = get<uint32_t>(bytes, 12),
                     .startUs = get<int64_t>(bytes, 16),
                     .firstPts = get<int64_t>(bytes, 24),
                     .duration = get<uint32_t>(bytes, 40),
                     .crc32c = get<uint32_t>(bytes, 44),
                     .sequence = get<uint32_t>(bytes, 48)};
  std::memcpy(record.sha256.data(), bytes + 56, record.sha256.size());
  return record;
}

size_t compactIndex(std::span<uint8_t> index, uint64_t reelBytes) {
  if (index.size() < kIndexRecordBytes) return 0;
  uint8_t* next = index.data() + kIndexRecordBytes;
  forEachRecord(index, reelBytes, [&next](const IndexRecord&, const uint8_t* bytes) {
    if (next != bytes) std::memmove(next, bytes, kIndexRecordBytes);
    next += kIndexRecordBytes;
  });
  return static_cast<size_t>(next - index.data()) / kIndexRecordBytes - 1;
}

}  // namespace reelvault
