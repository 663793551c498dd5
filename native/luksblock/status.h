#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "luksblock/hardening.h"
#include "luksblock/header.h"
#include "luksblock/plane.h"

namespace reelvault::luksblock {

/** Counters of the served requests; relaxed atomics, read for the status only. */
struct Counters {
  std::atomic<uint64_t> reads{0}, readBytes{0}, readErrors{0};
  std::atomic<uint64_t> writes{0}, writtenBytes{0}, writeErrors{0};
  std::atomic<uint64_t> syncs{0}, syncErrors{0};
  std::atomic<int> lastError{0};
  std::atomic<unsigned> threads{0}, threadsWithoutFlusher{0};
};

/** The line printed when the plane is ready. */
std::string readyLine(const Layout& layout);
/** What of a plane the `status` file tells. */
struct StatusFacts {
  const Layout& layout;
  uint64_t size;  // of the payload now, bytes
  bool readOnly;
  const IoMode& mode;
  const Hardening& hardening;
  const Counters& counters;
  std::string growRefused;  // why the payload cannot or did not grow, or ""
};

/** The content of the `status` file: one line of JSON. */
std::string statusLine(const StatusFacts& facts);

}  // namespace reelvault::luksblock
