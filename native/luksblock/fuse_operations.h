#pragma once
#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

namespace reelvault::luksblock {

/** The inode of the payload. */
constexpr fuse_ino_t kPlain = 2;

/** The handlers; the session's userdata is a Service. */
const fuse_lowlevel_ops& operations();

}  // namespace reelvault::luksblock
