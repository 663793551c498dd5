// Puts playlist/segment_text.h before JavaScript. Arguments are checked in src/native/playlist.ts.
#include "addon/register.h"
#include "playlist/segment_text.h"

namespace reelvault {
namespace {

class SegmentLines final : public Napi::ObjectWrap<SegmentLines> {
 public:
  static Napi::Function define(Napi::Env env) { return DefineClass(env, "SegmentLines", {InstanceMethod<&SegmentLines::Add>("add")}); }

  // new SegmentLines(formerEndUs: number | null)
  explicit SegmentLines(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SegmentLines>(info), text_(info[0].IsNull() ? std::nullopt : std::optional(info[0].As<Napi::Number>().Int64Value())) {}

 private:
  // add(records: Uint8Array, hourPath: string, first, end, tables: number, withoutTables: Uint32Array, startsPlaylist: boolean): Buffer
  Napi::Value Add(const Napi::CallbackInfo& info) {
    const auto records = info[0].As<Napi::Uint8Array>();
    const std::string hourPath = info[1].As<Napi::String>().Utf8Value();
    const auto withoutTables = info[5].As<Napi::Uint32Array>();
    const std::string_view lines = text_.write({.records = {records.Data(), records.ByteLength()},
                                                .hourPath = hourPath,
                                                .first = info[2].As<Napi::Number>().Uint32Value(),
                                                .end = info[3].As<Napi::Number>().Uint32Value(),
                                                .tables = info[4].As<Napi::Number>().Uint32Value(),
                                                .withoutTables = {withoutTables.Data(), withoutTables.ElementLength()},
                                                .startsPlaylist = info[6].As<Napi::Boolean>().Value()});
    return Napi::Buffer<char>::Copy(info.Env(), lines.data(), lines.size());
  }

  SegmentText text_;
};

}  // namespace

void registerPlaylist(Napi::Env env, Napi::Object exports) { exports.Set("SegmentLines", SegmentLines::define(env)); }

}  // namespace reelvault
