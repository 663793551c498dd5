#include "luksblock/refusal.h"

#include <cstring>

#include "luksblock/json.h"

namespace reelvault::luksblock {
namespace {

const char* nameOf(Code code) {
  switch (code) {
    case Code::usage: return "usage";
    case Code::notLuks: return "not-luks";
    case Code::wrongKey: return "wrong-key";
    case Code::reencryption: return "reencryption";
    case Code::integrity: return "integrity";
    case Code::unknownRequirement: return "unknown-requirement";
    case Code::unalignedSize: return "unaligned-size";
    case Code::cipher: return "cipher";
    case Code::headerDamaged: return "header-damaged";
    case Code::noKeyslot: return "no-keyslot";
    case Code::inUse: return "in-use";
    case Code::io: return "io";
    case Code::mount: return "mount";
    case Code::memory: return "memory";
  }
  return "io";
}

}  // namespace

std::string Refusal::json() const {
  JsonObject line;
  line.set("error", nameOf(code));
  line.set("message", "Expected " + expected + ", got " + got);
  line.set("expected", expected);
  line.set("got", got);
  return line.text();
}

std::string describeErrno(const std::string& what, int error) { return what + ": " + std::strerror(error); }

}  // namespace reelvault::luksblock
