#include "writer/standby.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace reelvault {
namespace {
// Arrivals closer together than this are told as one.
constexpr int64_t kSameTimeUs = 20'000;
// 32 MiB: less is not worth a walk through all that is free, and takes longer to give back the more it is.
constexpr size_t kMuch = 512;
}  // namespace

bool StandbyPool::makeRoom() {
  while (full()) {
    Standby* most = nullptr;
    for (Standby* each : members_)
      if (!each->holding_ && !each->blocks_.empty() && (most == nullptr || each->blocks_.size() > most->blocks_.size())) most = each;
    if (most == nullptr) return false;
    most->giveUp();
  }
  return true;
}

void StandbyPool::took() {
  blocks_++;
  most_ = std::max(most_, blocks_);
}

void StandbyPool::gave(size_t blocks) {
  blocks_ -= blocks;
  if (most_ - blocks_ < kMuch) return;
  most_ = blocks_;
  (void)::malloc_trim(0);
}

Standby::Standby(StandbyPool& pool, int64_t keepUs) : pool_(pool), keepUs_(keepUs), parser_(*this) { pool_.members_.push_back(this); }

Standby::~Standby() {
  clear();
  std::erase(pool_.members_, this);
}

Standby::Fed Standby::feed(const uint8_t* data, size_t length, int64_t wallUs, int64_t elapsedUs) {
  elapsedUs_ = elapsedUs;
  first_.keep(received_, data, length);
  if (holding_ || keepUs_ > 0) store(data, length, wallUs);
  else front_ = end_ = received_ + length;
  received_ += length;
  if (!parser_.feed(data, length)) return Fed::notTransportStream;
  if (!holding_) trim();
  return holding_ && received_ - heldFrom_ > kHoldBytes ? Fed::full : Fed::taken;
}

void Standby::accessUnit(const ts::AccessUnit& unit) {
  if (unit.keyframe && keepUs_ > 0 && unit.cutOffset >= front_) cuts_.push_back({unit.cutOffset, elapsedUs_});
}

void Standby::store(const uint8_t* data, size_t length, int64_t wallUs) {
  if (held() == 0) marks_.clear();
  if (marks_.empty() || std::abs(wallUs - marks_.back().wallUs) >= kSameTimeUs) marks_.push_back({received_, wallUs});
  for (uint64_t at = received_; length > 0;) {
    if (blocks_.empty() || at - blocks_.back().begin == StandbyPool::kBlockBytes) {
      if (!addBlock()) {
        // Without memory: it begins anew behind these bytes, with the next keyframe.
        end_ = at + length;
        clear();
        return;
      }
      blocks_.back().begin = at;
    }
    Block& block = blocks_.back();
    const size_t used = at - block.begin;
    const size_t take = std::min(length, StandbyPool::kBlockBytes - used);
    std::memcpy(block.data.get() + used, data, take);
    at += take, data += take, length -= take;
    end_ = at;
  }
}

// What a beginning recording holds is bounded by itself.
bool Standby::addBlock() {
  if (!holding_ && pool_.full() && !pool_.makeRoom()) return false;
  blocks_.push_back({std::make_unique_for_overwrite<uint8_t[]>(StandbyPool::kBlockBytes), 0});
  pool_.took();
  return true;
}

void Standby::giveUp() {
  if (!cuts_.empty()) cuts_.pop_front();
  // What follows a keyframe that is gone cannot begin a recording.
  if (cuts_.empty()) clear();
  else dropTo(cuts_.front().offset);
}

void Standby::clear() {
  cuts_.clear();
  front_ = end_;
  const size_t freed = blocks_.size();
  blocks_.clear();
  pool_.gave(freed);
}

void Standby::trim() {
  while (cuts_.size() > 1 && cuts_[1].elapsedUs <= elapsedUs_ - keepUs_) cuts_.pop_front();
  dropTo(cuts_.empty() ? parser_.settled() : cuts_.front().offset);
}

void Standby::dropTo(uint64_t offset) {
  front_ = std::max(front_, offset);
  size_t freed = 0;
  for (; !blocks_.empty() && blocks_.front().begin + StandbyPool::kBlockBytes <= front_; freed++) blocks_.pop_front();
  pool_.gave(freed);
  while (marks_.size() > 1 && marks_[1].offset <= front_) marks_.pop_front();
}

void Standby::hold() {
  holding_ = true;
  heldFrom_ = received_;
}

std::optional<Standby::Piece> Standby::front() const {
  if (front_ >= received_ || blocks_.empty()) return std::nullopt;
  const Block& block = blocks_.front();
  uint64_t end = std::min(received_, block.begin + StandbyPool::kBlockBytes);
  if (marks_.size() > 1) end = std::min(end, marks_[1].offset);
  return Piece{block.data.get() + (front_ - block.begin), static_cast<size_t>(end - front_), marks_.front().wallUs};
}

void Standby::pop() {
  const auto piece = front();
  if (!piece) return;
  heldFrom_ = std::max(heldFrom_, front_ + piece->length);
  dropTo(front_ + piece->length);
}

std::optional<int64_t> Standby::heldSinceUs() const {
  const auto piece = front();
  return piece ? std::optional(piece->cameUs) : std::nullopt;
}

}  // namespace reelvault
