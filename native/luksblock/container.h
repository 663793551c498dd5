#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {

/**
 * The container, a file or a block device, open and held: an OFD lock over all of it for as long as the object lives (write lock, or read
 * lock for read-only), so two block planes never write one container. A block device can have several nodes, each with locks of its own, so
 * it is opened exclusively (O_EXCL), read-only or not. flock() is left free: libcryptsetup takes it, blocking,
 * for every header operation, and these must work while the volume is open.
 */
class Container {
 public:
  /** With `inherited` that descriptor is opened anew and `path` is only what it is called. Throws Refusal(io | inUse). */
  Container(const std::string& path, bool readOnly, int inherited = -1);

  int fd() const { return file.get(); }
  /** Bytes when it was opened. */
  uint64_t size() const { return openedSize; }
  bool isDevice() const { return S_ISBLK(info.st_mode); }
  /** Bytes now. 0 or an errno. */
  int currentSize(uint64_t& bytes) const;
  bool readOnly() const { return isReadOnly; }

 private:
  void claim(const std::string& path);
  void refuseLoops() const;

  UniqueFd file;
  struct stat info {};
  uint64_t openedSize = 0;
  bool isReadOnly;
};

/** Holds libcryptsetup's reader lock (shared flock) so that no header writer runs meanwhile. Throws Refusal(inUse) after 2 s. */
class HeaderReadLock {
 public:
  explicit HeaderReadLock(int fd);
  ~HeaderReadLock();
  HeaderReadLock(const HeaderReadLock&) = delete;
  HeaderReadLock& operator=(const HeaderReadLock&) = delete;

 private:
  int fd;
};

}  // namespace reelvault::luksblock
