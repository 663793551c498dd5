#pragma once

namespace reelvault::luksblock {

/**
 * Foresees syncs: tells when small writes have ended that one will follow, as it did after the last ones. A journal or a database then
 * waits for the disk alone, and not for the way of the answer and of its sync through loop device and FUSE as well. A wrong guess
 * costs one flush, and ends the guessing. For the reading thread only.
 */
class FlushAhead {
 public:
  /** A small write has ended; `last` of those that were under way. Whether to flush now. */
  bool wrote(bool last);
  /** A sync has come. */
  void asked();
  /** A large write has come: whoever streams syncs seldom. */
  void streamed() { trust = 0; }
  /** Whether syncs come in a rhythm. */
  bool rhythm() const;

 private:
  unsigned since = 0;       // small writes since the last sync
  unsigned trust = 0;       // syncs in a row that came after few small writes
  bool unanswered = false;  // a flush was foreseen, and no sync has come since
};

}  // namespace reelvault::luksblock
