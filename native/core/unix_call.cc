#include "core/unix_call.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace reelvault {
namespace {

using Clock = std::chrono::steady_clock;

// More descriptors than this in one message the kernel closes itself (MSG_CTRUNC).
constexpr size_t maxFds = 16;

// 0 when ready (or in error: the next call tells), else an errno.
int waitFor(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    struct pollfd one = {fd, events, 0};
    const int ready = poll(&one, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
  }
}

int sendAll(int socketFd, const uint8_t* bytes, size_t length, int fd, Clock::time_point deadline) {
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  for (size_t sent = 0; sent < length;) {
    struct iovec piece = {const_cast<uint8_t*>(bytes) + sent, length - sent};
    struct msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (sent == 0 && fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      struct cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    const ssize_t count = sendmsg(socketFd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      if (const int error = waitFor(socketFd, POLLOUT, deadline); error != 0) return error;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

// Keeps the first descriptor of the whole reply and closes all others.
void takeFds(struct msghdr* message, UniqueFd* kept) {
  for (struct cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      UniqueFd received(fd);
      if (!*kept) *kept = std::move(received);
    }
  }
}

int receiveAll(int socketFd, size_t maxReply, Clock::time_point deadline, UnixReply* reply) {
  std::vector<uint8_t> chunk(64 * 1024);
  for (;;) {
    if (const int error = waitFor(socketFd, POLLIN, deadline); error != 0) return error;
    alignas(struct cmsghdr) char control[CMSG_SPACE(maxFds * sizeof(int))];
    struct iovec piece = {chunk.data(), chunk.size()};
    struct msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = recvmsg(socketFd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno;
    }
    takeFds(&message, &reply->fd);
    if (count == 0) return 0;
    if (reply->bytes.size() + static_cast<size_t>(count) > maxReply) return EMSGSIZE;
    reply->bytes.insert(reply->bytes.end(), chunk.begin(), chunk.begin() + count);
  }
}

int connectTo(int socketFd, const std::string& path, Clock::time_point deadline) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path.data(), path.size());
  for (;;) {
    if (connect(socketFd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0) return 0;
    // EAGAIN: the listener's queue is full; unlike TCP there is nothing to poll for.
    if (errno != EAGAIN && errno != EINTR) return errno;
    if (Clock::now() >= deadline) return ETIMEDOUT;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

int sendWithFd(int socketFd, const uint8_t* bytes, size_t length, int fd, std::chrono::milliseconds limit) {
  return sendAll(socketFd, bytes, length, fd, Clock::now() + limit);
}

UnixReply callUnixSocket(const std::string& path, std::vector<uint8_t> request, size_t maxReply, std::chrono::milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  UnixReply reply;
  const auto finish = [&](int error, const char* syscall) {
    explicit_bzero(request.data(), request.size());
    reply.error = error;
    reply.syscall = syscall;
    if (error != 0) {
      reply.bytes.clear();
      reply.fd.reset();
    }
    return std::move(reply);
  };
  const UniqueFd socketFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socketFd) return finish(errno, "socket");
  if (const int error = connectTo(socketFd.get(), path, deadline); error != 0) return finish(error, "connect");
  const int sendError = sendAll(socketFd.get(), request.data(), request.size(), -1, deadline);
  // A server that refuses early may close before it has read all: its answer is there all the same.
  if (sendError != 0 && sendError != EPIPE && sendError != ECONNRESET) return finish(sendError, "sendmsg");
  const int receiveError = receiveAll(socketFd.get(), maxReply, deadline, &reply);
  if (receiveError == ECONNRESET && !reply.bytes.empty()) return finish(0, "");
  if (receiveError != 0) return finish(receiveError, "recvmsg");
  if (sendError != 0 && reply.bytes.empty()) return finish(sendError, "sendmsg");
  return finish(0, "");
}

}  // namespace reelvault
