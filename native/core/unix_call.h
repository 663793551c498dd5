#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/unique_fd.h"

// Descriptors over unix stream sockets. Nothing here raises SIGPIPE; EINTR is retried.
namespace reelvault {

struct UnixReply {
  int error = 0;                // errno; 0 is success
  const char* syscall = "";     // what failed
  std::vector<uint8_t> bytes;
  UniqueFd fd;                  // the descriptor that came along, close-on-exec
};

// Connects to `path`, sends `request`, reads to the end. At most `maxReply` bytes and one descriptor are taken, further descriptors are
// closed; ETIMEDOUT when it is not over in time, EMSGSIZE when the reply is too long. `request` is wiped before return.
UnixReply callUnixSocket(const std::string& path, std::vector<uint8_t> request, size_t maxReply, std::chrono::milliseconds limit);

// Sends all of `bytes`, with `fd` (unless -1) on the first byte. A full socket is waited for, up to `limit`. Returns 0 or an errno.
int sendWithFd(int socketFd, const uint8_t* bytes, size_t length, int fd, std::chrono::milliseconds limit);

}  // namespace reelvault
