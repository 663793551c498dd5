#include "writer/reel_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "writer/recovery.h"

namespace reelvault {
namespace {

// O_DIRECT where the filesystem has it; the page cache where it says EINVAL.
Result<UniqueFd> openDirect(int volumeFd, const std::string& path, int flags) {
  auto file = openIn(volumeFd, path, flags | O_DIRECT, kFileMode);
  if (file.ok() || file.failure.error != EINVAL) return file;
  // open(2) may have made the file before it found that it cannot do O_DIRECT.
  return openIn(volumeFd, path, flags & ~O_EXCL, kFileMode);
}

Failure readHead(ReelFile& file, FileOps& ops, const std::string& path) {
  const uint64_t inBlock = file.base % kBlockBytes;
  if (inBlock == 0) return Failure::none();
  file.head = std::make_shared<BlockBuffer>();
  const auto at = static_cast<off_t>(file.base - inBlock);
  const auto read = [&] { return ops.read(file.reel.get(), file.head->bytes, kBlockBytes, at); };
  ssize_t got = read();
  if (got < 0 && errno == EINVAL && usePageCache(file.reel.get())) got = read();
  if (got < 0) return Failure::last("read " + path);
  if (static_cast<uint64_t>(got) < inBlock) return {EIO, "read " + path + ": it ends early"};
  return Failure::none();
}

// Whether the marker says that this reel was not closed.
bool names(int volumeFd, const std::string& marker, const std::string& path) {
  const auto file = openIn(volumeFd, marker, O_RDONLY);
  if (!file.ok()) return false;
  const auto contents = readFile(file.value.get(), marker);
  return contents.ok() && contents.value == path + "\n";
}

Failure takeUp(ReelFile& file, int volumeFd, FileOps& ops, const std::string& path) {
  struct stat facts {};
  if (::fstat(file.reel.get(), &facts) != 0) return Failure::last("stat " + path);
  file.base = static_cast<uint64_t>(facts.st_size);
  const std::string indexPath = indexPathOf(path);
  auto index = openIn(volumeFd, indexPath, O_RDWR);
  if (!index.ok()) return index.failure;
  file.index = std::move(index.value);
  auto contents = readFile(file.index.get(), indexPath);
  if (!contents.ok()) return contents.failure;
  const ReelIndex read = readIndex(contents.value, file.base);
  if (!read.exact) return {EIO, "take up " + path + ": its index does not hold after recovery"};
  file.nextSequence = static_cast<uint32_t>(read.records.size());
  return readHead(file, ops, path);
}

}  // namespace

std::string reelPathOf(const std::string& stream, int64_t hourUs) { return "dvr/" + stream + "/" + hourPathOf(hourUs); }

std::string markerPathOf(const std::string& stream) { return ".reelvault/open/" + stream; }

Result<ReelFile> openReelFile(int volumeFd, const std::string& stream, const IndexHeader& header, FileOps& ops) {
  const std::string path = reelPathOf(stream, header.hourUs);
  const std::string marker = markerPathOf(stream);
  const bool left = names(volumeFd, marker, path);
  // 1. The marker: from now on a start knows that this reel may need recovery.
  if (auto failure = makeParents(volumeFd, marker)) return failure;
  if (auto failure = replaceFile(ops, volumeFd, marker, path + "\n", false)) return failure;
  // 2. The reel, new or (3.) the one that is there, in good order.
  if (auto failure = makeParents(volumeFd, path)) return failure;
  ReelFile file;
  auto reel = openDirect(volumeFd, path, O_RDWR | O_CREAT | O_EXCL);
  file.existed = !reel.ok() && reel.failure.error == EEXIST;
  if (file.existed) {
    auto report = recoverReel(volumeFd, path, ops, {.session = header, .closed = !left});
    if (!report.ok()) return report.failure;
    reel = openDirect(volumeFd, path, O_RDWR);
  }
  if (!reel.ok()) return reel.failure;
  file.reel = std::move(reel.value);
  if (auto failure = lockReel(file.reel.get(), path)) return failure;
  if (file.existed) {
    if (auto failure = takeUp(file, volumeFd, ops, path)) return failure;
    return file;
  }
  // 4. The index with its header. The first commit syncs the whole volume: marker, directories and both files with it.
  auto index = openIn(volumeFd, indexPathOf(path), O_RDWR | O_CREAT | O_TRUNC, kFileMode);
  if (!index.ok()) return index.failure;
  file.index = std::move(index.value);
  const IndexBytes bytes = encodeHeader(header);
  if (auto failure = writeAll(ops, file.index.get(), bytes.data(), bytes.size(), 0, indexPathOf(path))) return failure;
  return file;
}

Failure appendRecords(const ReelFile& file, const std::string& bytes, uint32_t firstSequence, const std::string& path, FileOps& ops) {
  return writeAll(ops, file.index.get(), bytes.data(), bytes.size(), (uint64_t{firstSequence} + 1) * kIndexRecordBytes, indexPathOf(path));
}

}  // namespace reelvault
