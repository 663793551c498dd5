#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace reelvault::launcher {

struct Account {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

Account findAccount(const std::string& name);

/// True when the account may search (enter) the directory `path`. Judged by the kernel with the account's own effective ids, so that
/// ACLs and odd modes count; the caller's ids are back afterwards.
bool maySearch(const Account& account, const std::string& path);

/// Becomes the account for good: groups, all user and group ids, no capability in any set, no_new_privs, no core file.
/// Ends the process where any of it is refused. A capability set that the kernel knows and this program does not is cleared too.
void becomeAccount(const Account& account);

}  // namespace reelvault::launcher
