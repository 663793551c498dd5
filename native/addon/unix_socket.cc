#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <thread>

#include "addon/register.h"
#include "addon/system_error.h"
#include "core/unix_call.h"

namespace reelvault {
namespace {

// peerCredentials(fd): {pid, uid, gid}
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    systemError(env, errno, "getsockopt").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, peer.pid));
  result.Set("uid", Napi::Number::New(env, peer.uid));
  result.Set("gid", Napi::Number::New(env, peer.gid));
  return result;
}

// sendWithFd(socketFd, bytes: Uint8Array, fd, timeoutMs)
Napi::Value SendWithFd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  const std::chrono::milliseconds limit(info[3].As<Napi::Number>().Int64Value());
  const int error = sendWithFd(info[0].As<Napi::Number>().Int32Value(), bytes.Data(), bytes.ByteLength(),
                               info[2].As<Napi::Number>().Int32Value(), limit);
  if (error != 0) systemError(env, error, "sendmsg").ThrowAsJavaScriptException();
  return env.Undefined();
}

struct Call {
  Napi::Promise::Deferred deferred;
  std::string path;
  UnixReply reply;
};

// On the JavaScript thread. The descriptor becomes the caller's only here: a call that nobody waits for any more closes it.
void settle(Napi::Env env, Napi::Function, Call* raw) {
  const std::unique_ptr<Call> call(raw);
  Napi::HandleScope scope(env);
  if (call->reply.error != 0) {
    call->deferred.Reject(systemError(env, call->reply.error, call->reply.syscall, call->path).Value());
    return;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("reply", Napi::Buffer<uint8_t>::Copy(env, call->reply.bytes.data(), call->reply.bytes.size()));
  result.Set("fd", Napi::Number::New(env, call->reply.fd.release()));
  call->deferred.Resolve(result);
}

// callUnixSocket(path, bytes: Uint8Array, maxReply, timeoutMs): Promise<{reply: Buffer, fd: number}>
// In a thread of its own: an answer may take a minute, and the four threads of libuv's pool are for files.
Napi::Value CallUnixSocket(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  std::vector<uint8_t> request(bytes.Data(), bytes.Data() + bytes.ByteLength());
  const size_t maxReply = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  const std::chrono::milliseconds limit(info[3].As<Napi::Number>().Int64Value());
  auto call = std::make_unique<Call>(Call{Napi::Promise::Deferred::New(env), info[0].As<Napi::String>().Utf8Value(), {}});
  const Napi::Promise promise = call->deferred.Promise();
  const auto idle = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  auto toMain = Napi::ThreadSafeFunction::New(env, idle, "callUnixSocket", 0, 1);
  std::thread([call = std::move(call), request = std::move(request), maxReply, limit, toMain]() mutable {
    call->reply = callUnixSocket(call->path, std::move(request), maxReply, limit);
    Call* raw = call.release();
    if (toMain.BlockingCall(raw, settle) != napi_ok) delete raw;  // the environment is going away
    toMain.Release();
  }).detach();
  return promise;
}

}  // namespace

void registerUnixSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials, "peerCredentials"));
  exports.Set("sendWithFd", Napi::Function::New(env, SendWithFd, "sendWithFd"));
  exports.Set("callUnixSocket", Napi::Function::New(env, CallUnixSocket, "callUnixSocket"));
}

}  // namespace reelvault
