#pragma once
#include <sys/types.h>

#include <string>

#include "core/unique_fd.h"

namespace reelvault::lease {

struct Owner {
  uid_t uid;
  gid_t gid;
};

// The user namespace that shows `onDisk` as `shown` and every other id as nobody's, for MOUNT_ATTR_IDMAP. An empty descriptor with errno
// set when the kernel makes none. The process that made it has ended on return: the descriptor alone keeps it.
UniqueFd mapOwner(Owner onDisk, Owner shown);

}  // namespace reelvault::lease
