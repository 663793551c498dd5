#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

// pidfdOpen(pid): descriptor (close-on-exec), -1 where there is no such process
Napi::Value PidfdOpen(const Napi::CallbackInfo& info) {
  const long fd = syscall(SYS_pidfd_open, info[0].As<Napi::Number>().Int32Value(), 0);
  if (fd < 0 && errno != ESRCH) systemError(info.Env(), errno, "pidfd_open").ThrowAsJavaScriptException();
  return Napi::Number::New(info.Env(), static_cast<double>(fd));
}

// pidfdSignal(fd, signal): whether the process was still there
Napi::Value PidfdSignal(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const bool sent = syscall(SYS_pidfd_send_signal, fd, info[1].As<Napi::Number>().Int32Value(), nullptr, 0) == 0;
  if (!sent && errno != ESRCH) systemError(info.Env(), errno, "pidfd_send_signal").ThrowAsJavaScriptException();
  return Napi::Boolean::New(info.Env(), sent);
}

}  // namespace

void registerProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("forbidDumps", Napi::Function::New(env, ForbidDumps, "forbidDumps"));
  exports.Set("pidfdOpen", Napi::Function::New(env, PidfdOpen, "pidfdOpen"));
  exports.Set("pidfdSignal", Napi::Function::New(env, PidfdSignal, "pidfdSignal"));
}

}  // namespace reelvault
