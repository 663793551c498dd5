#pragma once
#include <napi.h>

#include <string>

namespace reelvault {

// A JavaScript Error with `code` (such as ENOENT), `errno`, `syscall` and, where one was named, `path`: the form of Node's own.
Napi::Error systemError(Napi::Env env, int number, const char* syscall, const std::string& path = {});

}  // namespace reelvault
