#include "ts/parser.h"

#include <algorithm>
#include <cstring>

namespace reelvault::ts {

Parser::Parser(AccessUnitSink& sink) : sink_(sink) { continuity_.fill(kNoCounter); }

bool Parser::feed(const uint8_t* data, size_t length) {
  while (length > 0 && !failed_) {
    if (searching_) {
      search(data, length);
      continue;
    }
    if (carryLength_ > 0) {
      const size_t take = std::min(kPacketBytes - carryLength_, length);
      std::memcpy(carry_.data() + carryLength_, data, take);
      carryLength_ += take, data += take, length -= take, position_ += take;
      if (carryLength_ < kPacketBytes) break;
      carryLength_ = 0;
      packet(carry_.data(), position_ - kPacketBytes);
      continue;
    }
    while (length >= kPacketBytes && data[0] == kSyncByte) {
      packet(data, position_);
      data += kPacketBytes, length -= kPacketBytes, position_ += kPacketBytes;
    }
    if (length == 0) break;
    if (data[0] != kSyncByte) {
      loseGrid();
      continue;
    }
    if (length >= kPacketBytes) continue;
    std::memcpy(carry_.data(), data, length);
    carryLength_ = length, position_ += length, length = 0;
  }
  return !failed_;
}

void Parser::search(const uint8_t*& data, size_t& length) {
  const size_t took = finder_.feed(data, length);
  data += took, length -= took, position_ += took;
  if (finder_.found()) adoptGrid();
  else if (finder_.exhausted()) failed_ = true;
}

void Parser::adoptGrid() {
  searching_ = false;
  everSynced_ = true;
  const uint64_t start = position_ - finder_.tailLength();
  counters_.garbageBytes += start - goodEnd_;
  const uint8_t* p = finder_.tail();
  size_t left = finder_.tailLength();
  for (uint64_t at = start; left >= kPacketBytes; at += kPacketBytes, p += kPacketBytes, left -= kPacketBytes) packet(p, at);
  std::memcpy(carry_.data(), p, left);
  carryLength_ = left;
}

void Parser::loseGrid() {
  counters_.syncLosses++;
  searching_ = true;
  goodEnd_ = position_;
  finder_.reset();
}

bool Parser::end(bool wholePackets) {
  if (ended_) return everSynced_;
  ended_ = true;
  whole_ = wholePackets;
  if (!everSynced_ && !failed_ && finder_.acceptShort()) adoptGrid();
  if (pending_) decide(false);
  patNear_ = false;
  return everSynced_;
}

uint64_t Parser::settled() const {
  if (!everSynced_) return 0;
  if (ended_) return failed_ || whole_ ? goodEnd_ : position_;
  uint64_t offset = searching_ ? goodEnd_ : position_ - carryLength_;
  if (patNear_) offset = std::min(offset, patOffset_);
  if (pending_) offset = std::min(offset, unit_.cutOffset);
  return offset;
}

void Parser::packet(const uint8_t* p, uint64_t offset) {
  counters_.packets++;
  goodEnd_ = offset + kPacketBytes;
  if (patNear_ && offset - patOffset_ > kLookback) patNear_ = false;
  if (pending_ && offset - unit_.offset > kLookback) decide(false);
  const uint16_t id = pid(p);
  if (id == kNullPid) {
    counters_.nullPackets++;
    return;
  }
  if (transportError(p)) {  // none of its fields can be trusted
    counters_.transportErrors++;
    return;
  }
  checkContinuity(p, id);
  if (id == kPatPid) programAssociation(p, offset);
  else if (id == pmtPid_) programMap(p);
  else if (id == main_.pid) mainPacket(p, offset);
}

void Parser::checkContinuity(const uint8_t* p, uint16_t id) {
  uint8_t& last = continuity_[id];
  const uint8_t counter = continuityCounter(p);
  if (last != kNoCounter && !discontinuityIndicator(p)) {
    const uint8_t former = last & 0x0f;
    if (!hasPayload(p)) {
      if (counter != former) counters_.continuityErrors++;
    } else if (counter == former) {  // a packet may be sent twice, not more often
      if ((last & 0x10) != 0) counters_.continuityErrors++;
      last = counter | 0x10;
      return;
    } else if (counter != ((former + 1) & 0x0f)) {
      counters_.continuityErrors++;
    }
  }
  last = counter;
}

void Parser::programAssociation(const uint8_t* p, uint64_t offset) {
  if (payloadUnitStart(p)) {
    patNear_ = true, pmtNear_ = false;
    patOffset_ = offset;
  }
  if (!pat_.feed(p)) return;
  const auto id = programMapPid(pat_.section(), pat_.length());
  if (!id || *id == pmtPid_) return;
  pmtPid_ = *id;
  pmt_.reset();
}

void Parser::programMap(const uint8_t* p) {
  if (payloadUnitStart(p)) pmtNear_ = true;
  if (!pmt_.feed(p)) return;
  const auto stream = mainStream(pmt_.section(), pmt_.length());
  if (!stream || *stream == main_) return;
  if (pending_) decide(false);
  main_ = *stream;
}

void Parser::mainPacket(const uint8_t* p, uint64_t offset) {
  const size_t at = payloadOffset(p);
  const uint8_t* payload = p + at;
  size_t length = kPacketBytes - at;
  if (payloadUnitStart(p)) {
    if (pending_) decide(false);
    const PesHead head = readPesHead(payload, length);
    unit_ = {.offset = offset,
             .cutOffset = patNear_ ? patOffset_ : offset,
             .pts = head.pts,
             .tables = patNear_ && pmtNear_,
             .first = !mainSeen_};
    pending_ = true;
    patNear_ = false;
    mainSeen_ = true;
    if (main_.codec == Codec::audio || randomAccessIndicator(p)) return decide(true);
    if (main_.codec == Codec::other || !head.valid) return decide(false);
    scanner_.reset(main_.codec);
    return scan(payload + head.payload, length - head.payload);
  }
  patNear_ = false;
  mainSeen_ = true;
  if (pending_) scan(payload, length);
}

void Parser::scan(const uint8_t* data, size_t length) {
  const auto verdict = scanner_.feed(data, length);
  if (verdict != PictureScanner::Verdict::undecided) decide(verdict == PictureScanner::Verdict::keyframe);
}

void Parser::decide(bool keyframe) {
  pending_ = false;
  unit_.keyframe = keyframe;
  sink_.accessUnit(unit_);
}

}  // namespace reelvault::ts
