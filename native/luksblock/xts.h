#pragma once
#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <span>

namespace reelvault::luksblock {

/** AES-XTS over whole sectors, as dm-crypt's aes-xts-plain64. One object a thread: the contexts inside are not shared. */
class SectorCipher {
 public:
  /** `key` is both XTS keys, 32 or 64 bytes. Throws Refusal(cipher) where OpenSSL refuses the key. */
  SectorCipher(std::span<const uint8_t> key, uint32_t sectorSize, uint64_t ivTweak);

  /**
   * `offset` is the payload's byte offset of the first sector, `length` whole sectors; `in` may equal `out`.
   * The IV counts 512-byte units whatever the sector size, plus the segment's iv_tweak.
   */
  bool encrypt(uint64_t offset, const uint8_t* in, uint8_t* out, size_t length) { return run(sealing.get(), offset, in, out, length); }
  bool decrypt(uint64_t offset, const uint8_t* in, uint8_t* out, size_t length) { return run(opening.get(), offset, in, out, length); }

 private:
  struct Release {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, Release>;

  static Context make(std::span<const uint8_t> key, bool encrypting);
  bool run(EVP_CIPHER_CTX* context, uint64_t offset, const uint8_t* in, uint8_t* out, size_t length);

  Context sealing;
  Context opening;
  uint32_t sectorSize;
  uint64_t ivTweak;
};

}  // namespace reelvault::luksblock
