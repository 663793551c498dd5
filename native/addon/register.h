#pragma once
#include <napi.h>

namespace reelvault {

// One function for each operation of the addon; each puts its functions on `exports`.
void registerChecksum(Napi::Env env, Napi::Object exports);
void registerCachedRead(Napi::Env env, Napi::Object exports);
void registerJail(Napi::Env env, Napi::Object exports);
void registerProcess(Napi::Env env, Napi::Object exports);
void registerUnixSocket(Napi::Env env, Napi::Object exports);
void registerSegmentWriter(Napi::Env env, Napi::Object exports);
void registerPlaylist(Napi::Env env, Napi::Object exports);
void registerStandby(Napi::Env env, Napi::Object exports);
void registerRecovery(Napi::Env env, Napi::Object exports);
void registerBodyReaders(Napi::Env env, Napi::Object exports);

}  // namespace reelvault
