#include "luksblock/flush_ahead.h"

namespace reelvault::luksblock {
namespace {

/** More small writes than these before a sync, and its flush takes longer than what could be saved. */
constexpr unsigned kFew = 16;
/** As many syncs in a row have to come after few writes until one is expected. */
constexpr unsigned kTrusted = 4;

}  // namespace

bool FlushAhead::rhythm() const { return trust >= kTrusted; }

bool FlushAhead::wrote(bool last) {
  since += 1;
  if (since > kFew) trust = 0;
  if (!last || !rhythm()) return false;
  if (unanswered) trust = 0;
  unanswered = !unanswered;
  return unanswered;
}

void FlushAhead::asked() {
  unanswered = false;
  if (since != 0 && since <= kFew && !rhythm()) trust += 1;
  since = 0;
}

}  // namespace reelvault::luksblock
