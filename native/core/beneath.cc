#include "core/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

namespace reelvault {
namespace {

// openat2 gives up with EAGAIN when a rename anywhere on the machine races with its walk; man openat2 says to try again.
constexpr int maxAttempts = 1000;

int openat2Retrying(int dirFd, const char* path, const struct open_how& how) {
  for (int attempt = 1;; ++attempt) {
    const long fd = syscall(SYS_openat2, dirFd, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == maxAttempts) return static_cast<int>(fd);
  }
}

// A C string would end at a NUL and name another file than the caller meant.
bool isText(const std::string& path) {
  if (path.find('\0') == std::string::npos) return true;
  errno = EINVAL;
  return false;
}

struct Parent {
  UniqueFd fd;
  std::string name;
};

// The directory that holds the last name of `path`. "/x" has the parent "/", which the kernel refuses.
Parent parentOf(const Beneath& base, const std::string& path) {
  const size_t slash = path.rfind('/');
  if (!isText(path)) return {};
  if (slash == std::string::npos) return {openBeneath(base, ".", O_PATH | O_DIRECTORY, 0), path};
  const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
  return {openBeneath(base, directory, O_PATH | O_DIRECTORY, 0), path.substr(slash + 1)};
}

}  // namespace

UniqueFd openBeneath(const Beneath& base, const std::string& path, int flags, mode_t mode) {
  if (!isText(path)) return UniqueFd();
  struct open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  if (!base.crossMounts) how.resolve |= RESOLVE_NO_XDEV;
  return UniqueFd(openat2Retrying(base.dirFd, path.c_str(), how));
}

int mkdirBeneath(const Beneath& base, const std::string& path, mode_t mode) {
  if (path.starts_with('/')) return openBeneath(base, path, O_PATH, 0) ? 0 : -1;  // the kernel's own refusal
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string upTo = path.substr(0, end);
    const Parent parent = parentOf(base, upTo);
    if (!parent.fd) return -1;
    if (mkdirat(parent.fd.get(), parent.name.c_str(), mode) != 0 && errno != EEXIST) return -1;
    // What is there may be a file or a link: only a directory, found without following, will do.
    if (!openBeneath({parent.fd.get(), base.crossMounts}, parent.name, O_PATH | O_DIRECTORY, 0)) return -1;
    if (end == std::string::npos) return 0;
  }
}

int unlinkBeneath(const Beneath& base, const std::string& path, bool isDirectory) {
  const Parent parent = parentOf(base, path);
  if (!parent.fd) return -1;
  return unlinkat(parent.fd.get(), parent.name.c_str(), isDirectory ? AT_REMOVEDIR : 0);
}

int renameBeneath(const Beneath& base, const std::string& from, const std::string& to, bool noReplace) {
  const Parent source = parentOf(base, from);
  if (!source.fd) return -1;
  const Parent target = parentOf(base, to);
  if (!target.fd) return -1;
  return renameat2(source.fd.get(), source.name.c_str(), target.fd.get(), target.name.c_str(), noReplace ? RENAME_NOREPLACE : 0);
}

int statBeneath(const Beneath& base, const std::string& path, struct stat* out) {
  const UniqueFd fd = openBeneath(base, path, O_PATH | O_NOFOLLOW, 0);
  if (!fd) return -1;
  return fstat(fd.get(), out);
}

int listBeneath(const Beneath& base, const std::string& path, std::vector<Entry>* out) {
  UniqueFd fd = openBeneath(base, path, O_RDONLY | O_DIRECTORY, 0);
  if (!fd) return -1;
  const auto closer = [](DIR* stream) { closedir(stream); };
  const std::unique_ptr<DIR, decltype(closer)> stream(fdopendir(fd.get()), closer);
  if (!stream) return -1;
  fd.release();
  for (;;) {
    errno = 0;
    const struct dirent* entry = readdir(stream.get());
    if (entry == nullptr) return errno == 0 ? 0 : -1;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    mode_t type = DTTOIF(entry->d_type);
    struct stat info;
    // Some filesystems do not tell the type here.
    if (entry->d_type == DT_UNKNOWN && fstatat(dirfd(stream.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
      type = info.st_mode & S_IFMT;
    }
    out->push_back({std::string(name), type});
  }
}

}  // namespace reelvault
