// Recovery: from any reel and any index it comes to an index that names whole segments of the reel's own bytes, loses no record that held, and a
// second time changes nothing.
#include "writer/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "shape.h"

using namespace reelvault;

namespace {

const std::string kReel = "14.ts", kIndex = "14.idx";

// Nothing here outlives the process: syncs would only take time.
class NoSync final : public FileOps {
 public:
  int dataSync(int) override { return 0; }
  int volumeSync(int) override { return 0; }
};

// One directory in memory, removed when the process ends.
struct Ground {
  std::string path;
  UniqueFd fd;
  Ground() {
    std::string pattern = "/dev/shm/rv-fuzz-XXXXXX";
    fuzz::must(::mkdtemp(pattern.data()) != nullptr, "a directory in /dev/shm can be made");
    path = pattern;
    fd.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Ground() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  void write(const std::string& name, const std::vector<uint8_t>& bytes) const {
    const UniqueFd file(::openat(fd.get(), name.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    fuzz::must(file && ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "a file can be written");
  }
  std::string read(const std::string& name) const {
    const UniqueFd file(::openat(fd.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    fuzz::must(static_cast<bool>(file), "the file is there");
    auto contents = readFile(file.get(), name);
    fuzz::must(contents.ok(), "the file can be read");
    return contents.value;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  static const Ground ground;
  static NoSync ops;
  fuzz::Input input(data, length);
  const auto how = static_cast<uint8_t>(input.number(1));
  std::vector<uint8_t> index = input.take(input.number(1) % 9 * kIndexRecordBytes);
  std::vector<uint8_t> reel = input.rest();
  fuzz::shapePackets(reel, how);
  if ((how & 16) != 0) fuzz::sealIndex(index);
  if ((how & 32) != 0) reel.resize((reel.size() + 4095) / 4096 * 4096);
  ground.write(kReel, reel);
  ground.write(kIndex, index);
  const ReelIndex before = readIndex({index.begin(), index.end()}, reel.size());

  const RecoveryOptions options{.closed = (how & 64) != 0};
  const auto report = recoverReel(ground.fd.get(), kReel, ops, options);
  fuzz::must(report.ok(), "a reel that can be read can be recovered");
  const std::string reelAfter = ground.read(kReel), indexAfter = ground.read(kIndex);
  fuzz::must(reelAfter.size() <= reel.size() && std::equal(reelAfter.begin(), reelAfter.end(), reel.begin(), [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }),
             "a reel is cut, never changed");
  const ReelIndex after = readIndex(indexAfter, reelAfter.size());
  fuzz::must(after.exact && after.records.size() == report.value.records, "the new index holds what was reported");
  uint64_t end = 0;
  for (size_t i = 0; i < after.records.size(); i++) {
    const IndexRecord& record = after.records[i];
    fuzz::must(record.sequence == i, "records are numbered");
    fuzz::must(record.offset >= end, "records follow each other");
    end = record.end();
    const bool held = std::any_of(before.records.begin(), before.records.end(), [&](const auto& old) { return old.offset == record.offset && old.length == record.length; });
    fuzz::must(held || crc32c(0, reelAfter.data() + record.offset, record.length) == record.crc32c, "a new record has the sum of its bytes");
  }
  const bool zeros = std::all_of(reel.begin() + static_cast<ptrdiff_t>(reelAfter.size()), reel.end(), [](uint8_t byte) { return byte == 0; });
  fuzz::must(options.closed ? zeros : end == reelAfter.size(), "a reel ends with its last segment; of a closed one only zeros go");
  for (const IndexRecord& old : before.records)
    fuzz::must(std::any_of(after.records.begin(), after.records.end(), [&](const auto& now) { return now.offset == old.offset && now.length == old.length && now.startUs == old.startUs && now.crc32c == old.crc32c; }),
               "a record that held is still there");

  const auto second = recoverReel(ground.fd.get(), kReel, ops, options);
  fuzz::must(second.ok() && second.value.added == 0 && second.value.cutBytes == 0, "a second time there is nothing to do");
  fuzz::must(ground.read(kIndex) == indexAfter && ground.read(kReel) == reelAfter, "a second time changes nothing");
  return 0;
}
