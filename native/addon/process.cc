#include <sys/prctl.h>

#include <cerrno>

#include "addon/register.h"
#include "addon/system_error.h"

namespace reelvault {
namespace {

// forbidDumps()
Napi::Value ForbidDumps(const Napi::CallbackInfo& info) {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) systemError(info.Env(), errno, "prctl").ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

}  // namespace

void registerProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("forbidDumps", Napi::Function::New(env, ForbidDumps, "forbidDumps"));
}

}  // namespace reelvault
