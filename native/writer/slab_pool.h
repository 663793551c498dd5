#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reelvault {

constexpr size_t kBlockBytes = 4096;  ///< what O_DIRECT aligns to, everywhere we write
constexpr size_t kSlabBytes = 32 * 1024;

/// A piece of staging memory. Belongs to one stream between take() and give(); the stream's slabs form a list in the order of its bytes.
struct Slab {
  uint8_t* data = nullptr;
  uint64_t begin = 0;  ///< offset in the session of its first byte
  uint32_t skip = 0;   ///< where in `data` that byte lies: chosen so that memory and file are aligned alike
  Slab* next = nullptr;
};

/// Staging memory with a ceiling, shared by all streams of a writer. Address space is reserved once; pages are used only when a slab is, and the
/// slab given back last is taken first. Not locked: the writer's mutex guards it.
class SlabPool {
 public:
  explicit SlabPool(size_t bytes);
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  bool ok() const { return memory_ != nullptr; }
  size_t available() const { return available_; }
  size_t total() const { return slabs_.size(); }
  Slab* take();
  void give(Slab* slab);

 private:
  uint8_t* memory_ = nullptr;
  std::vector<Slab> slabs_;
  Slab* free_ = nullptr;
  size_t available_ = 0;
};

}  // namespace reelvault
