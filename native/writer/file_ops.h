#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/failure.h"
#include "core/result.h"
#include "core/unique_fd.h"

namespace reelvault {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

/// The system calls whose failure decides what is acknowledged. Virtual so that tests can let them fail; each answers as the call of
/// its name does (-1 and errno). `writeResult` sees what a data write gave (a length or -errno), from whichever backend;
/// `direct`: it went out before direct I/O was refused.
class FileOps {
 public:
  virtual ~FileOps() = default;
  virtual int dataSync(int fd);
  virtual int volumeSync(int fd);
  virtual ssize_t read(int fd, void* data, size_t length, off_t offset);
  virtual ssize_t write(int fd, const void* data, size_t length, off_t offset);
  virtual int truncate(int fd, off_t length);
  virtual int allocateAhead(int fd, off_t offset, off_t length);
  virtual int writeResult(int fd, int result, bool direct);
};
FileOps& systemFileOps();

/// openBeneath (core/beneath.h) with the failure as a value.
Result<UniqueFd> openIn(int dirFd, const std::string& path, int flags, mode_t mode = 0);
/// Makes every directory above `path`'s last part; those that exist are left alone.
Failure makeParents(int dirFd, const std::string& path);
/// The directory that holds `path`, and the last part of it.
Result<UniqueFd> openParent(int dirFd, const std::string& path);
std::string lastPart(const std::string& path);
/// Takes the lock that whoever writes a reel holds (flock). EBUSY when another has it still after three seconds: a killed process keeps it for
/// moments after its death, until the kernel has ended the requests of its io_uring, and those may write until then.
Failure lockReel(int fd, const std::string& path);
/// Whole contents of a small file.
Result<std::string> readFile(int fd, const std::string& path);
/// Writes all of it or fails.
Failure writeAll(FileOps& ops, int fd, const void* data, size_t length, uint64_t offset, const std::string& path);
/// Replaces `path` whole: a new file, synced when `sync`, renamed over the old one; then the directory is synced.
Failure replaceFile(FileOps& ops, int dirFd, const std::string& path, const std::string& contents, bool sync);
/// Turns O_DIRECT off, for filesystems that open a file so and then refuse to read or write so. Shared by all who hold the open file.
bool usePageCache(int fd);
Failure removeFile(int dirFd, const std::string& path);

}  // namespace reelvault
