#include "luksblock/workers.h"

#include <cstdlib>

#include "luksblock/hardening.h"

namespace reelvault::luksblock {

/** A thread's hold on its worker; given back when the thread ends. */
struct Claim {
  Claim() = default;
  ~Claim() {
    if (owner != nullptr) owner->giveBack(index);
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  Workers* owner = nullptr;
  unsigned index = 0;
};

namespace {

thread_local Claim claim;

}  // namespace

Workers::Workers(const Layout& layout, const Secret& volumeKey, uint32_t unit, unsigned count, Counters& counters)
    : counters(counters), total(count) {
  for (unsigned index = 0; index < total; index += 1) workers[index] = std::make_unique<Worker>(layout, volumeKey, unit);
}

Worker& Workers::mine() {
  if (claim.owner == nullptr) {
    claim.index = take();
    claim.owner = this;
    counters.threads.fetch_add(1, std::memory_order_relaxed);
    if (!assertIoFlusher()) counters.threadsWithoutFlusher.fetch_add(1, std::memory_order_relaxed);
  }
  return *workers[claim.index];
}

unsigned Workers::take() {
  const std::lock_guard lock(mutex);
  for (unsigned index = 0; index < total; index += 1) {
    if (taken[index]) continue;
    taken[index] = true;
    return index;
  }
  std::abort();  // more threads than libfuse was allowed to make
}

void Workers::giveBack(unsigned index) {
  const std::lock_guard lock(mutex);
  taken[index] = false;
}

}  // namespace reelvault::luksblock
