/** A flush is foreseen only where syncs come in a rhythm, and a wrong guess ends the guessing. Prints how many were. */
#include "luksblock/flush_ahead.h"

#include <cstdio>
#include <cstdlib>

using namespace reelvault::luksblock;

namespace {

unsigned flushes = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

void wrote(FlushAhead& ahead, bool last) { flushes += ahead.wrote(last) ? 1 : 0; }

void syncs(FlushAhead& ahead, unsigned rounds) {
  for (unsigned round = 0; round < rounds; round += 1) {
    wrote(ahead, true);
    ahead.asked();
  }
}

}  // namespace

int main() {
  FlushAhead ahead;
  syncs(ahead, 3);
  expect(!ahead.rhythm(), "three syncs are none yet");
  wrote(ahead, false);
  ahead.asked();
  expect(ahead.rhythm() && flushes == 0, "nothing is flushed before a rhythm is seen");
  wrote(ahead, false);
  expect(flushes == 0, "nothing is flushed while another write is under way");
  wrote(ahead, true);
  expect(flushes == 1, "the flush is due when the last write has ended");
  ahead.asked();
  wrote(ahead, true);
  expect(flushes == 2, "and again in the next round");

  wrote(ahead, true);
  expect(!ahead.rhythm(), "a flush that no sync asked for ends the guessing");
  ahead.asked();
  wrote(ahead, true);
  ahead.asked();
  syncs(ahead, 2);
  expect(flushes == 2, "nothing is flushed until the rhythm is back");
  wrote(ahead, true);
  expect(flushes == 3, "and then it is");
  ahead.asked();

  ahead.streamed();
  expect(!ahead.rhythm(), "a large write ends it");
  syncs(ahead, 3);
  for (unsigned count = 0; count < 17; count += 1) wrote(ahead, count == 16);
  ahead.asked();
  syncs(ahead, 4);
  expect(flushes == 3, "many small ones end it as well");
  std::printf("%u flushes foreseen\n", flushes);
}
