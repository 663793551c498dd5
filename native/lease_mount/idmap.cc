#include "lease_mount/idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace reelvault::lease {
namespace {

bool writeMap(const std::string& file, unsigned from, unsigned to) {
  const UniqueFd map(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string line = std::to_string(from) + " " + std::to_string(to) + " 1\n";
  return map && write(map.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// The kernel makes no user namespace for a process in a chroot (user_namespaces(7), EPERM), and a service may live in one. Joining
// the mount namespace that one is in already sets the root back to that namespace's (setns(2)). Where even that is refused, unshare tells.
void leaveChroot() {
  const UniqueFd own(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (own) setns(own.get(), CLONE_NEWNS);
}

}  // namespace

UniqueFd mapOwner(Owner onDisk, Owner shown) {
  int ready[2];
  int end[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return UniqueFd();
  UniqueFd readyRead(ready[0]), readyWrite(ready[1]);
  if (pipe2(end, O_CLOEXEC) != 0) return UniqueFd();
  UniqueFd endRead(end[0]), endWrite(end[1]);

  // A namespace can be mapped only while a process is in it: the child stays until its pipe ends, also when this process dies.
  const pid_t child = fork();
  if (child < 0) return UniqueFd();
  if (child == 0) {
    endWrite.reset();
    leaveChroot();
    char byte = static_cast<char>(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
  }
  readyWrite.reset();
  UniqueFd space;
  int error = EIO;
  if (char byte = 0; read(readyRead.get(), &byte, 1) == 1) {
    error = byte;
    const std::string proc = "/proc/" + std::to_string(child);
    if (error == 0) {
      const bool mapped = writeMap(proc + "/uid_map", onDisk.uid, shown.uid) && writeMap(proc + "/gid_map", onDisk.gid, shown.gid);
      if (mapped) space.reset(open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
      if (!space) error = errno;
    }
  }
  endWrite.reset();
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  errno = error;
  return space;
}

}  // namespace reelvault::lease
