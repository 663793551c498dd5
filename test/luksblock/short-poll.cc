/** It is looked for something before a sleep only after a short wait, and not where another thread wants the processor. Prints the rest. */
#include "luksblock/short_poll.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace reelvault::luksblock;
using namespace std::chrono_literals;

namespace {

/** Goes on by a microsecond with each look at it, and by what a test says. */
struct FakeClock {
  using time_point = std::chrono::steady_clock::time_point;
  static inline time_point time;
  static time_point now() { return time += 1us; }
};

using Poll = ShortPoll<FakeClock>;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

struct Wait {
  bool found;
  unsigned looks;
};

/** A wait for something that comes after `late`; a look takes `look`. */
Wait wait(Poll& poll, std::chrono::microseconds late, std::chrono::microseconds look = 1us) {
  const auto comes = FakeClock::time + late;
  unsigned looks = 0;
  const bool found = poll.look([&] {
    looks += 1;
    FakeClock::time += look;
    return FakeClock::time >= comes;
  });
  if (FakeClock::time < comes) FakeClock::time = comes;
  poll.over();
  return {found, looks};
}

}  // namespace

int main() {
  Poll poll;
  expect(wait(poll, 50us).looks == 0, "the first wait sleeps at once");
  expect(wait(poll, 50us).found, "after a short one it looks, and finds");
  const Wait late = wait(poll, 2000us);
  expect(!late.found && late.looks > 10 && late.looks <= 100, "what comes late is looked for until the time is over");
  expect(wait(poll, 2000us).looks == 0, "after a long wait it sleeps at once");
  expect(wait(poll, 50us).looks == 0 && wait(poll, 50us).found, "until waits are short again");
  expect(wait(poll, 5000us, 600us).looks == 1, "it sleeps when another thread had a turn between two looks");
  unsigned slept = 0;
  while (wait(poll, 50us).looks == 0) slept += 1;
  std::printf("%u waits without a look\n", slept);
}
