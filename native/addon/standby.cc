// Puts writer/standby.h before JavaScript. Arguments are checked in src/native/standby.ts.
#include "writer/standby.h"

#include <memory>
#include <unordered_map>

#include "addon/register.h"
#include "addon/transport_counters.h"

namespace reelvault {
namespace {

class StandbyStreams final : public Napi::ObjectWrap<StandbyStreams> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "StandbyStreams",
                       {InstanceMethod<&StandbyStreams::Open>("open"), InstanceMethod<&StandbyStreams::Feed>("feed"),
                        InstanceMethod<&StandbyStreams::Hold>("hold"), InstanceMethod<&StandbyStreams::Take>("take"),
                        InstanceMethod<&StandbyStreams::Status>("status"), InstanceMethod<&StandbyStreams::Got>("got"),
                        InstanceMethod<&StandbyStreams::Counters>("counters"), InstanceMethod<&StandbyStreams::Close>("close"),
                        InstanceAccessor<&StandbyStreams::Used>("used"), StaticValue("expected", Napi::String::New(env, FirstBytes::kExpected))});
  }

  // new StandbyStreams(ceiling)
  explicit StandbyStreams(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<StandbyStreams>(info), pool_(static_cast<size_t>(info[0].As<Napi::Number>().Int64Value())) {}

 private:
  Standby& streamOf(const Napi::CallbackInfo& info) { return *streams_.at(info[0].As<Napi::Number>().Int32Value()); }

  // open(keepMs): id
  Napi::Value Open(const Napi::CallbackInfo& info) {
    streams_[++lastId_] = std::make_unique<Standby>(pool_, info[0].As<Napi::Number>().Int64Value() * 1000);
    return Napi::Number::New(info.Env(), lastId_);
  }
  // feed(id, bytes, nowUs, elapsedUs): -1 no transport stream, 1 wait, else 0
  Napi::Value Feed(const Napi::CallbackInfo& info) {
    const auto bytes = info[1].As<Napi::Uint8Array>();
    const Standby::Fed fed = streamOf(info).feed(bytes.Data(), bytes.ByteLength(), info[2].As<Napi::Number>().Int64Value(), info[3].As<Napi::Number>().Int64Value());
    return Napi::Number::New(info.Env(), static_cast<int>(fed));
  }
  void Hold(const Napi::CallbackInfo& info) { streamOf(info).hold(); }
  // take(id): {bytes, cameUs} | null
  Napi::Value Take(const Napi::CallbackInfo& info) {
    Standby& stream = streamOf(info);
    const auto piece = stream.front();
    if (!piece) return info.Env().Null();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("bytes", Napi::Buffer<uint8_t>::Copy(info.Env(), piece->data, piece->length));
    object.Set("cameUs", static_cast<double>(piece->cameUs));
    stream.pop();
    return object;
  }
  // status(id): {bytes, sinceUs | null}
  Napi::Value Status(const Napi::CallbackInfo& info) {
    const Standby& stream = streamOf(info);
    const auto since = stream.heldSinceUs();
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("bytes", static_cast<double>(stream.held()));
    object.Set("sinceUs", since ? Napi::Value(Napi::Number::New(info.Env(), static_cast<double>(*since))) : info.Env().Null());
    return object;
  }
  Napi::Value Got(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), streamOf(info).got()); }
  Napi::Value Counters(const Napi::CallbackInfo& info) { return countersToJs(info.Env(), streamOf(info).counters()); }
  void Close(const Napi::CallbackInfo& info) { streams_.erase(info[0].As<Napi::Number>().Int32Value()); }
  Napi::Value Used(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(pool_.used())); }

  StandbyPool pool_;
  std::unordered_map<int, std::unique_ptr<Standby>> streams_;
  int lastId_ = 0;
};

}  // namespace

void registerStandby(Napi::Env env, Napi::Object exports) { exports.Set("StandbyStreams", StandbyStreams::define(env)); }

}  // namespace reelvault
