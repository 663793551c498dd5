#pragma once
#include <string>
#include <vector>

namespace reelvault::launcher {

/// Limits this process and all it will start to `readOnly` (read, execute) and `readWrite` (everything), plus the few system paths a
/// program needs to run. Needs no_new_privs or CAP_SYS_ADMIN. Returns the kernel's Landlock ABI, or 0 with `reason` where it has none.
/// Source: landlock(7), Documentation/userspace-api/landlock.rst.
int confine(const std::vector<std::string>& readOnly, const std::vector<std::string>& readWrite, std::string& reason);

}  // namespace reelvault::launcher
