#include "luksblock/header_copy.h"

#include <endian.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

constexpr size_t kBinaryBytes = 4096;
constexpr size_t kCopyPiece = 1 << 20;
constexpr char kMagic[] = "LUKS\xba\xbe";
constexpr char kSecondaryMagic[] = "SKUL\xba\xbe";
constexpr char kReencryptMagic[] = "LUKS\xde\xad";
constexpr size_t kMagicBytes = 6;
// The only header sizes, hence the only places of a secondary header.
constexpr std::array<uint64_t, 9> kHeaderSizes = {0x4000,  0x8000,   0x10000,  0x20000, 0x40000,
                                                  0x80000, 0x100000, 0x200000, 0x400000};

// Offsets in the binary header.
constexpr size_t kVersionAt = 6, kSizeAt = 8, kAlgorithmAt = 72, kHeaderOffsetAt = 256, kChecksumAt = 448;
constexpr size_t kAlgorithmBytes = 32, kChecksumBytes = 64;

/** Whether the file is long enough. What cannot be read is no header that is not there: throws Refusal (io). */
bool readAt(int fd, uint64_t offset, std::vector<uint8_t>& bytes) {
  ssize_t got = 0;
  do {
    got = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw Refusal(Code::io, "a readable header", describeErrno("read", errno));
  return got == static_cast<ssize_t>(bytes.size());
}

bool checksumHolds(int fd, uint64_t offset, uint64_t size) {
  std::vector<uint8_t> header(size);
  if (!readAt(fd, offset, header)) return false;
  std::array<uint8_t, kChecksumBytes> stored;
  std::memcpy(stored.data(), &header[kChecksumAt], kChecksumBytes);
  std::memset(&header[kChecksumAt], 0, kChecksumBytes);
  const std::string algorithm(reinterpret_cast<const char*>(&header[kAlgorithmAt]),
                              strnlen(reinterpret_cast<const char*>(&header[kAlgorithmAt]), kAlgorithmBytes));
  const EVP_MD* digest = EVP_get_digestbyname(algorithm.c_str());
  std::array<uint8_t, EVP_MAX_MD_SIZE> computed;
  unsigned length = 0;
  return digest != nullptr && EVP_Digest(header.data(), header.size(), computed.data(), &length, digest, nullptr) == 1 &&
         length <= kChecksumBytes && std::memcmp(computed.data(), stored.data(), length) == 0;
}

bool copyHolds(int fd, uint64_t offset, const char* magic) {
  std::vector<uint8_t> binary(kBinaryBytes);
  if (!readAt(fd, offset, binary) || std::memcmp(binary.data(), magic, kMagicBytes) != 0) return false;
  uint16_t version;
  uint64_t size, at;
  std::memcpy(&version, &binary[kVersionAt], sizeof version);
  std::memcpy(&size, &binary[kSizeAt], sizeof size);
  std::memcpy(&at, &binary[kHeaderOffsetAt], sizeof at);
  size = be64toh(size);
  const bool known = std::find(kHeaderSizes.begin(), kHeaderSizes.end(), size) != kHeaderSizes.end();
  return be16toh(version) == 2 && known && be64toh(at) == offset && checksumHolds(fd, offset, size);
}

}  // namespace

HeaderCopy::HeaderCopy(const Container& container)
    : container(container), memory(memfd_create("luks-header", MFD_CLOEXEC)) {
  if (!memory || ftruncate(memory.get(), static_cast<off_t>(container.size())) != 0)
    throw Refusal(Code::memory, "memory for a copy of the header", describeErrno("memfd", errno));
}

void HeaderCopy::extend(uint64_t bytes) {
  std::vector<uint8_t> piece(kCopyPiece);
  const uint64_t end = std::min(bytes, container.size());
  while (copied < end) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kCopyPiece, end - copied));
    const ssize_t got = pread(container.fd(), piece.data(), wanted, static_cast<off_t>(copied));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Refusal(Code::io, "a readable header", describeErrno("read", got < 0 ? errno : EIO));
    if (pwrite(memory.get(), piece.data(), static_cast<size_t>(got), static_cast<off_t>(copied)) != got)
      throw Refusal(Code::memory, "memory for a copy of the header", describeErrno("write", errno));
    copied += static_cast<uint64_t>(got);
  }
}

HeaderState inspectHeader(int fd) {
  std::vector<uint8_t> start(kMagicBytes + 2);
  if (!readAt(fd, 0, start)) return HeaderState::none;
  const bool magic = std::memcmp(start.data(), kMagic, kMagicBytes) == 0;
  const bool version1 = start[6] == 0 && start[7] == 1;
  if (magic && version1) return HeaderState::luks1;
  if (std::memcmp(start.data(), kReencryptMagic, kMagicBytes) == 0) return HeaderState::legacyReencrypt;
  if (copyHolds(fd, 0, kMagic)) return HeaderState::primary;
  bool any = magic;
  for (const uint64_t offset : kHeaderSizes) {
    std::vector<uint8_t> secondary(kMagicBytes);
    if (!readAt(fd, offset, secondary) || std::memcmp(secondary.data(), kSecondaryMagic, kMagicBytes) != 0) continue;
    if (copyHolds(fd, offset, kSecondaryMagic)) return HeaderState::secondary;
    any = true;
  }
  return any ? HeaderState::damaged : HeaderState::none;
}

}  // namespace reelvault::luksblock
