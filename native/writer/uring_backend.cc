#include <liburing.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "core/unique_fd.h"
#include "writer/io_backend.h"

namespace reelvault {
namespace {

class UringBackend final : public IoBackend {
 public:
  Failure start() {
    // One more place than kDepth: for the read of the eventfd that wakes us.
    if (const int error = ::io_uring_queue_init(kDepth * 2, &ring_, 0); error < 0) return {-error, "io_uring_setup"};
    ready_ = true;
    event_.reset(::eventfd(0, EFD_CLOEXEC));
    return event_ ? Failure::none() : Failure::last("eventfd");
  }
  ~UringBackend() override {
    if (ready_) ::io_uring_queue_exit(&ring_);
  }

  void submit(WriteRequest* request) override {
    io_uring_sqe* sqe = entry();
    ::io_uring_prep_writev(sqe, request->fd, request->iov.data() + request->first, static_cast<unsigned>(request->count - request->first), request->offset);
    ::io_uring_sqe_set_data(sqe, request);
  }

  void wait(std::vector<WriteRequest*>& done) override {
    if (!listening_) {
      io_uring_sqe* sqe = entry();
      ::io_uring_prep_read(sqe, event_.get(), &wakes_, sizeof wakes_, 0);
      ::io_uring_sqe_set_data(sqe, nullptr);
      listening_ = true;
    }
    // EINTR, EAGAIN, EBUSY: nothing is lost, the entries stay in the ring for the next call.
    (void)::io_uring_submit_and_wait(&ring_, 1);
    io_uring_cqe* cqe = nullptr;
    while (::io_uring_peek_cqe(&ring_, &cqe) == 0) {
      auto* request = static_cast<WriteRequest*>(::io_uring_cqe_get_data(cqe));
      if (request == nullptr) {
        listening_ = false;
      } else {
        request->result = cqe->res;
        done.push_back(request);
      }
      ::io_uring_cqe_seen(&ring_, cqe);
    }
  }

  void wake() override {
    // Only a counter at its limit could refuse this, and such a counter wakes too.
    (void)::eventfd_write(event_.get(), 1);
  }

 private:
  io_uring_sqe* entry() {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
      (void)::io_uring_submit(&ring_);
      sqe = ::io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  io_uring ring_{};
  bool ready_ = false;
  UniqueFd event_;
  bool listening_ = false;
  uint64_t wakes_ = 0;
};

}  // namespace

Result<std::unique_ptr<IoBackend>> makeUringBackend() {
  auto backend = std::make_unique<UringBackend>();
  if (auto failure = backend->start()) return failure;
  return std::unique_ptr<IoBackend>(std::move(backend));
}

}  // namespace reelvault
