#include "launcher/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "launcher/report.h"

namespace reelvault::launcher {
namespace {

// Rights newer than Debian 12's header, by the ABI that brought them.
constexpr uint64_t kRefer = 1ULL << 13;     // ABI 2
constexpr uint64_t kTruncate = 1ULL << 14;  // ABI 3
constexpr uint64_t kIoctlDev = 1ULL << 15;  // ABI 5

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kAbi1 = (1ULL << 13) - 1;
constexpr uint64_t kFileRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | kTruncate | kIoctlDev;

uint64_t handledBy(int abi) {
  uint64_t rights = kAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDev;
  return rights;
}

// What any dynamically linked program, Node and ffmpeg look at. Of /etc only what libc and TLS read: no shadow, no keys of others.
const char* const kSystemReadOnly[] = {
    "/usr", "/lib", "/lib64", "/bin", "/sbin", "/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ssl", "/etc/ca-certificates", "/etc/nsswitch.conf", "/etc/resolv.conf",
    "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/services", "/etc/protocols",
    "/etc/os-release", "/etc/alternatives", "/etc/fonts", "/dev/random", "/dev/urandom",
};
const char* const kSystemReadWrite[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"};

void allow(int ruleset, const std::string& path, uint64_t rights, bool mustExist) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) {
    if (!mustExist) return;
    failErrno("the path " + path, "a path that exists");
  }
  struct stat info {};
  if (fstat(fd, &info) != 0) failErrno("the path " + path, "its kind");
  if (!S_ISDIR(info.st_mode)) rights &= kFileRights;
  const landlock_path_beneath_attr rule{rights, fd};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) failErrno("the Landlock rule for " + path, "to add it");
  close(fd);
}

}  // namespace

int confine(const std::vector<std::string>& readOnly, const std::vector<std::string>& readWrite, std::string& reason) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) {
    reason = abi < 0 ? std::strerror(errno) : "ABI 0";
    return 0;
  }
  const uint64_t handled = handledBy(static_cast<int>(abi));
  const landlock_ruleset_attr attributes{handled};
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  if (ruleset < 0) failErrno("Landlock", "a ruleset");
  for (const char* path : kSystemReadOnly) allow(ruleset, path, kRead & handled, false);
  for (const char* path : kSystemReadWrite) allow(ruleset, path, (kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDev) & handled, false);
  for (const auto& path : readOnly) allow(ruleset, path, kRead, true);
  // Device nodes are never made in a recording's directory; ioctl on a device is not needed there either.
  constexpr uint64_t neverBeneath = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | kIoctlDev;
  for (const auto& path : readWrite) allow(ruleset, path, handled & ~neverBeneath, true);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) failErrno("no_new_privs", "to set it");
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) failErrno("Landlock", "to restrict this process");
  close(ruleset);
  return static_cast<int>(abi);
}

}  // namespace reelvault::launcher
