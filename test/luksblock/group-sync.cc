/**
 * No sync is answered by a flush that began before its writes ended, waiting syncs share flushes and errors, and nothing is flushed
 * twice. The flush is a fake that notes what it saw when it began. Prints the flushes that were needed.
 */
#include "luksblock/group_sync.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace reelvault::luksblock;

namespace {

constexpr int kThreads = 8, kRounds = 500;
std::atomic<uint64_t> written{0}, stable{0}, flushes{0}, inFlush{0};
std::atomic<int> failing{0};
std::atomic<bool> failsOnce{false};

int fakeFlush(int) {
  if (inFlush.fetch_add(1) != 0) std::abort();
  if (failsOnce.exchange(false)) {
    // Time for others to come and wait. As the kernel's, this error is told once.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    inFlush -= 1;
    return EIO;
  }
  const uint64_t seen = written.load();
  flushes += 1;
  std::this_thread::sleep_for(std::chrono::microseconds(50));
  if (failing == 0) stable = seen;
  inFlush -= 1;
  return failing;
}

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

void inOrder() {
  GroupSync group(-1, fakeFlush);
  expect(!group.stable() && group.sync() == 0 && flushes == 1, "the first sync flushes, though nothing was written");
  expect(group.stable() && group.sync() == 0 && flushes == 1, "a second one has nothing to flush");
  group.wrote();
  expect(!group.stable() && group.sync() == 0 && flushes == 2, "a sync after a write flushes");
  group.wrote();
  failing = EIO;
  expect(group.sync() == EIO && !group.stable(), "a failed flush makes nothing stable");
  failing = 0;
  expect(group.sync() == 0 && flushes == 4, "the next sync flushes again");
}

void atOnce() {
  GroupSync group(-1, fakeFlush);
  const uint64_t before = flushes;
  std::vector<std::thread> threads;
  for (int lane = 0; lane < kThreads; lane += 1)
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; round += 1) {
        const uint64_t mine = written.fetch_add(1) + 1;
        group.wrote();
        expect(group.sync() == 0, "a sync succeeds");
        expect(stable.load() >= mine, "a sync that returned has made its writes stable");
      }
    });
  for (std::thread& thread : threads) thread.join();
  expect(flushes - before < kThreads * kRounds * 3 / 4, "syncs that wait together share flushes");
  std::printf("%llu flushes for %d syncs\n", static_cast<unsigned long long>(flushes - before), kThreads * kRounds);
}

void errorsAreShared() {
  GroupSync group(-1, fakeFlush);
  group.sync();
  failsOnce = true;
  std::vector<std::thread> threads;
  std::atomic<int> heard{0};
  group.wrote();
  for (int lane = 0; lane < kThreads; lane += 1)
    threads.emplace_back([&] { heard += group.sync() == EIO ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  expect(heard >= 2, "who waited for the flush that failed hears of it");
}

void aheadOfTime() {
  GroupSync group(-1, fakeFlush);
  group.sync();
  group.wrote();
  const uint64_t before = flushes;
  group.ahead();
  expect(group.stable() && group.sync() == 0 && flushes == before + 1, "what was flushed ahead of time is not flushed again");
  group.wrote();
  failing = EIO;
  group.ahead();
  failing = 0;
  group.wrote();
  expect(!group.stable() && group.sync() == EIO, "an error that came before anybody asked is the next one's who asks");
  expect(!group.stable() && group.sync() == 0 && group.stable(), "it is told once, and what it left is flushed then");
}

}  // namespace

int main() {
  inOrder();
  aheadOfTime();
  atOnce();
  errorsAreShared();
  return 0;
}
