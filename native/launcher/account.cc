#include "launcher/account.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "launcher/report.h"

namespace reelvault::launcher {

Account findAccount(const std::string& name) {
  errno = 0;
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) fail("--user " + name, "an account of this machine", "no such account");
  if (entry->pw_uid == 0) fail("--user " + name, "an account other than root", "uid 0");
  Account account{entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  account.groups.resize(count);
  if (getgrouplist(name.c_str(), account.gid, account.groups.data(), &count) < 0) {
    account.groups.resize(count);
    getgrouplist(name.c_str(), account.gid, account.groups.data(), &count);
  }
  account.groups.resize(count);
  return account;
}

bool maySearch(const Account& account, const std::string& path) {
  // glibc's seteuid would do; the group list must change too, and all of it must come back.
  std::vector<gid_t> own(getgroups(0, nullptr));
  if (getgroups(own.size(), own.data()) < 0) failErrno("getgroups", "this process's groups");
  if (setgroups(account.groups.size(), account.groups.data()) != 0 || setegid(account.gid) != 0 || seteuid(account.uid) != 0)
    failErrno("a look with the account's eyes", "to change the effective ids");
  const bool allowed = faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
  if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(own.size(), own.data()) != 0) failErrno("a look with the account's eyes", "to change the ids back");
  return allowed;
}

void becomeAccount(const Account& account) {
  // The bounding set first: dropping from it needs CAP_SETPCAP, which the change of user takes away.
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) failErrno("the capability bounding set", "to drop a capability");
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) failErrno("the ambient capabilities", "to clear them");
  if (setgroups(account.groups.size(), account.groups.data()) != 0) failErrno("setgroups", "the account's groups");
  if (setresgid(account.gid, account.gid, account.gid) != 0) failErrno("setresgid", "the account's group");
  if (setresuid(account.uid, account.uid, account.uid) != 0) failErrno("setresuid", "the account's user");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) failErrno("capset", "no capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) failErrno("no_new_privs", "to set it");
  // core(5): a piped core_pattern ignores a limit of 0, but a limit of 1 byte makes the kernel skip the dump in both cases.
  const rlimit oneByte{1, 1};
  if (setrlimit(RLIMIT_CORE, &oneByte) != 0) failErrno("RLIMIT_CORE", "no core files");
}

}  // namespace reelvault::launcher
