#include "writer/slab_pool.h"

#include <sys/mman.h>

namespace reelvault {

SlabPool::SlabPool(size_t bytes) : slabs_(bytes / kSlabBytes) {
  void* memory = ::mmap(nullptr, slabs_.size() * kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  memory_ = static_cast<uint8_t*>(memory);
  for (size_t i = slabs_.size(); i-- > 0;) {
    slabs_[i].data = memory_ + i * kSlabBytes;
    give(&slabs_[i]);
  }
}

SlabPool::~SlabPool() {
  if (memory_ != nullptr) ::munmap(memory_, slabs_.size() * kSlabBytes);
}

Slab* SlabPool::take() {
  Slab* slab = free_;
  free_ = slab->next;
  slab->next = nullptr;
  available_--;
  return slab;
}

void SlabPool::give(Slab* slab) {
  slab->next = free_;
  free_ = slab;
  available_++;
}

}  // namespace reelvault
