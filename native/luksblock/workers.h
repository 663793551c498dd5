#pragma once
#include <array>
#include <memory>
#include <mutex>

#include "luksblock/plane.h"
#include "luksblock/status.h"

namespace reelvault::luksblock {

/** The workers of all threads, made before the first request. A thread takes one at its first request and keeps it. */
class Workers {
 public:
  Workers(const Layout& layout, const Secret& volumeKey, uint32_t unit, unsigned count, Counters& counters);

  /** The calling thread's worker. */
  Worker& mine();
  unsigned count() const { return total; }

 private:
  friend struct Claim;
  unsigned take();
  void giveBack(unsigned index);

  Counters& counters;
  const unsigned total;
  std::array<std::unique_ptr<Worker>, kMaxWorkers> workers;
  std::mutex mutex;
  std::array<bool, kMaxWorkers> taken{};
};

}  // namespace reelvault::luksblock
