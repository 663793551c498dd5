#include "luksblock/fuse_operations.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "luksblock/replies.h"
#include "luksblock/server.h"
#include "luksblock/small_io.h"
#include "luksblock/status_texts.h"

namespace reelvault::luksblock {
namespace {

constexpr fuse_ino_t kStatus = 3;
constexpr fuse_ino_t kControl = 4;
// Only the size of the payload ever changes; a loop device that is told to look again must not get an old one from the kernel.
constexpr double kForever = 86400.0 * 365;
constexpr double kNever = 0;
double validity(fuse_ino_t inode) { return inode == kPlain ? kNever : kForever; }
constexpr unsigned kMaxBackground = 128;

StatusTexts& statusTexts() {
  static StatusTexts texts;
  return texts;
}

Service& serviceOf(fuse_req_t request) { return *static_cast<Service*>(fuse_req_userdata(request)); }

bool attributes(const Service& service, fuse_ino_t inode, struct stat& out) {
  out = {};
  out.st_ino = inode;
  out.st_nlink = 1;
  out.st_blksize = service.layout.sectorSize;
  switch (inode) {
    case FUSE_ROOT_ID:
      out.st_mode = S_IFDIR | 0500;
      out.st_nlink = 2;
      return true;
    case kPlain:
      out.st_mode = S_IFREG | (service.readOnly ? 0400 : 0600);
      out.st_size = static_cast<off_t>(service.plane.size());
      out.st_blocks = static_cast<blkcnt_t>(out.st_size / 512);
      return true;
    case kStatus:
      out.st_mode = S_IFREG | 0400;
      return true;
    case kControl:
      out.st_mode = S_IFREG | 0200;
      return true;
    default: return false;
  }
}

void initialise(void*, fuse_conn_info* connection) {
  connection->max_write = kMaxRequest;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground * 3 / 4;
  // Writes are encrypted out of the request's buffer, so pages spliced through a pipe would only be copied later.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  // A write is answered when it is done, never from a page of the kernel.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
  connection->want |= connection->capable & (FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ);
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry{};
  if (parent == FUSE_ROOT_ID && std::strcmp(name, "plain") == 0) entry.ino = kPlain;
  if (parent == FUSE_ROOT_ID && std::strcmp(name, "status") == 0) entry.ino = kStatus;
  if (parent == FUSE_ROOT_ID && std::strcmp(name, "control") == 0) entry.ino = kControl;
  if (entry.ino == 0) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  attributes(serviceOf(request), entry.ino, entry.attr);
  entry.attr_timeout = validity(entry.ino);
  entry.entry_timeout = kForever;
  fuse_reply_entry(request, &entry);
}

void getAttributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  struct stat info;
  if (attributes(serviceOf(request), inode, info)) fuse_reply_attr(request, &info, validity(inode));
  else fuse_reply_err(request, ENOENT);
}

// The payload's size is the container's; owner, mode and times mean nothing here.
void setAttributes(fuse_req_t request, fuse_ino_t, struct stat*, int, fuse_file_info*) { fuse_reply_err(request, EPERM); }

void readDirectory(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info*) {
  static const struct {
    const char* name;
    fuse_ino_t inode;
  } entries[] = {{".", FUSE_ROOT_ID}, {"..", FUSE_ROOT_ID}, {"plain", kPlain}, {"status", kStatus}, {"control", kControl}};
  char buffer[512];
  size = std::min(size, sizeof buffer);
  size_t used = 0;
  for (size_t index = static_cast<size_t>(offset); index < std::size(entries); index += 1) {
    struct stat info;
    attributes(serviceOf(request), entries[index].inode, info);
    const size_t length = fuse_add_direntry(request, buffer + used, size - used, entries[index].name, &info, static_cast<off_t>(index + 1));
    if (length > size - used) break;
    used += length;
  }
  fuse_reply_buf(request, buffer, used);
}

void openFile(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Service& service = serviceOf(request);
  const int access = file->flags & O_ACCMODE;
  const bool writing = access != O_RDONLY;
  if (inode != kPlain && inode != kStatus && inode != kControl) return void(fuse_reply_err(request, EISDIR));
  if (writing && service.readOnly) return void(fuse_reply_err(request, EROFS));
  if ((inode == kStatus && writing) || (inode == kControl && access != O_WRONLY)) return void(fuse_reply_err(request, EACCES));
  // Every read and write reaches this process: the kernel keeps no plaintext pages of this file.
  file->direct_io = 1;
  if (inode == kStatus)
    file->fh = statusTexts().keep(statusLine({service.layout, service.plane.size(), service.readOnly, service.plane.mode(),
                                              service.hardening, service.counters, service.growth.refusal()}));
  const uint64_t handle = file->fh;
  if (fuse_reply_open(request, file) != 0 && inode == kStatus) statusTexts().drop(handle);
}

void releaseFile(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (inode == kStatus) statusTexts().drop(file->fh);
  fuse_reply_err(request, 0);
}

void readFile(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* file) {
  const auto at = static_cast<uint64_t>(offset);
  if (inode == kStatus) {
    const std::string text = statusTexts().part(file->fh, at, size);
    fuse_reply_buf(request, text.data(), text.size());
    return;
  }
  if (SmallIo* small = SmallIo::mine(); small != nullptr && small->takes(at, size)) return small->read(request, at, size);
  Service& service = serviceOf(request);
  std::span<const uint8_t> bytes;
  if (const int error = service.plane.read(service.workers.mine(), at, size, bytes))
    return replyError(request, service.counters, service.counters.readErrors, error);
  replyRead(request, service.counters, bytes);
}

// One command: "grow". Answered when it is done, so the writer's error is the command's.
void command(fuse_req_t request, const char* bytes, size_t size) {
  std::string_view word(bytes, size);
  if (word.ends_with('\n')) word.remove_suffix(1);
  const int error = word == "grow" ? serviceOf(request).growth.grow() : EINVAL;
  if (error != 0) fuse_reply_err(request, error);
  else fuse_reply_write(request, size);
}

void writeFile(fuse_req_t request, fuse_ino_t inode, const char* bytes, size_t size, off_t offset, fuse_file_info*) {
  if (inode == kControl) return command(request, bytes, size);
  Service& service = serviceOf(request);
  const std::span<const uint8_t> data(reinterpret_cast<const uint8_t*>(bytes), size);
  SmallIo* small = SmallIo::mine();
  if (small != nullptr && small->takes(static_cast<uint64_t>(offset), size) && small->write(request, static_cast<uint64_t>(offset), data))
    return;
  if (const int error = service.plane.write(service.workers.mine(), static_cast<uint64_t>(offset), data))
    return replyError(request, service.counters, service.counters.writeErrors, error);
  replyWritten(request, service.counters, size);
}

void syncPayload(fuse_req_t request) {
  Service& service = serviceOf(request);
  if (const int error = service.plane.sync()) return replyError(request, service.counters, service.counters.syncErrors, error);
  service.counters.syncs.fetch_add(1, std::memory_order_relaxed);
  fuse_reply_err(request, 0);
}

void syncFile(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
  if (inode == kPlain) syncPayload(request);
  else fuse_reply_err(request, 0);
}

void flushFile(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  if (inode == kPlain && !serviceOf(request).readOnly) syncPayload(request);
  else fuse_reply_err(request, 0);
}

// Every mode: a punched hole would read back as garbage, not zeros (docs/decisions/001), and the container stays preallocated.
void allocateFile(fuse_req_t request, fuse_ino_t, int, off_t, off_t, fuse_file_info*) { fuse_reply_err(request, EOPNOTSUPP); }

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops table = [] {
    fuse_lowlevel_ops ops{};
    ops.init = initialise;
    ops.lookup = lookup;
    ops.getattr = getAttributes;
    ops.setattr = setAttributes;
    ops.readdir = readDirectory;
    ops.open = openFile;
    ops.release = releaseFile;
    ops.read = readFile;
    ops.write = writeFile;
    ops.fsync = syncFile;
    ops.flush = flushFile;
    ops.fallocate = allocateFile;
    return ops;
  }();
  return table;
}

}  // namespace reelvault::luksblock
