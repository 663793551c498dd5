// lease-mount: binds a directory of a mounted volume onto an empty directory, for a process outside the service. Every path is
// walked once, by the kernel, and from then on only descriptors are used: what somebody puts in its place meanwhile is not mounted.
// A program of its own, because a filesystem that hangs must hang this process and not the helper, and because a user namespace
// for an idmapped mount can be made by a process of one thread only.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "lease_mount/idmap.h"

using reelvault::UniqueFd;
using reelvault::lease::Owner;

namespace {

enum Exit { kDone = 0, kFailed = 1, kUsage = 2, kNotTheVolume = 3, kPathRefused = 4, kNoIdmap = 5, kTargetTaken = 6 };

struct Options {
  std::string root;      // where the volume is mounted
  unsigned major = 0, minor = 0;
  std::string path;      // below it
  std::string target;
  bool readOnly = false;
  bool make = false;     // the directory, if it is missing
  Owner consumer{};
  Owner service{};
};

Exit fail(Exit code, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  return code;
}

bool parse(int argc, char** argv, Options* out) {
  if (argc != 9) return false;
  out->root = argv[1];
  out->path = argv[3];
  out->target = argv[4];
  const std::string access = argv[5], make = argv[6];
  out->readOnly = access == "ro";
  out->make = make == "make";
  auto owner = [](const char* text, Owner* owner) { return std::sscanf(text, "%u:%u", &owner->uid, &owner->gid) == 2; };
  return std::sscanf(argv[2], "%u:%u", &out->major, &out->minor) == 2 && (out->readOnly || access == "rw") &&
         (out->make || make == "find") && owner(argv[7], &out->consumer) && owner(argv[8], &out->service);
}

UniqueFd walk(int from, const std::string& path, unsigned long long rules) {
  struct open_how how {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | rules;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, from, path.c_str(), &how, sizeof how)));
}

// Makes the last directory of the path the consumer's, and those above it root's. One that a crash left between mkdir and fchown still
// belongs to root, as nothing else below a directory of root's does.
int makeDirectories(int root, const Options& options) {
  for (size_t slash = options.path.find('/');; slash = options.path.find('/', slash + 1)) {
    const bool last = slash == std::string::npos;
    const std::string part = options.path.substr(0, slash);
    const size_t up = part.rfind('/');
    const UniqueFd parent = up == std::string::npos ? UniqueFd(dup(root)) : walk(root, part.substr(0, up), RESOLVE_BENEATH | RESOLVE_NO_XDEV);
    if (!parent) return -1;
    struct stat above {};
    if (fstatat(parent.get(), "", &above, AT_EMPTY_PATH) != 0) return -1;
    const std::string name = up == std::string::npos ? part : part.substr(up + 1);
    const bool made = mkdirat(parent.get(), name.c_str(), last ? 0750 : 0755) == 0;
    if (!made && errno != EEXIST) return -1;
    if (!last) continue;
    if (above.st_uid != 0) return 0;
    struct open_how how {};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    const UniqueFd directory(static_cast<int>(syscall(SYS_openat2, parent.get(), name.c_str(), &how, sizeof how)));
    struct stat info {};
    if (!directory || fstat(directory.get(), &info) != 0) return -1;
    if (info.st_uid != 0) return 0;
    if (fchown(directory.get(), options.consumer.uid, options.consumer.gid) != 0 || fchmod(directory.get(), 0750) != 0) return -1;
    return fsync(directory.get());
  }
}

bool isTaken(int target) {
  struct statx info {};
  return statx(target, "", AT_EMPTY_PATH, 0, &info) != 0 || (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Root's directories are read by everybody in a volume; what needs a map belongs to the service.
Owner ownerOnDisk(const struct stat& info, const Owner& service) {
  return {info.st_uid == 0 ? service.uid : info.st_uid, info.st_gid == 0 ? service.gid : info.st_gid};
}

Exit bind(const Options& options) {
  const UniqueFd root = walk(AT_FDCWD, options.root, 0);
  struct stat info {};
  if (!root || fstatat(root.get(), "", &info, AT_EMPTY_PATH) != 0) return fail(kNotTheVolume, options.root);
  if (major(info.st_dev) != options.major || minor(info.st_dev) != options.minor) {
    errno = ESTALE;
    return fail(kNotTheVolume, options.root);
  }
  if (options.make && makeDirectories(root.get(), options) != 0) return fail(errno == ENOSPC || errno == EIO ? kFailed : kPathRefused, options.path);
  const UniqueFd directory = walk(root.get(), options.path, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
  if (!directory || fstatat(directory.get(), "", &info, AT_EMPTY_PATH) != 0) return fail(kPathRefused, options.path);

  const UniqueFd tree(static_cast<int>(syscall(SYS_open_tree, directory.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree) return fail(kFailed, "open_tree");
  struct mount_attr attributes {};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (options.readOnly ? MOUNT_ATTR_RDONLY : 0);
  attributes.propagation = MS_PRIVATE;
  if (syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) return fail(kFailed, "mount_setattr");

  const Owner onDisk = ownerOnDisk(info, options.service);
  if (onDisk.uid != options.consumer.uid || onDisk.gid != options.consumer.gid) {
    const UniqueFd map = reelvault::lease::mapOwner(onDisk, options.consumer);
    if (!map) return fail(kNoIdmap, "a user namespace");
    struct mount_attr mapping {};
    mapping.attr_set = MOUNT_ATTR_IDMAP;
    mapping.userns_fd = static_cast<unsigned>(map.get());
    if (syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &mapping, sizeof mapping) != 0) return fail(kNoIdmap, "an idmapped mount");
  }

  const UniqueFd target = walk(AT_FDCWD, options.target, 0);
  if (!target) return fail(kFailed, options.target);
  if (isTaken(target.get())) {
    errno = EBUSY;
    return fail(kTargetTaken, options.target);
  }
  if (syscall(SYS_move_mount, tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) return fail(kFailed, "move_mount");
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) {
    std::fputs("usage: lease-mount ROOT MAJOR:MINOR PATH TARGET ro|rw make|find CONSUMER-UID:GID SERVICE-UID:GID\n", stderr);
    return kUsage;
  }
  return bind(options);
}
