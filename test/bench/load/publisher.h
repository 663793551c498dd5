#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "connection.h"

/// When the chunks of a stream fall due.
struct Pace {
  double beginMs = 0, everyMs = 0;
  uint64_t chunks = 0;  ///< so many, then the body ends
};

/// One live stream: an HTTP request whose chunks fall due one after the other, whatever the other side does.
class Publisher {
 public:
  /// Connects and sends the head of the request: `request` is its method and path.
  Publisher(const std::string& address, const std::string& request, const std::string& clip, size_t chunkBytes);

  void begin(const Pace& pace);
  /// Sends what is due and fits. True when the body is out, or the connection is broken.
  bool send(double nowMs);
  /// Takes the answer. True when the other side has closed.
  bool receive();

  bool broken() const { return broken_; }
  /// All was sent, and the answer says that it went well.
  bool succeeded() const { return !broken_ && answer_.rfind("HTTP/1.1 200", 0) == 0; }
  const std::string& answer() const { return answer_; }
  uint64_t sentBytes() const { return sentChunks_ * chunkBytes_; }
  /// The longest that a chunk was late, and how many were later than a live encoder can keep them.
  double latestMs() const { return latestMs_; }
  uint64_t dropped() const { return dropped_; }

 private:
  bool frame(double nowMs);
  void sent(double nowMs);

  std::unique_ptr<Connection> connection_;
  const std::string& clip_;
  const size_t chunkBytes_;
  Pace pace_;
  size_t clipAt_ = 0;
  std::string framed_;  ///< the chunk that is being sent, its length before it
  size_t framedSent_ = 0;
  uint64_t sentChunks_ = 0;
  bool endSent_ = false, broken_ = false;
  double latestMs_ = 0;
  uint64_t dropped_ = 0;
  std::string answer_;
};
