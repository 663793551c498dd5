// unmount-copy PID MAJOR:MINOR POINT: unmounts what is mounted on POINT in the mount namespace of process PID, if it is a mount of that
// device. The namespace may belong to somebody hostile (anyone can make one with user namespaces), who decides what every path in it
// leads to. So nothing is executed or read there: statx, umount2, and the end. nsenter(1) would run the program that the owner of the
// namespace has put at umount's path, as root.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

enum Exit { kDone = 0, kRefused = 1, kUsage = 2, kNotThere = 3 };

Exit refused(const char* what) {
  std::fprintf(stderr, "unmount-copy: %s: %s\n", what, std::strerror(errno));
  return kRefused;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned pid = 0, major = 0, minor = 0;
  if (argc != 4 || std::sscanf(argv[1], "%u", &pid) != 1 || std::sscanf(argv[2], "%u:%u", &major, &minor) != 2 || argv[3][0] != '/') {
    std::fputs("usage: unmount-copy PID MAJOR:MINOR POINT\n", stderr);
    return kUsage;
  }
  const int space = open(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC);
  if (space < 0) return errno == ENOENT ? kNotThere : refused("the namespace");
  // POINT is a path as the process sees it, which may have a root directory of its own; the root of the namespace would be another.
  const int root = open(("/proc/" + std::to_string(pid) + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return errno == ENOENT ? kNotThere : refused("the root directory");
  if (setns(space, CLONE_NEWNS) != 0) return refused("setns");
  // A root that lies in another namespace wins nobody anything: umount2 takes mounts of the namespace entered only.
  if (fchdir(root) != 0 || chroot(".") != 0) return refused("chroot");
  // The process may have ended and its number may be another's by now: only a mount of the device named is touched.
  // DONT_SYNC: a FUSE filesystem that hangs must not be asked.
  struct statx info {};
  if (statx(AT_FDCWD, argv[3], AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &info) != 0) return kNotThere;
  if (info.stx_dev_major != major || info.stx_dev_minor != minor) return kNotThere;
  if (umount2(argv[3], UMOUNT_NOFOLLOW) != 0) return refused("umount");
  return kDone;
}
