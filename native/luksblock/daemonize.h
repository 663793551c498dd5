#pragma once
#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {

/**
 * Goes into the background before any thread or secret exists: returns in the child, a session of its own; the parent waits
 * for `announceReady` or the child's end and exits with its code.
 */
class Background {
 public:
  /** Does nothing with `foreground`. */
  explicit Background(bool foreground);
  /** stdio to /dev/null, the parent exits with 0. */
  void announceReady();

 private:
  UniqueFd parent;
};

}  // namespace reelvault::luksblock
