#include "publisher.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace {
/// What an encoder keeps before it must throw away.
constexpr double kPatienceMs = 1000;
}  // namespace

Publisher::Publisher(const std::string& address, const std::string& request, const std::string& clip, size_t chunkBytes)
    : connection_(std::make_unique<Connection>(address)), clip_(clip), chunkBytes_(chunkBytes) {
  const std::string head = request + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  if (connection_->write(head.data(), head.size()) != static_cast<ssize_t>(head.size())) throw std::runtime_error("send the request to " + address);
}

void Publisher::begin(const Pace& pace) {
  pace_ = pace;
  connection_->makeNonBlocking();
}

// The next piece of the body into `framed_`; false where none is due.
bool Publisher::frame(double nowMs) {
  if (sentChunks_ == pace_.chunks) {
    framed_ = "0\r\n\r\n";
  } else {
    if (pace_.beginMs + static_cast<double>(sentChunks_) * pace_.everyMs > nowMs) return false;
    if (clipAt_ + chunkBytes_ > clip_.size()) clipAt_ = 0;
    char length[16];
    (void)std::snprintf(length, sizeof length, "%zx\r\n", chunkBytes_);
    framed_.assign(length).append(clip_, clipAt_, chunkBytes_).append("\r\n");
    clipAt_ += chunkBytes_;
  }
  framedSent_ = 0;
  return true;
}

void Publisher::sent(double nowMs) {
  if (sentChunks_ == pace_.chunks) {
    endSent_ = true;
    return;
  }
  const double lateMs = nowMs - (pace_.beginMs + static_cast<double>(sentChunks_) * pace_.everyMs);
  latestMs_ = std::max(latestMs_, lateMs);
  if (lateMs > kPatienceMs) dropped_++;
  sentChunks_++;
}

bool Publisher::send(double nowMs) {
  while (!broken_ && !endSent_) {
    if (framedSent_ == framed_.size() && !frame(nowMs)) return false;
    const ssize_t took = connection_->write(framed_.data() + framedSent_, framed_.size() - framedSent_);
    if (took < 0) broken_ = true;
    if (took <= 0) return broken_;
    framedSent_ += static_cast<size_t>(took);
    if (framedSent_ == framed_.size()) sent(nowMs);
  }
  return true;
}

bool Publisher::receive() {
  char bytes[4096];
  for (;;) {
    const ssize_t took = connection_->read(bytes, sizeof bytes);
    if (took == 0) return false;
    if (took < 0) return true;
    answer_.append(bytes, static_cast<size_t>(took));
  }
}
