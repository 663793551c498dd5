#pragma once
#include "luksblock/fuse_operations.h"
#include "luksblock/server.h"

namespace reelvault::luksblock {

/**
 * Reads the session's requests and serves them until the mount is gone. One thread reads them all: it does small I/O itself, many at
 * once (SmallIo), and what is quick; whatever may take long goes to a thread of its own (RequestThreads).
 */
void serveRequests(fuse_session* session, Service& service);

}  // namespace reelvault::luksblock
