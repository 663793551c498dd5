#include "writer/file_ops.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "core/beneath.h"

namespace reelvault {

int FileOps::dataSync(int fd) { return ::fdatasync(fd); }
int FileOps::volumeSync(int fd) { return ::syncfs(fd); }
ssize_t FileOps::read(int fd, void* data, size_t length, off_t offset) { return ::pread(fd, data, length, offset); }
ssize_t FileOps::write(int fd, const void* data, size_t length, off_t offset) { return ::pwrite(fd, data, length, offset); }
int FileOps::truncate(int fd, off_t length) { return ::ftruncate(fd, length); }
int FileOps::allocateAhead(int fd, off_t offset, off_t length) { return ::fallocate(fd, 0, offset, length); }
int FileOps::writeResult(int, int result, bool) { return result; }

FileOps& systemFileOps() {
  static FileOps ops;
  return ops;
}

Result<UniqueFd> openIn(int dirFd, const std::string& path, int flags, mode_t mode) {
  UniqueFd fd = openBeneath({.dirFd = dirFd}, path, flags, mode);
  if (!fd) return Failure::last("open " + path);
  return fd;
}

std::string lastPart(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<UniqueFd> openParent(int dirFd, const std::string& path) {
  const size_t slash = path.rfind('/');
  return openIn(dirFd, slash == std::string::npos ? "." : path.substr(0, slash), O_RDONLY | O_DIRECTORY);
}

Failure makeParents(int dirFd, const std::string& path) {
  if (mkdirBeneath({.dirFd = dirFd}, path.substr(0, path.rfind('/')), kDirectoryMode) != 0) return Failure::last("mkdir for " + path);
  return Failure::none();
}

Failure lockReel(int fd, const std::string& path) {
  constexpr auto kPatience = std::chrono::seconds(3);
  // flock has no time limit, and a blocking one could wait for another writer's whole session.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Failure::last("lock " + path);
    if (std::chrono::steady_clock::now() > until) return {EBUSY, "lock " + path};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Failure::none();
}

Result<std::string> readFile(int fd, const std::string& path) {
  std::string contents;
  char piece[16384];
  for (;;) {
    const ssize_t got = ::pread(fd, piece, sizeof piece, static_cast<off_t>(contents.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure::last("read " + path);
    if (got == 0) return contents;
    contents.append(piece, static_cast<size_t>(got));
  }
}

Failure writeAll(FileOps& ops, int fd, const void* data, size_t length, uint64_t offset, const std::string& path) {
  const auto* p = static_cast<const char*>(data);
  while (length > 0) {
    const ssize_t put = ops.write(fd, p, length, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Failure::last("write " + path);
    if (put == 0) return {EIO, "write " + path + ": nothing written"};
    p += put, length -= static_cast<size_t>(put), offset += static_cast<uint64_t>(put);
  }
  return Failure::none();
}

Failure replaceFile(FileOps& ops, int dirFd, const std::string& path, const std::string& contents, bool sync) {
  auto parent = openParent(dirFd, path);
  if (!parent.ok()) return parent.failure;
  const std::string name = lastPart(path);
  const std::string fresh = "." + name + ".new";
  auto file = openIn(parent.value.get(), fresh, O_WRONLY | O_CREAT | O_TRUNC, kFileMode);
  if (!file.ok()) return file.failure;
  if (auto failure = writeAll(ops, file.value.get(), contents.data(), contents.size(), 0, path)) return failure;
  if (sync && ops.dataSync(file.value.get()) != 0) return Failure::last("sync " + path);
  if (::renameat(parent.value.get(), fresh.c_str(), parent.value.get(), name.c_str()) != 0) return Failure::last("rename " + path);
  if (sync && ::fsync(parent.value.get()) != 0) return Failure::last("sync the directory of " + path);
  return Failure::none();
}

bool usePageCache(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

Failure removeFile(int dirFd, const std::string& path) {
  if (unlinkBeneath({.dirFd = dirFd}, path, false) != 0 && errno != ENOENT) return Failure::last("unlink " + path);
  return Failure::none();
}

}  // namespace reelvault
