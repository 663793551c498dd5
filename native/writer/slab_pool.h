#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reelvault {

constexpr size_t kBlockBytes = 4096;  ///< what O_DIRECT aligns to, everywhere we write
constexpr size_t kSlabBytes = 32 * 1024;
constexpr size_t kLongestAppend = 1 << 20;  ///< of one call

/// A piece of staging memory. Belongs to one stream between take() and give(); the stream's slabs form a list in the order of its bytes.
struct Slab {
  uint8_t* data = nullptr;
  uint64_t begin = 0;  ///< offset in the session of its first byte
  uint32_t skip = 0;   ///< where in `data` that byte lies: chosen so that memory and file are aligned alike
  Slab* next = nullptr;
};

/// What one volume takes of the pool.
struct PoolShare {
  size_t streams = 0;  ///< with an open session
  size_t held = 0;     ///< slabs
};

/// Staging memory with a ceiling, shared by all streams of a writer. Address space is reserved once; pages (huge ones, where the kernel
/// has them) are used only when a slab is, and the slab given back last is taken first. Where several volumes share it, each may hold so much of it as it has of the streams, so that one whose disk
/// does nothing cannot take the memory of the others. Not locked: the writer's mutex guards it.
class SlabPool {
 public:
  explicit SlabPool(size_t bytes);
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  bool ok() const { return memory_ != nullptr; }
  size_t available() const { return available_; }
  /// Hardly any of it is in use: bytes may wait here until they make a large write. Needs no lock.
  bool plenty() const { return available_.load(std::memory_order_relaxed) > slabs_.size() / 4 * 3; }
  size_t total() const { return slabs_.size(); }
  void join(PoolShare& share) { shares_.push_back(&share); }
  /// What it holds must have been given back.
  void leave(PoolShare& share) { std::erase(shares_, &share); }
  /// Most slabs of a volume; one append more may go beyond it.
  size_t limit(const PoolShare& share) const;
  bool mayTake(const PoolShare& share, size_t count) const { return available_ >= count && share.held < limit(share); }
  /// How many more the volume could take now.
  size_t room(const PoolShare& share) const;
  Slab* take(PoolShare& share);
  void give(Slab* slab, PoolShare& share);

 private:
  uint8_t* memory_ = nullptr;  // as mmap gave it
  std::vector<Slab> slabs_;
  size_t reserved_;
  std::vector<const PoolShare*> shares_;
  Slab* free_ = nullptr;
  std::atomic<size_t> available_ = 0;
};

}  // namespace reelvault
