#include "luksblock/xts.h"

#include <endian.h>

#include <cstring>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {

SectorCipher::SectorCipher(std::span<const uint8_t> key, uint32_t sectorSize, uint64_t ivTweak)
    : sealing(make(key, true)), opening(make(key, false)), sectorSize(sectorSize), ivTweak(ivTweak) {}

SectorCipher::Context SectorCipher::make(std::span<const uint8_t> key, bool encrypting) {
  const EVP_CIPHER* cipher = key.size() == 64 ? EVP_aes_256_xts() : EVP_aes_128_xts();
  Context context(EVP_CIPHER_CTX_new());
  if (!context || EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), nullptr, encrypting ? 1 : 0) != 1)
    throw Refusal(Code::cipher, "a volume key that OpenSSL takes for AES-XTS", "one it refuses");
  return context;
}

bool SectorCipher::run(EVP_CIPHER_CTX* context, uint64_t offset, const uint8_t* in, uint8_t* out, size_t length) {
  uint64_t iv[2] = {0, 0};
  uint64_t unit = offset / 512 + ivTweak;
  for (size_t at = 0; at < length; at += sectorSize, unit += sectorSize / 512) {
    iv[0] = htole64(unit);
    int produced = 0;
    if (EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, reinterpret_cast<const unsigned char*>(iv), -1) != 1 ||
        EVP_CipherUpdate(context, out + at, &produced, in + at, static_cast<int>(sectorSize)) != 1 ||
        produced != static_cast<int>(sectorSize))
      return false;
  }
  return true;
}

}  // namespace reelvault::luksblock
