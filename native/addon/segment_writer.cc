// Puts writer/writer.h before JavaScript. Arguments are checked in src/native.ts; failures go back as negative errno.
#include <fcntl.h>

#include <cstring>
#include <utility>

#include "addon/index_record.h"
#include "addon/transport_counters.h"
#include "addon/register.h"
#include "writer/writer.h"

namespace reelvault {
namespace {

const char* nameOf(EventKind kind) {
  switch (kind) {
    case EventKind::segment: return "segment";
    case EventKind::durable: return "durable";
    case EventKind::drain: return "drain";
    case EventKind::finished: return "finished";
    case EventKind::error: break;
  }
  return "error";
}

Napi::Object toJs(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", nameOf(event.kind));
  object.Set("stream", event.stream);
  if (event.kind == EventKind::segment || event.kind == EventKind::durable) {
    Napi::Array records = Napi::Array::New(env, event.records.size());
    for (size_t i = 0; i < event.records.size(); i++) records.Set(static_cast<uint32_t>(i), toJs(env, event.records[i]));
    object.Set("reel", event.reel);
    object.Set("records", records);
  }
  if (event.kind == EventKind::durable) {
    Napi::Array lags = Napi::Array::New(env, event.lagsMs.size());
    for (size_t i = 0; i < event.lagsMs.size(); i++) lags.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(event.lagsMs[i])));
    object.Set("lagsMs", lags);
  }
  if (event.kind == EventKind::error || event.kind == EventKind::finished) {
    object.Set("errno", event.error);
    object.Set("notTransportStream", event.notTransportStream);
    object.Set("expected", event.expected);
    object.Set("got", event.got);
  }
  return object;
}

class SegmentWriter final : public Napi::ObjectWrap<SegmentWriter>, private EventSink {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "SegmentWriter",
                       {InstanceMethod<&SegmentWriter::AddVolume>("addVolume"), InstanceMethod<&SegmentWriter::RemoveVolume>("removeVolume"),
                        InstanceMethod<&SegmentWriter::OpenStream>("openStream"),
                        InstanceMethod<&SegmentWriter::Finish>("finish"), InstanceMethod<&SegmentWriter::Counters>("counters"),
                        InstanceMethod<&SegmentWriter::NoteGap>("noteGap"),
                        InstanceMethod<&SegmentWriter::Stop>("stop"), InstanceAccessor<&SegmentWriter::Backend>("ioUring"),
                        InstanceAccessor<&SegmentWriter::HighMark>("highMark")});
  }

  // new SegmentWriter(backend: 0 auto | 1 io_uring | 2 pwrite, stagingBytes, commitIntervalMs, onEvents)
  explicit SegmentWriter(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SegmentWriter>(info), env_(info.Env()) {
    const WriterOptions options{.backend = static_cast<BackendKind>(info[0].As<Napi::Number>().Uint32Value()),
                                .stagingBytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value()),
                                .commitIntervalMs = info[2].As<Napi::Number>().Uint32Value()};
    auto writer = Writer::make(options, *this);
    if (!writer.ok()) {
      Napi::Error error = Napi::Error::New(env_, writer.failure.what + ": " + std::strerror(writer.failure.error));
      error.Set("errno", Napi::Number::New(env_, writer.failure.error));
      error.ThrowAsJavaScriptException();
      return;
    }
    events_ = Events::New(env_, info[3].As<Napi::Function>(), "reelvault events", 0, 1, this);
    // An idle writer does not keep the process alive; open sessions do (hold()).
    events_.Unref(env_);
    writer_ = std::move(writer.value);
    addAppend(info.This().As<Napi::Object>());
    napi_add_env_cleanup_hook(env_, onExit, this);
  }
  ~SegmentWriter() override {
    if (writer_ == nullptr) return;
    napi_remove_env_cleanup_hook(env_, onExit, this);
    shutDown();
  }

 private:
  using Batch = std::vector<Event>;
  static void deliver(Napi::Env env, Napi::Function callback, SegmentWriter* self, Batch* batch) {
    const std::unique_ptr<Batch> owned(batch);
    // No environment: the process or the worker is ending, and `self` may be gone.
    if (env == nullptr || callback.IsEmpty()) return;
    Napi::HandleScope scope(env);
    Napi::Array events = Napi::Array::New(env, batch->size());
    for (size_t i = 0; i < batch->size(); i++) {
      events.Set(static_cast<uint32_t>(i), toJs(env, (*batch)[i]));
      if ((*batch)[i].kind == EventKind::finished) self->release();
    }
    callback.Call({events});
  }
  using Events = Napi::TypedThreadSafeFunction<SegmentWriter, Batch, deliver>;

  void report(std::vector<Event> events) override {
    auto batch = std::make_unique<Batch>(std::move(events));
    // Refused only while the environment ends: then nobody is left to hear it.
    if (events_.NonBlockingCall(batch.get()) == napi_ok) (void)batch.release();
  }

  // As long as a session is open, neither this object nor the process may go.
  void hold() {
    if (sessions_++ > 0) return;
    Ref();
    events_.Ref(env_);
  }
  void release() {
    if (--sessions_ > 0) return;
    events_.Unref(env_);
    Unref();
  }

  static void onExit(void* self) { static_cast<SegmentWriter*>(self)->shutDown(); }
  // Threads first: they use what comes after them.
  void shutDown() {
    if (std::exchange(down_, true)) return;
    writer_->stop();
    events_.Abort();
  }

  Napi::Value AddVolume(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    UniqueFd directory(::fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3));
    if (!directory) return Napi::Number::New(env, -errno);
    const auto bytes = info[1].As<Napi::Uint8Array>();
    VolumeUuid uuid{};
    std::memcpy(uuid.data(), bytes.Data(), uuid.size());
    const auto volume = writer_->addVolume(std::move(directory), uuid);
    return Napi::Number::New(env, volume.ok() ? volume.value : -volume.failure.error);
  }
  Napi::Value RemoveVolume(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), -writer_->removeVolume(info[0].As<Napi::Number>().Int32Value()).error);
  }
  // openStream(volume, name, segmentMs, evidence, lastEndUs: number | null, gapReasons)
  Napi::Value OpenStream(const Napi::CallbackInfo& info) {
    const StreamOptions options{.volume = info[0].As<Napi::Number>().Int32Value(),
                                .name = info[1].As<Napi::String>().Utf8Value(),
                                .segmentMs = info[2].As<Napi::Number>().Uint32Value(),
                                .evidence = info[3].As<Napi::Boolean>().Value(),
                                .lastEndUs = info[4].IsNull() ? kUnknownTime : info[4].As<Napi::Number>().Int64Value(),
                                .gapReasons = info[5].As<Napi::Number>().Uint32Value()};
    const auto stream = writer_->openStream(options);
    if (!stream.ok()) return Napi::Number::New(info.Env(), -stream.failure.error);
    hold();
    return Napi::Number::New(info.Env(), stream.value);
  }
  // append(stream, bytes, nowUs): called for each chunk of each stream. A function that carries this object spares the look-up that a method needs
  // for it, and bare N-API the wrappers of each argument.
  static napi_value append(napi_env env, napi_callback_info info) {
    size_t count = 3;
    napi_value arguments[3];
    void* self = nullptr;
    (void)napi_get_cb_info(env, info, &count, arguments, nullptr, &self);
    int32_t stream = 0;
    void* bytes = nullptr;
    size_t length = 0;
    int64_t nowUs = 0;
    (void)napi_get_value_int32(env, arguments[0], &stream);
    (void)napi_get_buffer_info(env, arguments[1], &bytes, &length);
    (void)napi_get_value_int64(env, arguments[2], &nowUs);
    const int64_t queued = static_cast<SegmentWriter*>(self)->writer_->append(stream, static_cast<const uint8_t*>(bytes), length, nowUs);
    napi_value answer = nullptr;
    // A small number is no object of the heap.
    if (queued <= INT32_MAX) (void)napi_create_int32(env, static_cast<int32_t>(queued), &answer);
    else (void)napi_create_int64(env, queued, &answer);
    return answer;
  }
  // The function holds its object, so that nobody can call it when that is gone.
  void addAppend(Napi::Object object) {
    napi_value function = nullptr;
    if (napi_create_function(env_, "append", NAPI_AUTO_LENGTH, append, this, &function) != napi_ok) return;
    Napi::Function(env_, function).Set("writer", object);
    object.Set("append", Napi::Value(env_, function));
  }
  void NoteGap(const Napi::CallbackInfo& info) { writer_->noteGap(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Uint32Value()); }
  void Finish(const Napi::CallbackInfo& info) { writer_->finish(info[0].As<Napi::Number>().Int32Value()); }
  Napi::Value Counters(const Napi::CallbackInfo& info) {
    return countersToJs(info.Env(), writer_->counters(info[0].As<Napi::Number>().Int32Value()));
  }
  void Stop(const Napi::CallbackInfo& info) { shutDown(); }
  Napi::Value Backend(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), writer_->backend() == BackendKind::ioUring); }
  Napi::Value HighMark(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(writer_->highMark())); }

  Napi::Env env_;
  Events events_;
  std::unique_ptr<Writer> writer_;
  size_t sessions_ = 0;
  bool down_ = false;
};

}  // namespace

void registerSegmentWriter(Napi::Env env, Napi::Object exports) { exports.Set("SegmentWriter", SegmentWriter::define(env)); }

}  // namespace reelvault
