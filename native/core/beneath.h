#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/unique_fd.h"

// Opens and changes paths below a directory descriptor. The kernel itself walks the path (openat2) and refuses what would leave the
// directory: `..` and absolute paths (EXDEV), symbolic links (ELOOP), and, where asked, mounts (EXDEV). There is no moment between
// a check and a use. Functions return -1 (or an empty UniqueFd) with errno set.
namespace reelvault {

struct Beneath {
  int dirFd;                    // borrowed
  bool crossMounts = true;      // false: a mount below the directory is refused
};

struct Entry {
  std::string name;
  mode_t type;                  // S_IFMT bits; 0 when it went away meanwhile
};

UniqueFd openBeneath(const Beneath& base, const std::string& path, int flags, mode_t mode);
int mkdirBeneath(const Beneath& base, const std::string& path, mode_t mode);  // parents too; there already is fine
int unlinkBeneath(const Beneath& base, const std::string& path, bool isDirectory);
int renameBeneath(const Beneath& base, const std::string& from, const std::string& to, bool noReplace);
int statBeneath(const Beneath& base, const std::string& path, struct stat* out);  // a final symbolic link is told, not followed
int listBeneath(const Beneath& base, const std::string& path, std::vector<Entry>* out);

}  // namespace reelvault
