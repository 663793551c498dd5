#include "addon/register.h"
#include "core/crc32c.h"

namespace reelvault {
namespace {

// crc32c(bytes: Uint8Array, crc: number): number
Napi::Value Crc32c(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const uint32_t crc = info[1].As<Napi::Number>().Uint32Value();
  return Napi::Number::New(info.Env(), crc32c(crc, bytes.Data(), bytes.ByteLength()));
}

}  // namespace

void registerChecksum(Napi::Env env, Napi::Object exports) { exports.Set("crc32c", Napi::Function::New(env, Crc32c, "crc32c")); }

}  // namespace reelvault
