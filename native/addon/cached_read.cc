#include <sys/uio.h>

#include "addon/register.h"

namespace reelvault {
namespace {

// readCached(fd: number, into: Uint8Array, position: number): number; -1 for any failure, which the ordinary read tells.
Napi::Value ReadCached(const Napi::CallbackInfo& info) {
  auto into = info[1].As<Napi::Uint8Array>();
  const iovec piece{.iov_base = into.Data(), .iov_len = into.ByteLength()};
  const ssize_t got = ::preadv2(info[0].As<Napi::Number>().Int32Value(), &piece, 1, info[2].As<Napi::Number>().Int64Value(), RWF_NOWAIT);
  return Napi::Number::New(info.Env(), static_cast<double>(got));
}

}  // namespace

void registerCachedRead(Napi::Env env, Napi::Object exports) { exports.Set("readCached", Napi::Function::New(env, ReadCached, "readCached")); }

}  // namespace reelvault
