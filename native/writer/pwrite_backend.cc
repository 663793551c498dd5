#include <pthread.h>
#include <sys/uio.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "writer/io_backend.h"

namespace reelvault {
namespace {

/// Threads that call pwritev: for kernels and containers without io_uring.
class PwriteBackend final : public IoBackend {
 public:
  PwriteBackend() {
    for (size_t i = 0; i < kThreads; i++) {
      workers_.emplace_back([this] { work(); });
      ::pthread_setname_np(workers_.back().native_handle(), "rv-pwrite");
    }
  }
  ~PwriteBackend() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    toDo_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  void submit(WriteRequest* request) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(request);
    }
    toDo_.notify_one();
  }

  void wait(std::vector<WriteRequest*>& done) override {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [this] { return awake_ || !done_.empty(); });
    awake_ = false;
    done.insert(done.end(), done_.begin(), done_.end());
    done_.clear();
  }

  void wake() override {
    {
      const std::lock_guard lock(mutex_);
      awake_ = true;
    }
    news_.notify_one();
  }

 private:
  static constexpr size_t kThreads = 4;

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      toDo_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      WriteRequest* request = queue_.front();
      queue_.pop_front();
      lock.unlock();
      ssize_t put = 0;
      do put = ::pwritev(request->fd, request->iov.data() + request->first, static_cast<int>(request->count - request->first), static_cast<off_t>(request->offset));
      while (put < 0 && errno == EINTR);
      request->result = put < 0 ? -errno : put;
      lock.lock();
      done_.push_back(request);
      news_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable toDo_, news_;
  std::deque<WriteRequest*> queue_;
  std::vector<WriteRequest*> done_;
  bool awake_ = false, stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace

std::unique_ptr<IoBackend> makePwriteBackend() { return std::make_unique<PwriteBackend>(); }

}  // namespace reelvault
