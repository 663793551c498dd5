// Puts playlist/segment_text.h before JavaScript. Arguments are checked in src/native/playlist.ts.
#include "addon/register.h"
#include "playlist/segment_text.h"

namespace reelvault {
namespace {

class SegmentLines final : public Napi::ObjectWrap<SegmentLines> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "SegmentLines", {InstanceMethod<&SegmentLines::Add>("add"), InstanceMethod<&SegmentLines::Take>("take")}); }

  // new SegmentLines(formerEndUs: number | null)
  explicit SegmentLines(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SegmentLines>(info), text_(info[0].IsNull() ? std::nullopt : std::optional(info[0].As<Napi::Number>().Int64Value())) {}

 private:
  // add(records: Uint8Array, hourPath: string, first, end, tables: number, withoutTables: Uint32Array, startsPlaylist: boolean): number
  Napi::Value Add(const Napi::CallbackInfo& info) {
    const auto records = info[0].As<Napi::Uint8Array>();
    const std::string hourPath = info[1].As<Napi::String>().Utf8Value();
    const auto withoutTables = info[5].As<Napi::Uint32Array>();
    const size_t held = text_.write({.records = {records.Data(), records.ByteLength()},
                                                .hourPath = hourPath,
                                                .first = info[2].As<Napi::Number>().Uint32Value(),
                                                .end = info[3].As<Napi::Number>().Uint32Value(),
                                                .tables = info[4].As<Napi::Number>().Uint32Value(),
                                                .withoutTables = {withoutTables.Data(), withoutTables.ElementLength()},
                                                .startsPlaylist = info[6].As<Napi::Boolean>().Value()});
    return Napi::Number::New(info.Env(), static_cast<double>(held));
  }

  // take(head, tail: string): Buffer: the very memory that was written, as it is too much to copy
  Napi::Value Take(const Napi::CallbackInfo& info) {
    const std::string head = info[0].As<Napi::String>().Utf8Value();
    const std::string tail = info[1].As<Napi::String>().Utf8Value();
    auto* const text = new GrowingText(text_.take(head, tail));  // the buffer's finalizer deletes it
    return Napi::Buffer<char>::New(info.Env(), text->data(), text->size(), [](Napi::Env, char*, GrowingText* held) { delete held; }, text);
  }

  SegmentText text_;
};

}  // namespace

void registerPlaylist(Napi::Env env, Napi::Object exports) { exports.Set("SegmentLines", SegmentLines::define(env)); }

}  // namespace reelvault
