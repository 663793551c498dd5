#include "luksblock/daemonize.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

[[noreturn]] void waitForChild(pid_t child, UniqueFd readySide) {
  char byte = 0;
  ssize_t got;
  do got = read(readySide.get(), &byte, 1);
  while (got < 0 && errno == EINTR);
  if (got == 1) _exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  // A kill before it was ready: during key derivation that is the kernel's answer to too little memory.
  const Code code = WTERMSIG(status) == SIGKILL ? Code::memory : Code::io;
  const Refusal refusal(code, "a block plane that gets ready", "its end by signal " + std::to_string(WTERMSIG(status)));
  std::fprintf(stderr, "%s\n", refusal.json().c_str());
  _exit(refusal.exitCode());
}

}  // namespace

Background::Background(bool foreground) {
  if (foreground) return;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Refusal(Code::io, "a pipe", describeErrno("pipe2", errno));
  UniqueFd readySide(ends[0]);
  UniqueFd writeSide(ends[1]);
  const pid_t child = fork();
  if (child < 0) throw Refusal(Code::io, "a process of its own", describeErrno("fork", errno));
  if (child > 0) {
    writeSide.reset();
    waitForChild(child, std::move(readySide));
  }
  setsid();
  parent = std::move(writeSide);
}

void Background::announceReady() {
  if (!parent) return;
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd <= 2; fd += 1) dup2(nothing.get(), fd);
  if (chdir("/") != 0) return;  // "/" always is; a parent that gets no byte reports our end
  const char byte = 0;
  while (write(parent.get(), &byte, 1) < 0 && errno == EINTR) {
  }
  parent.reset();
}

}  // namespace reelvault::luksblock
