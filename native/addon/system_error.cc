#include "addon/system_error.h"

#include <cstring>

namespace reelvault {

Napi::Error systemError(Napi::Env env, int number, const char* syscall, const std::string& path) {
  const char* name = strerrorname_np(number);
  const std::string code = name == nullptr ? "EUNKNOWN" : name;
  std::string message = code + ": " + strerrordesc_np(number) + ", " + syscall;
  if (!path.empty()) message += " '" + path + "'";
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  error.Set("errno", Napi::Number::New(env, -number));
  error.Set("syscall", Napi::String::New(env, syscall));
  if (!path.empty()) error.Set("path", Napi::String::New(env, path));
  return error;
}

}  // namespace reelvault
