#include "luksblock/flush_ahead.h"

#include <utility>

namespace reelvault::luksblock {
namespace {

/** More small writes than these before a sync, and its flush takes longer than what could be saved. */
constexpr unsigned kFew = 16;
/** As many syncs in a row have to come after few writes until one is expected. */
constexpr unsigned kTrusted = 4;

}  // namespace

FlushAhead::FlushAhead(std::function<void()> flush) : flush(std::move(flush)), thread([this] { work(); }) {}

FlushAhead::~FlushAhead() {
  ending = true;
  begun += 1;
  begun.notify_one();
  thread.join();
}

void FlushAhead::wrote(bool last) {
  since += 1;
  if (since > kFew) trust = 0;
  if (!last || trust < kTrusted) return;
  if (unanswered) {
    trust = 0;
    return;
  }
  unanswered = true;
  begun += 1;
  begun.notify_one();
}

void FlushAhead::asked() {
  unanswered = false;
  if (since != 0 && since <= kFew && trust < kTrusted) trust += 1;
  since = 0;
}

// What was asked for while a flush ran is one more flush.
void FlushAhead::work() {
  for (uint32_t seen = 0;;) {
    begun.wait(seen);
    seen = begun;
    if (ending) return;
    flush();
  }
}

}  // namespace reelvault::luksblock
