#include "writer/recovery.h"

#include <fcntl.h>

#include "addon/index_record.h"
#include "addon/register.h"

namespace reelvault {

Napi::Object toJs(Napi::Env env, const IndexRecord& record) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("offset", static_cast<double>(record.offset));
  object.Set("length", record.length);
  object.Set("flags", record.flags);
  object.Set("startUs", static_cast<double>(record.startUs));
  object.Set("firstPts", static_cast<double>(record.firstPts));
  object.Set("duration", record.duration);
  object.Set("crc32c", record.crc32c);
  object.Set("sequence", record.sequence);
  if (record.sha256 == Sha256Digest{}) object.Set("sha256", env.Null());
  else object.Set("sha256", Napi::Buffer<uint8_t>::Copy(env, record.sha256.data(), record.sha256.size()));
  return object;
}

namespace {

// decodeIndex(bytes: Uint8Array, reelBytes: number): {hourUs, evidence, records, bad}
Napi::Value DecodeIndex(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const auto reelBytes = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  const std::string contents(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  const ReelIndex index = readIndex(contents, reelBytes);
  Napi::Array records = Napi::Array::New(env, index.records.size());
  for (size_t i = 0; i < index.records.size(); i++) records.Set(static_cast<uint32_t>(i), toJs(env, index.records[i]));
  Napi::Object result = Napi::Object::New(env);
  if (index.headerHolds) result.Set("hourUs", static_cast<double>(index.header.hourUs));
  else result.Set("hourUs", env.Null());
  result.Set("evidence", (index.header.flags & kEvidence) != 0);
  result.Set("records", records);
  const size_t slots = (contents.size() + kIndexRecordBytes - 1) / kIndexRecordBytes;
  result.Set("bad", static_cast<double>(slots == 0 ? 0 : slots - 1 - index.records.size()));
  return result;
}

// compactIndex(bytes: Uint8Array, reelBytes: number): {hourUs, evidence, count}: as compactIndex, in place.
Napi::Value CompactIndex(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto bytes = info[0].As<Napi::Uint8Array>();
  const auto reelBytes = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  const std::span<uint8_t> index(bytes.Data(), bytes.ByteLength());
  const auto header = index.size() < kIndexRecordBytes ? std::nullopt : decodeHeader(index.data());
  Napi::Object result = Napi::Object::New(env);
  if (header) result.Set("hourUs", static_cast<double>(header->hourUs));
  else result.Set("hourUs", env.Null());
  result.Set("evidence", header && (header->flags & kEvidence) != 0);
  result.Set("count", static_cast<double>(compactIndex(index, reelBytes)));
  return result;
}

class RecoverWorker final : public Napi::AsyncWorker {
 public:
  RecoverWorker(Napi::Env env, UniqueFd directory, std::string path, bool closed)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), directory_(std::move(directory)), path_(std::move(path)), closed_(closed) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { result_ = recoverReel(directory_.get(), path_, systemFileOps(), {.closed = closed_}); }
  // Resolves in either case: {errno, what} says that it failed; src/native.ts makes the error of it.
  void OnOK() override {
    Napi::Object result = Napi::Object::New(Env());
    if (!result_.ok()) {
      result.Set("errno", result_.failure.error);
      result.Set("what", result_.failure.what);
    } else {
      result.Set("errno", 0);
      result.Set("records", static_cast<double>(result_.value.records));
      result.Set("indexed", static_cast<double>(result_.value.indexed));
      result.Set("cutBytes", static_cast<double>(result_.value.cutBytes));
      result.Set("added", static_cast<double>(result_.value.added));
      result.Set("lost", static_cast<double>(result_.value.lost));
      result.Set("leftOver", static_cast<double>(result_.value.leftOver));
    }
    deferred_.Resolve(result);
  }

 private:
  Napi::Promise::Deferred deferred_;
  UniqueFd directory_;
  std::string path_;
  bool closed_;
  Result<RecoveryReport> result_{RecoveryReport{}};
};

// recoverReel(dirFd: number, path: string, closed: boolean): Promise<{errno, what} | {errno: 0, records, indexed, cutBytes, added, lost, leftOver}>
Napi::Value RecoverReel(const Napi::CallbackInfo& info) {
  UniqueFd directory(::fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3));
  auto* worker = new RecoverWorker(info.Env(), std::move(directory), info[1].As<Napi::String>().Utf8Value(), info[2].As<Napi::Boolean>().Value());
  const Napi::Promise promise = worker->promise();
  worker->Queue();  // deletes itself
  return promise;
}

}  // namespace

void registerRecovery(Napi::Env env, Napi::Object exports) {
  exports.Set("decodeIndex", Napi::Function::New(env, DecodeIndex, "decodeIndex"));
  exports.Set("compactIndex", Napi::Function::New(env, CompactIndex, "compactIndex"));
  exports.Set("recoverReel", Napi::Function::New(env, RecoverReel, "recoverReel"));
}

}  // namespace reelvault
