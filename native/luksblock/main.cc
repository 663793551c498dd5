/**
 * luksblock: serves the decrypted payload of a LUKS container as a file over FUSE, for machines whose kernel has no
 * device-mapper. Command line, status and exit codes: docs/luksblock.md.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <thread>

#include "luksblock/container.h"
#include "luksblock/daemonize.h"
#include "luksblock/growth.h"
#include "luksblock/hardening.h"
#include "luksblock/header.h"
#include "luksblock/options.h"
#include "luksblock/refusal.h"
#include "luksblock/server.h"
#include "luksblock/write_log.h"

namespace reelvault::luksblock {
namespace {

// Descriptors that a parent forgot would stay open as long as the volume does.
void closeOthers(int first, int second) {
  const unsigned low = static_cast<unsigned>(std::min(first, second)), high = static_cast<unsigned>(std::max(first, second));
  unsigned from = 3;
  for (const unsigned kept : {low, high}) {
    if (kept > from) close_range(from, kept - 1, 0);
    from = std::max(from, kept + 1);
  }
  close_range(from, ~0U, 0);
}

// A missing stdin, stdout or stderr would be the number of the next file opened, and a message would land in it.
void fillStdio() {
  for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
    if (fd <= 2) continue;
    close(fd);
    return;
  }
}

// One that reads the requests, and enough for a deep queue of large ones (docs/decisions/003).
unsigned workerCount() { return 1 + std::clamp(std::thread::hardware_concurrency() * 2, 4U, kMaxWorkers - 1); }

void printLine(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void checkMountPoint(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    throw Refusal(Code::mount, "a directory to mount on", path);
}

// Never over a file that is there: what is in it may be the only copy of something.
std::unique_ptr<WriteLog> openLog(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!file) throw Refusal(Code::io, "a write log that can be made at " + path, describeErrno("open", errno));
  auto log = std::make_unique<WriteLog>(std::move(file));
  if (const int error = log->start()) throw Refusal(Code::io, "a write log that takes entries", describeErrno("write", error));
  return log;
}

int run(int argc, char** argv) {
  fillStdio();
  const Options options = parseOptions(argc, argv);
  Hardening hardening;
  hardenEarly(hardening);
  checkMountPoint(options.mount);
  // Opened before the inherited descriptors go: it may be one of them.
  Container container(options.container, options.readOnly, options.containerFd);
  closeOthers(options.keyFd, container.fd());
  const std::unique_ptr<WriteLog> log = options.writeLog.empty() ? nullptr : openLog(options.writeLog);
  // Forked before any thread or secret. The OFD lock belongs to the open file and goes with the child.
  Background background(options.foreground);
  becomeIoFlusher(hardening);

  std::optional<OpenedHeader> header;
  {
    const Secret key = readKey(options.keyFd);
    header.emplace(openHeader(container, key, options.keySlot));
  }
  const Layout layout = header->layout;
  lockMemory(hardening);
  Plane plane(container, layout, log.get());
  Counters counters;
  Workers workers(layout, header->volumeKey, plane.mode().unit, workerCount(), counters);
  header.reset();  // from here on the volume key is in the workers' cipher contexts only

  Growth growth(container, layout, plane);
  Service service{plane, growth, workers, counters, layout, hardening, options.readOnly};
  serve(service, options.mount, [&] {
    printLine(readyLine(layout));
    background.announceReady();
  });
  // Whoever unmounted may not have synced; an error can be told to nobody any more but the exit code.
  return options.readOnly || plane.sync() == 0 ? 0 : static_cast<int>(Code::io);
}

int fail(const Refusal& refusal) {
  std::fprintf(stderr, "%s\n", refusal.json().c_str());
  return refusal.exitCode();
}

}  // namespace
}  // namespace reelvault::luksblock

int main(int argc, char** argv) {
  using namespace reelvault::luksblock;
  try {
    return run(argc, argv);
  } catch (const Refusal& refusal) {
    return fail(refusal);
  } catch (const std::bad_alloc&) {
    return fail(Refusal(Code::memory, "memory", "not enough"));
  } catch (const std::exception& error) {
    return fail(Refusal(Code::io, "no unforeseen failure", error.what()));
  }
}
