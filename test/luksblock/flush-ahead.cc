/** A flush is begun ahead of time only where syncs come in a rhythm, and a wrong guess ends the guessing. */
#include "luksblock/flush_ahead.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace reelvault::luksblock;

namespace {

std::atomic<unsigned> flushes{0};

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

void rhythm(FlushAhead& ahead, unsigned rounds) {
  for (unsigned round = 0; round < rounds; round += 1) {
    ahead.wrote(true);
    ahead.asked();
  }
}

/** The thread that flushes has done what was begun. */
void settled(unsigned count, const char* what) {
  for (unsigned tries = 0; tries < 10'000 && flushes < count; tries += 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  expect(flushes == count, what);
}

}  // namespace

int main() {
  FlushAhead ahead([] { flushes += 1; });
  rhythm(ahead, 3);
  ahead.wrote(false);
  ahead.asked();
  expect(flushes == 0, "nothing is begun before a rhythm is seen");
  ahead.wrote(false);
  expect(flushes == 0, "nothing is begun while another write is under way");
  ahead.wrote(true);
  settled(1, "the flush is begun when the last write has ended");
  ahead.asked();
  ahead.wrote(true);
  settled(2, "and again in the next round");

  ahead.wrote(true);
  ahead.asked();
  ahead.wrote(true);
  ahead.asked();
  rhythm(ahead, 2);
  expect(flushes == 2, "a flush that no sync asked for ends the guessing");
  ahead.wrote(true);
  settled(3, "until the rhythm is back");
  ahead.asked();

  ahead.streamed();
  rhythm(ahead, 3);
  for (unsigned count = 0; count < 17; count += 1) ahead.wrote(count == 16);
  ahead.asked();
  rhythm(ahead, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  expect(flushes == 3, "large writes and many small ones end it as well");
  std::printf("%u flushes begun\n", flushes.load());
}
