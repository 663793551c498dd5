// Reads the bodies of publishers' requests off their sockets, in the event loop and past Node's HTTP parser. src/native/body-readers.ts has what it is for.
#include <fcntl.h>
#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <memory>
#include <unordered_map>
#include <vector>

#include "addon/register.h"
#include "addon/system_error.h"
#include "ingest/chunked_body.h"

namespace reelvault {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;  ///< more than a socket holds by default (212,992 bytes)
constexpr size_t kHeadBytes = 16 * 1024;
constexpr uint64_t kRestMs = 40;
/// A rest that brought so much is too long for its publisher. A sender that waits until a socket can be written finds it so up to a quarter of its buffer only
/// (53,248 bytes; unix_writable in the kernel's net/unix/af_unix.c): it would get no further in a rest.
constexpr size_t kMuchInARest = 44 * 1024;
constexpr uint64_t kLookMs = 200;              ///< how long it is read as it comes then, until it is seen whether it may rest again
constexpr size_t kLittleInALook = 208 * 1024;  ///< a little less than so many rests may bring
constexpr int kMostFruitless = 4;

enum class Happening : int { head, bytes, over, gone, bad };

class BodyReaders;

/// One socket. The poll handle must live until libuv has closed it, whatever became of the rest.
struct Reader {
  uv_poll_t poll{};
  int fd = -1;  ///< our own: the handle of Node's socket may be watched for writing meanwhile
  int id = 0;
  BodyReaders* group = nullptr;
  bool heading = true, held = false, resting = false, ended = false;
  int fruitless = 0;        ///< looks in turn that found nothing
  uint64_t lookedSince = 0;  ///< ms, by the clock of the loop; 0: it rests between reads
  size_t looked = 0;         ///< bytes since then
  ChunkedBody body;
};

class BodyReaders final : public Napi::ObjectWrap<BodyReaders> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "BodyReaders",
                       {InstanceMethod<&BodyReaders::Open>("open"), InstanceMethod<&BodyReaders::Take>("take"), InstanceMethod<&BodyReaders::Hold>("hold"),
                        InstanceMethod<&BodyReaders::GoOn>("goOn"), InstanceMethod<&BodyReaders::Close>("close"), InstanceAccessor<&BodyReaders::Buffer>("buffer")});
  }

  // new BodyReaders(onHappening: (id, happening, length) => void)
  explicit BodyReaders(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<BodyReaders>(info),
        env_(info.Env()),
        context_(env_, "reelvault.BodyReaders"),
        onHappening_(Napi::Persistent(info[0].As<Napi::Function>())),
        buffer_(Napi::Persistent(Napi::Buffer<uint8_t>::New(env_, kBufferBytes))),
        bytes_(buffer_.Value().Data()),
        tick_(new uv_timer_t) {
    (void)napi_get_uv_event_loop(env_, &loop_);
    (void)uv_timer_init(loop_, tick_);
    tick_->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(tick_));
  }

  ~BodyReaders() override {
    for (const auto& [id, reader] : readers_) dispose(reader);
    uv_close(reinterpret_cast<uv_handle_t*>(tick_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
  }

 private:
  // open(fd): id. Tells `head` once, when the first bytes are there; they stay in the socket.
  Napi::Value Open(const Napi::CallbackInfo& info) {
    auto reader = std::make_unique<Reader>();
    reader->fd = ::fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
    int error = reader->fd < 0 ? errno : 0;
    if (error == 0) error = -uv_poll_init(loop_, &reader->poll, reader->fd);
    if (error != 0) {
      if (reader->fd >= 0) ::close(reader->fd);
      systemError(info.Env(), error, "poll").ThrowAsJavaScriptException();
      return info.Env().Undefined();
    }
    reader->id = ++lastId_;
    reader->group = this;
    reader->poll.data = reader.get();
    // While sockets are open this must not be collected.
    if (readers_.empty()) Ref();
    Reader* raw = readers_[lastId_] = reader.release();
    watch(*raw);
    return Napi::Number::New(info.Env(), raw->id);
  }

  // take(id, headBytes): so many bytes of the socket are thrown away; all behind them is the body, and read from now on.
  void Take(const Napi::CallbackInfo& info) {
    Reader& reader = *readers_.at(info[0].As<Napi::Number>().Int32Value());
    size_t left = info[1].As<Napi::Number>().Uint32Value();
    while (left > 0) {
      const ssize_t got = ::recv(reader.fd, bytes_, left, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;  // gone: the next reading tells
      left -= static_cast<size_t>(got);
    }
    reader.heading = false;
    watch(reader);
  }

  void Hold(const Napi::CallbackInfo& info) {
    Reader& reader = *readers_.at(info[0].As<Napi::Number>().Int32Value());
    reader.held = true;
    (void)uv_poll_stop(&reader.poll);
  }
  void GoOn(const Napi::CallbackInfo& info) {
    Reader& reader = *readers_.at(info[0].As<Napi::Number>().Int32Value());
    reader.held = false;
    watch(reader);
  }
  // close(id): the socket itself stays open.
  void Close(const Napi::CallbackInfo& info) {
    const auto found = readers_.find(info[0].As<Napi::Number>().Int32Value());
    if (found == readers_.end()) return;
    dispose(found->second);
    readers_.erase(found);
    if (readers_.empty()) Unref();
  }
  Napi::Value Buffer(const Napi::CallbackInfo& info) { return buffer_.Value(); }

  static void dispose(Reader* reader) {
    (void)uv_poll_stop(&reader->poll);
    ::close(reader->fd);
    uv_close(reinterpret_cast<uv_handle_t*>(&reader->poll), [](uv_handle_t* handle) { delete static_cast<Reader*>(handle->data); });
  }

  // Wakes up for the next bytes.
  void watch(Reader& reader) {
    if (reader.held || reader.resting || reader.ended) return;
    (void)uv_poll_start(&reader.poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      auto* readable = static_cast<Reader*>(handle->data);
      readable->group->onReadable(*readable);
    });
  }

  void onReadable(Reader& reader) {
    const Napi::HandleScope scope(env_);
    const Napi::CallbackScope callbacks(env_, context_);
    (void)uv_poll_stop(&reader.poll);
    if (!reader.heading) return read(reader);
    const ssize_t got = ::recv(reader.fd, bytes_, kHeadBytes, MSG_DONTWAIT | MSG_PEEK);
    tell(reader.id, Happening::head, got > 0 ? static_cast<size_t>(got) : 0);
  }

  // Publishers that pace themselves are read together, some times a second: waking up for each of their pieces costs more than reading them.
  void rest(Reader& reader) {
    if (reader.held || reader.resting) return;
    (void)uv_poll_stop(&reader.poll);
    reader.resting = true;
    resting_.push_back(reader.id);
    if (resting_.size() > 1) return;
    (void)uv_timer_start(tick_, [](uv_timer_t* handle) { static_cast<BodyReaders*>(handle->data)->onTick(); }, kRestMs, 0);
  }

  void onTick() {
    const Napi::HandleScope scope(env_);
    const Napi::CallbackScope callbacks(env_, context_);
    for (const int id : std::exchange(resting_, {})) {
      const auto found = readers_.find(id);
      if (found == readers_.end()) continue;
      found->second->resting = false;
      read(*found->second);
    }
  }

  void read(Reader& reader) {
    if (reader.held) return;
    const int id = reader.id;
    const ssize_t got = ::recv(reader.fd, bytes_, kBufferBytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return ++reader.fruitless < kMostFruitless ? rest(reader) : watch(reader);
    if (got <= 0) return end(reader, Happening::gone);
    reader.fruitless = 0;
    const size_t length = reader.body.decode(bytes_, static_cast<size_t>(got));
    if (length > 0) tell(id, Happening::bytes, length);
    // Whoever was told may have closed it, or held it back.
    if (!readers_.contains(id)) return;
    if (reader.body.over()) return end(reader, Happening::over);
    if (reader.body.bad()) return end(reader, Happening::bad);
    if (mayRest(reader, static_cast<size_t>(got))) rest(reader);
    else watch(reader);
  }

  bool mayRest(Reader& reader, size_t got) {
    const uint64_t now = uv_now(loop_);
    reader.looked += got;
    if (reader.lookedSince == 0 ? got < kMuchInARest : now - reader.lookedSince >= kLookMs && reader.looked < kLittleInALook) {
      reader.lookedSince = 0, reader.looked = 0;
      return true;
    }
    if (reader.lookedSince == 0 || now - reader.lookedSince >= kLookMs) reader.lookedSince = now, reader.looked = 0;
    return false;
  }

  void end(Reader& reader, Happening how) {
    reader.ended = true;
    (void)uv_poll_stop(&reader.poll);
    tell(reader.id, how, 0);
  }

  void tell(int id, Happening happening, size_t length) {
    const Napi::HandleScope scope(env_);
    (void)onHappening_.Call({Napi::Number::New(env_, id), Napi::Number::New(env_, static_cast<int>(happening)), Napi::Number::New(env_, static_cast<double>(length))});
    if (env_.IsExceptionPending()) (void)napi_fatal_exception(env_, env_.GetAndClearPendingException().Value());
  }

  Napi::Env env_;
  Napi::AsyncContext context_;
  Napi::FunctionReference onHappening_;
  Napi::Reference<Napi::Buffer<uint8_t>> buffer_;
  uint8_t* bytes_;
  uv_timer_t* tick_;
  uv_loop_t* loop_ = nullptr;
  std::unordered_map<int, Reader*> readers_;
  std::vector<int> resting_;
  int lastId_ = 0;
};

}  // namespace

void registerBodyReaders(Napi::Env env, Napi::Object exports) { exports.Set("BodyReaders", BodyReaders::define(env)); }

}  // namespace reelvault
