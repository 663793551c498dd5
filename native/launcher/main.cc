// Confines itself, becomes the service user and executes the program: Landlock and credentials bind a thread and what it starts, and
// Node has threads before its first line of JavaScript runs, so it must be done before Node exists.
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "launcher/account.h"
#include "launcher/landlock.h"
#include "launcher/mounts.h"
#include "launcher/options.h"
#include "launcher/report.h"

namespace {

using namespace reelvault::launcher;

std::string list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) out += (out.size() > 1 ? "," : "") + jsonString(text);
  return out + "]";
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parseOptions(argc, argv);
  if (geteuid() != 0) fail("the launcher", "to be started by root", "uid " + std::to_string(geteuid()));
  const pid_t parent = getppid();
  const Account account = findAccount(options.user);

  const std::string sharedMounts = ownMountNamespace();
  std::vector<std::string> covered;
  if (sharedMounts.empty()) {
    detachMountsBeneath(options.detachMounts);
    std::vector<std::string> needed = options.readOnly;
    needed.insert(needed.end(), options.readWrite.begin(), options.readWrite.end());
    covered = veil(account, needed);
    if (options.workingDirectory != "/") needed.push_back(options.workingDirectory);
    detachMountsApartFrom(needed);
  }
  if (chdir(options.workingDirectory.c_str()) != 0) failErrno("--chdir " + options.workingDirectory, "a directory");
  if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) failErrno("inherited descriptors", "to close them");

  std::string noLandlock;
  const int abi = confine(options.readOnly, options.readWrite, noLandlock);
  becomeAccount(account);
  if (options.parentDeathSignal != 0) {
    // After the change of user, which clears it. A parent that died before this line sends nothing any more.
    if (prctl(PR_SET_PDEATHSIG, options.parentDeathSignal, 0, 0, 0) != 0) failErrno("the parent death signal", "to set it");
    if (getppid() != parent) fail("the launcher", "its parent to live", "the parent ended");
  }

  // The program reports this to its admin: a protection that is missing must be seen.
  const std::string report = "{\"user\":" + jsonString(options.user) + ",\"landlockAbi\":" + std::to_string(abi) + ",\"landlockMissing\":" +
                             (abi > 0 ? "null" : jsonString(noLandlock)) + ",\"mountNamespaceMissing\":" +
                             (sharedMounts.empty() ? "null" : jsonString(sharedMounts)) + ",\"covered\":" + list(covered) + "}";
  if (setenv("REELVAULT_CONFINEMENT", report.c_str(), 1) != 0) failErrno("the report", "to hand it on");
  if (abi == 0 || !sharedMounts.empty()) std::fprintf(stderr, "{\"warning\":\"confinement is incomplete\",\"report\":%s}\n", report.c_str());

  execvp(options.command[0], options.command.data());
  const int error = errno;
  std::fprintf(stderr, "{\"error\":\"launcher\",\"what\":%s,\"expected\":\"to execute it\",\"got\":%s}\n", jsonString(options.command[0]).c_str(),
               jsonString(std::strerror(error)).c_str());
  return error == ENOENT ? 127 : 126;
}
