/**
 * The write log entry for entry: writes of several threads with syncs between them through the plane's group sync, into the file of argument
 * 1; then a log that cannot be written, on /dev/full. The reader is in write-log.test.ts.
 */
#include "luksblock/write_log.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "luksblock/group_sync.h"

using namespace reelvault::luksblock;

namespace {

constexpr uint64_t kThreads = 4, kWrites = 50;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

UniqueFd opened(const char* path, int flags) { return UniqueFd(open(path, flags | O_WRONLY | O_APPEND, 0600)); }

int noFlush(int) { return 0; }

// Each write is as long as its number, of bytes of that value; the last one fails.
void writeMany(WriteLog& log, GroupSync& group, uint64_t thread) {
  for (uint64_t step = 0; step < kWrites; step += 1) {
    const uint64_t number = thread * kWrites + step;
    const std::vector<uint8_t> bytes(number, static_cast<uint8_t>(number));
    uint64_t entry = 0;
    expect(log.writeBegins(number << 32, bytes, entry) == 0, "a write is logged");
    expect(log.writeEnds(entry, number == kThreads * kWrites - 1 ? EIO : 0) == 0, "its end is logged");
    group.wrote();
    if (step % 10 == 9) expect(group.sync() == 0, "a sync succeeds");
  }
}

void many(const char* path) {
  WriteLog log(opened(path, O_CREAT | O_EXCL));
  expect(log.start() == 0, "the log can be begun");
  GroupSync group(-1, noFlush, &log);
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; thread += 1) threads.emplace_back([&, thread] { writeMany(log, group, thread); });
  for (std::thread& thread : threads) thread.join();
}

void full() {
  WriteLog log(opened("/dev/full", 0));
  expect(log.start() == ENOSPC, "a full disk is told");
  uint64_t entry = 0;
  const std::array<uint8_t, 4> bytes{};
  expect(log.writeBegins(0, bytes, entry) == ENOSPC, "nothing is logged behind a gap");
  GroupSync group(-1, noFlush, &log);
  expect(group.sync() == ENOSPC && !group.stable(), "a sync that is not in the log makes nothing stable");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  many(argv[1]);
  full();
  return 0;
}
