#include "luksblock/container.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <mntent.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

// lo_device is the kernel's huge_encode_dev(), which for these numbers is what stat gives.
bool backs(const loop_info64& loop, const struct stat& info) {
  return loop.lo_inode == info.st_ino && loop.lo_device == info.st_dev;
}

std::string firstLine(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// Directories of the block planes that are mounted. A loop device over one of them serves no container; and where that plane hangs, whoever
// opens the device waits in the kernel, where no signal reaches, behind the one that was closing it.
std::vector<std::string> mountedPlanes() {
  std::vector<std::string> directories;
  const std::unique_ptr<FILE, int (*)(FILE*)> mounts(setmntent("/proc/self/mounts", "re"), endmntent);
  if (!mounts) return directories;
  while (const mntent* mount = getmntent(mounts.get())) {
    if (std::string_view(mount->mnt_type) == "fuse.luksblock") directories.push_back(std::string(mount->mnt_dir) + "/");
  }
  return directories;
}

bool liesBelow(const std::vector<std::string>& directories, const std::string& path) {
  return std::ranges::any_of(directories, [&](const std::string& directory) { return path.starts_with(directory); });
}

std::string linkTo(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

Container::Container(const std::string& path, bool readOnly, int inherited) : isReadOnly(readOnly) {
  const std::string place = inherited < 0 ? path : linkTo(inherited);
  file = UniqueFd(open(place.c_str(), (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw Refusal(Code::io, "a readable container " + path, describeErrno("open", errno));
  if (fstat(file.get(), &info) != 0) throw Refusal(Code::io, "a readable container " + path, describeErrno("fstat", errno));
  if (!S_ISREG(info.st_mode) && !isDevice()) throw Refusal(Code::io, "a regular file or a block device as the container", path);
  if (isDevice()) claim(path);
  if (const int error = currentSize(openedSize)) throw Refusal(Code::io, "a container with a size", describeErrno("size", error));
  struct flock whole {};
  whole.l_type = static_cast<short>(readOnly ? F_RDLCK : F_WRLCK);
  whole.l_whence = SEEK_SET;
  if (fcntl(file.get(), F_OFD_SETLK, &whole) != 0) {
    if (errno == EAGAIN || errno == EACCES)
      throw Refusal(Code::inUse, "a container that no other block plane serves", "a lock held on " + path);
    throw Refusal(Code::io, "a file system with locks under " + path, describeErrno("F_OFD_SETLK", errno));
  }
  refuseLoops();
}

// By the very node that was looked at. The kernel gives one exclusive opener to a block device: dm-crypt, a mount and swap are such, too.
void Container::claim(const std::string& path) {
  UniqueFd exclusive(open(linkTo(file.get()).c_str(), (isReadOnly ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC | O_NONBLOCK));
  if (!exclusive && errno == EBUSY) throw Refusal(Code::inUse, "a block device that nothing uses", path + " in use");
  if (!exclusive) throw Refusal(Code::io, "a block device that can be opened", describeErrno("open", errno));
  file = std::move(exclusive);
  int onlyReads = 0;
  if (!isReadOnly && ioctl(file.get(), BLKROGET, &onlyReads) == 0 && onlyReads != 0)
    throw Refusal(Code::io, "a block device that takes writes", path + " is read-only");
}

int Container::currentSize(uint64_t& bytes) const {
  if (isDevice()) return ioctl(file.get(), BLKGETSIZE64, &bytes) == 0 ? 0 : errno;
  struct stat now;
  if (fstat(file.get(), &now) != 0) return errno;
  bytes = static_cast<uint64_t>(now.st_size);
  return 0;
}

// dm-crypt reaches a file through a loop device, so a loop over this file means that the kernel engine (or somebody) has it.
void Container::refuseLoops() const {
  const std::vector<std::string> planes = mountedPlanes();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", ignored)) {
    if (!std::filesystem::exists(entry.path() / "loop", ignored)) continue;
    if (liesBelow(planes, firstLine(entry.path() / "loop/backing_file"))) continue;
    const std::string device = "/dev/" + entry.path().filename().string();
    UniqueFd loop(open(device.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    loop_info64 status{};
    if (!loop || ioctl(loop.get(), LOOP_GET_STATUS64, &status) != 0 || !backs(status, info)) continue;
    if (isReadOnly && (status.lo_flags & LO_FLAGS_READ_ONLY) != 0) continue;
    throw Refusal(Code::inUse, "a container that no loop device uses", device + " over it");
  }
}

HeaderReadLock::HeaderReadLock(int fd) : fd(fd) {
  using namespace std::chrono_literals;
  for (int attempt = 0; flock(fd, LOCK_SH | LOCK_NB) != 0; attempt += 1) {
    if (errno != EWOULDBLOCK) throw Refusal(Code::io, "a file system with flock", describeErrno("flock", errno));
    if (attempt == 40) throw Refusal(Code::inUse, "a header that nobody is writing", "an exclusive flock held for 2 s");
    std::this_thread::sleep_for(50ms);
  }
}

HeaderReadLock::~HeaderReadLock() { flock(fd, LOCK_UN); }

}  // namespace reelvault::luksblock
