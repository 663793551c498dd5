#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "writer/index.h"

namespace reelvault {

enum class EventKind : uint8_t { segment, durable, drain, error, finished };

/// What a writer reports. Which fields count depends on the kind; docs/archive.md ("Events") says when each comes.
struct Event {
  EventKind kind = EventKind::error;
  int stream = 0;
  std::string reel{};                ///< segment, durable: path in the volume
  std::vector<IndexRecord> records{};  ///< segment: one, without offset, sequence and sums; durable: all that became durable together
  std::vector<int64_t> lagsMs{};       ///< durable: of each record, from the arrival of its last byte until now
  int error = 0;                     ///< error, finished: errno; 0 with `notTransportStream`, or when finished well
  bool notTransportStream = false;
  std::string expected{}, got{};
};

/// Takes events from any of the writer's threads and from the thread that calls it. Must not call back into the writer.
class EventSink {
 public:
  virtual void report(std::vector<Event> events) = 0;

 protected:
  ~EventSink() = default;
};

}  // namespace reelvault
