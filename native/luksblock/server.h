#pragma once
#include <functional>
#include <string>

#include "luksblock/growth.h"
#include "luksblock/plane.h"
#include "luksblock/status.h"
#include "luksblock/workers.h"

namespace reelvault::luksblock {

/** What the FUSE handlers work with; outlives the session. */
struct Service {
  Plane& plane;
  Growth& growth;
  Workers& workers;
  Counters& counters;
  const Layout& layout;
  const Hardening& hardening;
  bool readOnly;
};

/**
 * Mounts on `mountPoint`, calls `ready`, serves until the mount is gone. SIGTERM, SIGINT and SIGHUP unmount as soon as nobody
 * uses the mount any more, so a loop device over it never loses its data to a signal. Throws Refusal(mount).
 */
void serve(Service& service, const std::string& mountPoint, const std::function<void()>& ready);

}  // namespace reelvault::luksblock
