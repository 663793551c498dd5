// Sessions that are opened, fed, closed, and broken off, again and again: nothing is held on to. `npm run leaks` runs this under valgrind.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "writer_ground.h"

using namespace reelvault;
using namespace writer_ground;

namespace {

size_t entries(const char* directory) {
  const std::filesystem::directory_iterator all(directory);
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

void cycle(BackendKind backend) {
  const auto bytes = streamOf(4);
  Ground ground(backend);
  const int whole = ground.open("cam", kUnknownTime, true);
  CHECK(ground.feed(whole, bytes));
  CHECK(ground.finish(whole).error == 0);
  const int nothing = ground.open("never");
  CHECK(ground.finish(nothing).error == 0);
  const int garbage = ground.open("garbage");
  CHECK_FALSE(ground.feed(garbage, std::vector<uint8_t>(200'000)));
  (void)ground.finish(garbage);
  // Two are broken off in the middle, one of them in a reel that exists already.
  CHECK(ground.feed(ground.open("cam", kTestHour + 4'000'000), bytes));
  CHECK(ground.feed(ground.open("other"), bytes));
  ground.sink.await(EventKind::segment, 2);
  ground.writer.reset();
  const auto report = recoverReel(ground.directory.fd.get(), kTestReel);
  REQUIRE_MESSAGE(report.ok(), report.failure.what);
  CHECK(report.value.records >= 4);
  ground.directory.checkSums();
}

void cycles(BackendKind backend) {
  const char* wanted = std::getenv("REELVAULT_CYCLES");
  const int count = wanted != nullptr ? std::atoi(wanted) : 3;
  cycle(backend);
  const size_t descriptors = entries("/proc/self/fd");
  // ThreadSanitizer has one of its own
  const size_t threads = entries("/proc/self/task");
  for (int i = 0; i < count; i++) cycle(backend);
  CHECK(entries("/proc/self/fd") == descriptors);
  CHECK(entries("/proc/self/task") == threads);
}

}  // namespace

TEST_CASE("cycles of open, append, close and break off leave no descriptor and no thread") { cycles(BackendKind::automatic); }

TEST_CASE("cycles with threads in place of io_uring leave no descriptor and no thread") { cycles(BackendKind::pwrite); }
