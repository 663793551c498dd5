#include "launcher/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "launcher/report.h"

namespace reelvault::launcher {
namespace {

// What any program needs of the system; /etc/resolv.conf may lead to systemd's.
const char* const kSystem[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run/systemd"};

bool isBeneath(const std::string& path, const std::string& directory) {
  if (directory == "/") return path.size() > 1;
  return path.size() > directory.size() && path.compare(0, directory.size(), directory) == 0 && path[directory.size()] == '/';
}

// proc(5): mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape(const std::string& field) {
  std::string out;
  for (size_t i = 0; i < field.size(); i++) {
    if (field[i] == '\\' && i + 3 < field.size() && field[i + 1] >= '0' && field[i + 1] <= '3') {
      out += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      out += field[i];
    }
  }
  return out;
}

std::vector<std::string> mountPoints() {
  std::vector<std::string> points;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    if (fields >> id >> parent >> device >> root >> point) points.push_back(unescape(point));
  }
  return points;
}

void detach(const std::string& point) {
  if (umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
    failErrno("the mount " + point, "to leave it out of the own namespace");
}

bool isSameDirectory(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

/** Where an open directory lies, seen from the root directory of now; "" where the kernel does not tell. */
std::string pathOf(int directory) {
  char path[PATH_MAX];
  const auto length = readlink(("/proc/self/fd/" + std::to_string(directory)).c_str(), path, sizeof path);
  return length <= 0 || static_cast<size_t>(length) == sizeof path ? "" : std::string(path, static_cast<size_t>(length));
}

// Mounts beside the chroot can be used by nobody in it, but a copy of them would keep them busy on the host.
void detachMountsBeside(const std::string& root) {
  auto points = mountPoints();
  std::reverse(points.begin(), points.end());
  for (const auto& point : points) {
    if (root != point && !isBeneath(root, point) && !isBeneath(point, root)) umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

// In a chroot the mount that holds our root cannot be named; where the host shares it (systemd does), every unmount made here would
// be made on the host. A child climbs out of the chroot (its working directory is put above its root, where ".." has no bound) and
// sets the propagation of the whole namespace, which is the parent's too.
bool makeSlaveFromAboveChroot() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat here {};
    struct stat above {};
    if (top < 0 || chroot("/proc") != 0 || fchdir(top) != 0 || stat(".", &here) != 0) _exit(1);
    for (;; here = above) {
      if (chdir("..") != 0 || stat(".", &above) != 0) _exit(1);
      if (isSameDirectory(here, above)) break;
    }
    if (chroot(".") != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) _exit(1);
    // Without /proc up there it is not known what lies beside: then all stays.
    if (const std::string root = pathOf(top); root.starts_with('/')) detachMountsBeside(root);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string firstUnsearchable(const Account& account, const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string ancestor = path.substr(0, slash);
    if (!maySearch(account, ancestor)) return ancestor;
  }
  return "";
}

struct Needed {
  std::string path;
  int fd;  // O_PATH, taken before anything is covered
  bool directory;
};

void makeTarget(const Needed& needed, const std::string& cover) {
  for (size_t slash = needed.path.find('/', cover.size() + 1); slash != std::string::npos; slash = needed.path.find('/', slash + 1)) {
    if (mkdir(needed.path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) failErrno("the veil over " + cover, "a directory in it");
  }
  if (needed.directory) {
    if (mkdir(needed.path.c_str(), 0755) != 0 && errno != EEXIST) failErrno("the veil over " + cover, "a place for " + needed.path);
  } else {
    const int file = open(needed.path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0) failErrno("the veil over " + cover, "a place for " + needed.path);
    close(file);
  }
}

}  // namespace

std::string ownMountNamespace() {
  if (unshare(CLONE_NEWNS) != 0) return std::strerror(errno);
  // Slave, not private: an unmount on the host must reach this namespace. EINVAL: "/" is no mount point, that is, a chroot.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0) return "";
  if (errno != EINVAL) failErrno("the mount namespace", "to make it a slave of the host's");
  if (!makeSlaveFromAboveChroot()) fail("the mount namespace", "to make it a slave of the host's", "a chroot that cannot be looked out of");
  return "";
}

void detachMountsBeneath(const std::vector<std::string>& directories) {
  auto points = mountPoints();
  std::reverse(points.begin(), points.end());  // later mounts may lie upon earlier ones
  for (const auto& point : points) {
    const bool beneath = std::any_of(directories.begin(), directories.end(), [&](const auto& directory) { return isBeneath(point, directory); });
    if (beneath) detach(point);
  }
}

void detachMountsApartFrom(std::vector<std::string> needed) {
  needed.insert(needed.end(), std::begin(kSystem), std::end(kSystem));
  auto points = mountPoints();
  std::reverse(points.begin(), points.end());
  for (const auto& point : points) {
    const bool kept = std::any_of(needed.begin(), needed.end(), [&](const auto& path) {
      return path == point || isBeneath(path, point) || isBeneath(point, path);
    });
    if (!kept && point != "/") detach(point);
  }
}

std::vector<std::string> veil(const Account& account, std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());  // a directory comes before what lies in it
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::vector<std::string> covers;
  std::vector<Needed> hidden;
  for (const auto& path : paths) {
    const std::string cover = firstUnsearchable(account, path);
    if (cover.empty()) continue;
    // Covered by a needed directory above it, which brings it along.
    if (std::any_of(hidden.begin(), hidden.end(), [&](const Needed& above) { return isBeneath(path, above.path); })) continue;
    const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) failErrno("the path " + path, "a path that exists");
    struct stat info {};
    if (fstat(fd, &info) != 0) failErrno("the path " + path, "its kind");
    hidden.push_back({path, fd, S_ISDIR(info.st_mode)});
    if (std::find(covers.begin(), covers.end(), cover) == covers.end()) covers.push_back(cover);
  }
  for (const auto& cover : covers) {
    if (mount("tmpfs", cover.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=1024") != 0)
      failErrno("the veil over " + cover, "to mount a tmpfs");
    for (const auto& needed : hidden) {
      if (!isBeneath(needed.path, cover)) continue;
      makeTarget(needed, cover);
      const std::string source = "/proc/self/fd/" + std::to_string(needed.fd);
      if (mount(source.c_str(), needed.path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) failErrno("the veil over " + cover, "to bind " + needed.path);
    }
    if (mount(nullptr, cover.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
      failErrno("the veil over " + cover, "to make it read-only");
  }
  for (const auto& needed : hidden) close(needed.fd);
  return covers;
}

}  // namespace reelvault::launcher
