#include "luksblock/layout.h"

#include <charconv>
#include <cstring>

#include "luksblock/json.h"
#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

const char* const kCipher = "aes-xts-plain64";

uint64_t decimal(json_object* object, const char* key) {
  const std::string text = textOf(object, key);
  uint64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size())
    throw Refusal(Code::headerDamaged, std::string("a number as ") + key + " of the segment", "\"" + text + "\"");
  return value;
}

void checkRequirements(json_object* metadata) {
  json_object* mandatory = member(member(member(metadata, "config"), "requirements"), "mandatory");
  const size_t count = mandatory == nullptr ? 0 : json_object_array_length(mandatory);
  for (size_t index = 0; index < count; index += 1) {
    const std::string name = json_object_get_string(json_object_array_get_idx(mandatory, index));
    if (name.starts_with("online-reencrypt") || name.starts_with("offline-reencrypt"))
      throw Refusal(Code::reencryption, "a container that is not being reencrypted", "requirement " + name);
    throw Refusal(Code::unknownRequirement, "no mandatory requirement", name);
  }
}

// A keyslot under a null cipher holds its key in the clear: whoever wrote the header then chose the volume key.
void checkKeyslots(json_object* metadata) {
  json_object* keyslots = member(metadata, "keyslots");
  if (keyslots == nullptr) return;
  json_object_object_foreach(keyslots, name, keyslot) {
    if (textOf(keyslot, "type") == "reencrypt")
      throw Refusal(Code::reencryption, "a container that is not being reencrypted", std::string("reencryption keyslot ") + name);
    const std::string encryption = textOf(member(keyslot, "area"), "encryption");
    if (encryption.find("null") != std::string::npos)
      throw Refusal(Code::cipher, "encrypted keyslots", "keyslot " + std::string(name) + " under " + encryption);
  }
}

json_object* firstMember(json_object* object) {
  json_object_iterator first = json_object_iter_begin(object);
  return json_object_iter_peek_value(&first);
}

json_object* singleSegment(json_object* metadata) {
  json_object* segments = member(metadata, "segments");
  if (segments == nullptr || json_object_object_length(segments) == 0)
    throw Refusal(Code::headerDamaged, "one data segment", "none");
  if (json_object_object_length(segments) != 1)
    throw Refusal(Code::unknownRequirement, "one data segment", std::to_string(json_object_object_length(segments)));
  json_object* segment = firstMember(segments);
  const std::string type = textOf(segment, "type");
  if (type != "crypt") throw Refusal(Code::unknownRequirement, "a data segment of type crypt", type);
  return segment;
}

void readSegment(json_object* segment, Layout& layout, uint64_t& fixedSize) {
  if (json_object* integrity = member(segment, "integrity"))
    throw Refusal(Code::integrity, "a segment without integrity", textOf(integrity, "type"));
  json_object* flags = member(segment, "flags");
  if (flags != nullptr && json_object_array_length(flags) != 0)
    throw Refusal(Code::unknownRequirement, "a segment without flags", json_object_to_json_string(flags));
  layout.cipher = textOf(segment, "encryption");
  layout.offset = decimal(segment, "offset");
  layout.ivTweak = decimal(segment, "iv_tweak");
  layout.sectorSize = static_cast<uint32_t>(json_object_get_int64(member(segment, "sector_size")));
  if (textOf(segment, "size") != "dynamic") fixedSize = decimal(segment, "size");
}

Layout readLuks2(crypt_device* device, uint64_t& fixedSize) {
  const char* text = nullptr;
  if (crypt_dump_json(device, &text, 0) != 0 || text == nullptr)
    throw Refusal(Code::headerDamaged, "LUKS2 metadata", "none");
  const Json metadata(json_tokener_parse(text));
  checkRequirements(metadata.get());
  checkKeyslots(metadata.get());
  Layout layout;
  readSegment(singleSegment(metadata.get()), layout, fixedSize);
  uint64_t copies = 0, keyslots = 0;
  if (crypt_get_metadata_size(device, &copies, &keyslots) == 0 && layout.offset < 2 * copies + keyslots)
    throw Refusal(Code::unknownRequirement, "a payload behind its header",
                  "payload offset " + std::to_string(layout.offset) + ": the header is detached");
  return layout;
}

Layout readLuks1(crypt_device* device) {
  Layout layout;
  layout.cipher = std::string(crypt_get_cipher(device)) + "-" + crypt_get_cipher_mode(device);
  layout.offset = crypt_get_data_offset(device) * 512;
  if (layout.offset == 0) throw Refusal(Code::unknownRequirement, "a payload behind its header", "payload offset 0: the header is detached");
  return layout;
}

void checkSize(Layout& layout, uint64_t containerSize, uint64_t fixedSize) {
  const uint32_t sector = layout.sectorSize;
  if (sector != 512 && sector != 1024 && sector != 2048 && sector != 4096)
    throw Refusal(Code::unknownRequirement, "a sector size of 512, 1024, 2048 or 4096", std::to_string(sector));
  const uint64_t room = usableSize(containerSize);
  if (layout.offset % 512 != 0 || layout.offset >= room)
    throw Refusal(Code::unalignedSize, "a container longer than its payload offset " + std::to_string(layout.offset),
                  std::to_string(containerSize) + " bytes");
  layout.fixedSize = fixedSize != 0;
  layout.size = layout.fixedSize ? fixedSize : room - layout.offset;
  if (layout.size % sector != 0)
    throw Refusal(Code::unalignedSize, "a payload of whole " + std::to_string(sector) + "-byte sectors",
                  std::to_string(layout.size) + " bytes");
  if (layout.size > room - layout.offset)
    throw Refusal(Code::unalignedSize, "room for a payload of " + std::to_string(layout.size) + " bytes",
                  std::to_string(room - layout.offset) + " bytes");
}

}  // namespace

Layout readLayout(crypt_device* device, uint64_t containerSize) {
  const std::string type = crypt_get_type(device);
  uint64_t fixedSize = 0;
  Layout layout = type == CRYPT_LUKS2 ? readLuks2(device, fixedSize) : readLuks1(device);
  layout.type = type;
  layout.uuid = crypt_get_uuid(device);
  const int keyBytes = crypt_get_volume_key_size(device);
  layout.keyBits = static_cast<uint32_t>(keyBytes) * 8;
  if (layout.cipher != kCipher) throw Refusal(Code::cipher, kCipher, layout.cipher);
  // LUKS2 knows the key's length from its keyslots only.
  if (keyBytes <= 0) throw Refusal(Code::noKeyslot, "a keyslot with a key", "none: the container was erased");
  if (keyBytes != 32 && keyBytes != 64)
    throw Refusal(Code::cipher, "a volume key of 256 or 512 bits", std::to_string(layout.keyBits) + " bits");
  checkSize(layout, containerSize, fixedSize);
  return layout;
}

}  // namespace reelvault::luksblock
