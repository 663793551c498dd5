// The addon's entry: each operation registers its own functions. JavaScript (src/native.ts) validates, native code trusts.
#include <napi.h>

#include "addon/register.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  reelvault::registerChecksum(env, exports);
  reelvault::registerCachedRead(env, exports);
  reelvault::registerJail(env, exports);
  reelvault::registerProcess(env, exports);
  reelvault::registerUnixSocket(env, exports);
  reelvault::registerSegmentWriter(env, exports);
  reelvault::registerStandby(env, exports);
  reelvault::registerRecovery(env, exports);
  reelvault::registerPlaylist(env, exports);
  reelvault::registerBodyReaders(env, exports);
  return exports;
}

NODE_API_MODULE(reelvault, Init)
