#include "writer/slab_pool.h"

#include <sys/mman.h>

#include <algorithm>

namespace reelvault {
namespace {
constexpr size_t kHugePage = 2 << 20;
}

SlabPool::SlabPool(size_t bytes) : slabs_(bytes / kSlabBytes), reserved_(slabs_.size() * kSlabBytes + kHugePage) {
  void* memory = ::mmap(nullptr, reserved_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  memory_ = static_cast<uint8_t*>(memory);
  uint8_t* aligned = memory_ + (kHugePage - reinterpret_cast<uintptr_t>(memory_) % kHugePage) % kHugePage;
  // Thousands of streams each fill a slab of their own: with small pages nearly every append would miss the TLB, and each write
  // has more pages to pin. A kernel without huge pages refuses, and small ones do.
  (void)::madvise(aligned, slabs_.size() * kSlabBytes, MADV_HUGEPAGE);
  for (size_t i = slabs_.size(); i-- > 0;) {
    slabs_[i].data = aligned + i * kSlabBytes;
    slabs_[i].next = free_;
    free_ = &slabs_[i];
    available_++;
  }
}

SlabPool::~SlabPool() {
  if (memory_ != nullptr) ::munmap(memory_, reserved_);
}

size_t SlabPool::limit(const PoolShare& share) const {
  if (shares_.size() < 2) return slabs_.size();
  // A volume without streams may get one at any moment.
  const auto claim = [](const PoolShare& each) { return std::max<size_t>(each.streams, 1); };
  size_t claims = 0;
  for (const PoolShare* each : shares_) claims += claim(*each);
  const size_t beyond = std::min(slabs_.size() / 4, shares_.size() * (kLongestAppend / kSlabBytes + 2));
  return (slabs_.size() - beyond) * claim(share) / claims;
}

size_t SlabPool::room(const PoolShare& share) const { return std::min(available(), limit(share) - std::min(share.held, limit(share))); }

Slab* SlabPool::take(PoolShare& share) {
  Slab* slab = free_;
  free_ = slab->next;
  slab->next = nullptr;
  available_--;
  share.held++;
  return slab;
}

void SlabPool::give(Slab* slab, PoolShare& share) {
  share.held--;
  slab->next = free_;
  free_ = slab;
  available_++;
}

}  // namespace reelvault
