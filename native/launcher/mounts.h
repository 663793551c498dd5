#pragma once
#include <string>
#include <vector>

#include "launcher/account.h"

namespace reelvault::launcher {

/// Moves this process into a mount namespace of its own whose changes the host does not see. Returns "" or, where the kernel
/// refuses (no CAP_SYS_ADMIN, seccomp), the reason; then nothing has changed.
std::string ownMountNamespace();

/// Unmounts, in this namespace, whatever is mounted strictly beneath `directories`. A copy of a volume's mount that stayed here would
/// keep the filesystem, its loop device and the block plane alive after the host has unmounted it.
void detachMountsBeneath(const std::vector<std::string>& directories);

/// Unmounts, in this namespace, whatever neither holds nor lies beneath a needed path or a directory of the system. Where the host does not
/// share its mounts, the copies would pin what other programs on it mount and unmount: a second service's volumes, a memory stick.
void detachMountsApartFrom(std::vector<std::string> needed);

/// Makes `needed` paths reachable for the account although it may not search a directory above them (a checkout in a 0700 home):
/// the first such directory is covered by a small tmpfs in which only the needed paths exist, bound at their own places.
/// Returns the covered directories.
std::vector<std::string> veil(const Account& account, std::vector<std::string> needed);

}  // namespace reelvault::launcher
