#pragma once
#include <memory>
#include <vector>

#include "writer/stream.h"

namespace reelvault {

/// The open streams by id. An id names a place and how often ids were given out, so that looking one up touches nothing but the stream itself, which
/// matters for each chunk of a thousand streams in turn; an id of a stream that is gone does not find the next one in its place.
class StreamTable {
 public:
  static constexpr size_t kMost = 1 << 16;

  size_t size() const { return size_; }
  /// The id that the next stream must have; 0 when there are kMost.
  int nextId() const {
    const size_t place = free_.empty() ? places_.size() : free_.back();
    return place < kMost ? static_cast<int>(round_ << 16 | place) : 0;
  }
  void add(std::shared_ptr<Stream> stream) {
    const size_t place = placeOf(stream->id);
    if (place == places_.size()) places_.emplace_back();
    else free_.pop_back();
    places_[place] = std::move(stream);
    round_ = round_ % kRounds + 1;
    size_++;
  }
  /// nullptr when there is none of that id.
  const std::shared_ptr<Stream>* find(int id) const {
    const size_t place = placeOf(id);
    const bool here = place < places_.size() && places_[place] != nullptr && places_[place]->id == id;
    return here ? &places_[place] : nullptr;
  }
  void remove(int id) {
    places_[placeOf(id)].reset();
    free_.push_back(placeOf(id));
    size_--;
  }

 private:
  static constexpr uint32_t kRounds = 0x7fff;
  static size_t placeOf(int id) { return static_cast<uint32_t>(id) & (kMost - 1); }

  std::vector<std::shared_ptr<Stream>> places_;
  std::vector<size_t> free_;
  uint32_t round_ = 1;
  size_t size_ = 0;
};

}  // namespace reelvault
