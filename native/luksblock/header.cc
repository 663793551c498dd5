#include "luksblock/header.h"

#include <libcryptsetup.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "luksblock/header_copy.h"
#include "luksblock/layout.h"
#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

// Both header copies of the largest LUKS2 header lie within this; keyslot areas may reach beyond and are copied after.
constexpr uint64_t kMetadataBytes = 16 << 20;

struct DeviceRelease {
  void operator()(crypt_device* device) const { crypt_free(device); }
};
using Device = std::unique_ptr<crypt_device, DeviceRelease>;

// libcryptsetup prints to stderr by default, where exactly one line of JSON belongs.
void ignoreLog(int, const char*, void*) {}

void refuseState(HeaderState state) {
  switch (state) {
    case HeaderState::none: throw Refusal(Code::notLuks, "a LUKS container", "no LUKS header");
    case HeaderState::legacyReencrypt:
      throw Refusal(Code::reencryption, "a container that is not being reencrypted", "the mark of an unfinished LUKS1 reencryption");
    case HeaderState::damaged: throw Refusal(Code::headerDamaged, "one whole copy of the LUKS2 header", "none whose checksum holds");
    case HeaderState::luks1:
    case HeaderState::primary:
    case HeaderState::secondary: return;
  }
}

Device load(const HeaderCopy& copy) {
  crypt_set_log_callback(nullptr, ignoreLog, nullptr);
  crypt_metadata_locking(nullptr, 0);  // the copy is private; the container's own lock is held by the caller
  crypt_device* raw = nullptr;
  if (const int r = crypt_init(&raw, copy.path().c_str()); r < 0)
    throw Refusal(Code::io, "a readable header", describeErrno("crypt_init", -r));
  Device device(raw);
  if (const int r = crypt_load(device.get(), CRYPT_LUKS, nullptr); r < 0)
    throw Refusal(Code::headerDamaged, "a valid LUKS header", describeErrno("crypt_load", -r));
  return device;
}

void copyKeyslots(crypt_device* device, HeaderCopy& copy, const std::string& type) {
  uint64_t copies = 0, keyslots = 0;
  if (type == CRYPT_LUKS2 && crypt_get_metadata_size(device, &copies, &keyslots) == 0) copy.extend(2 * copies + keyslots);
}

bool usable(crypt_device* device, int slot) {
  const crypt_keyslot_info status = crypt_keyslot_status(device, slot);
  return status == CRYPT_SLOT_ACTIVE || status == CRYPT_SLOT_ACTIVE_LAST;
}

void checkSlots(crypt_device* device, int keySlot) {
  const int count = crypt_keyslot_max(crypt_get_type(device));
  if (keySlot >= 0) {
    if (keySlot < count && usable(device, keySlot)) return;
    throw Refusal(Code::noKeyslot, "a key in keyslot " + std::to_string(keySlot), "an empty or unbound keyslot");
  }
  for (int slot = 0; slot < count; slot += 1)
    if (usable(device, slot)) return;
  throw Refusal(Code::noKeyslot, "a keyslot with a key", "none: the container was erased");
}

Secret takeVolumeKey(crypt_device* device, const Secret& key, int keySlot, uint32_t keyBits) {
  Secret volumeKey(keyBits / 8);
  size_t size = keyBits / 8;
  const int r = crypt_volume_key_get(device, keySlot < 0 ? CRYPT_ANY_SLOT : keySlot, reinterpret_cast<char*>(volumeKey.data()), &size,
                                     reinterpret_cast<const char*>(key.data()), key.size());
  volumeKey.resize(keyBits / 8);
  if (r == -EPERM) throw Refusal(Code::wrongKey, "a key that opens a keyslot", "one that opens none");
  if (r == -ENOENT) throw Refusal(Code::noKeyslot, "a keyslot with a key", "none");
  if (r == -ENOMEM) throw Refusal(Code::memory, "memory for the key derivation", "not enough");
  if (r < 0) throw Refusal(Code::io, "the volume key", describeErrno("crypt_volume_key_get", -r));
  if (size != keyBits / 8) throw Refusal(Code::headerDamaged, "a volume key as long as the segment says", std::to_string(size * 8) + " bits");
  return volumeKey;
}

}  // namespace

OpenedHeader openHeader(const Container& container, const Secret& key, int keySlot) {
  HeaderCopy copy(container);
  std::optional<HeaderReadLock> quiet(container.fd());
  copy.extend(kMetadataBytes);
  const HeaderState state = inspectHeader(copy.fd());
  refuseState(state);
  const Device device = load(copy);
  Layout layout = readLayout(device.get(), container.size());
  layout.header = state == HeaderState::secondary ? "secondary" : "primary";
  copyKeyslots(device.get(), copy, layout.type);
  quiet.reset();  // key derivation can take seconds
  checkSlots(device.get(), keySlot);
  Secret volumeKey = takeVolumeKey(device.get(), key, keySlot, layout.keyBits);
  return {std::move(layout), std::move(volumeKey)};
}

}  // namespace reelvault::luksblock
