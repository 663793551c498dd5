#pragma once
// Makes transport streams by hand, packet by packet, so that a test knows where everything lies.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ts/psi.h"

class TsBuilder {
 public:
  static constexpr uint16_t kPmt = 0x1000, kVideo = 0x100, kAudio = 0x101;
  using Bytes = std::vector<uint8_t>;
  Bytes bytes;

  uint64_t size() const { return bytes.size(); }

  TsBuilder& pat(uint16_t pmtPid = kPmt) {
    section(0, {0x00, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0, 1, static_cast<uint8_t>(0xe0 | pmtPid >> 8), static_cast<uint8_t>(pmtPid)});
    return *this;
  }
  struct Entry {
    uint8_t type;
    uint16_t pid;
  };
  TsBuilder& pmt(const std::vector<Entry>& entries = {{0x1b, kVideo}, {0x0f, kAudio}}, uint8_t version = 0, uint16_t pid = kPmt) {
    Bytes data{0x02, 0xb0, 0, 0, 1, static_cast<uint8_t>(0xc1 | version << 1), 0, 0, 0xe1, 0, 0xf0, 0};
    for (const auto& entry : entries) data.insert(data.end(), {entry.type, static_cast<uint8_t>(0xe0 | entry.pid >> 8), static_cast<uint8_t>(entry.pid), 0xf0, 0});
    section(pid, data);
    return *this;
  }
  /// One PES packet of `packets` transport packets. `nal`: the first byte of its first NAL unit; 0: no start code at all.
  TsBuilder& pes(uint16_t pid, int64_t pts, size_t packets = 1, bool randomAccess = false, uint8_t nal = 0) {
    Bytes head;
    head.reserve(64);
    head.insert(head.end(), {0, 0, 1, 0xe0, 0, 0, 0x80, static_cast<uint8_t>(pts < 0 ? 0 : 0x80), static_cast<uint8_t>(pts < 0 ? 0 : 5)});
    if (pts >= 0) {
      const auto p = static_cast<uint64_t>(pts) & 0x1ffffffff;
      head.insert(head.end(), {static_cast<uint8_t>(0x21 | (p >> 30) << 1), static_cast<uint8_t>(p >> 22), static_cast<uint8_t>(p >> 14 | 1),
                               static_cast<uint8_t>(p >> 7), static_cast<uint8_t>(p << 1 | 1)});
    }
    if (nal != 0) head.insert(head.end(), {0, 0, 1, nal});
    for (size_t i = 0; i < packets; i++) packet(pid, i == 0, i == 0 ? head : Bytes{}, i == 0 && randomAccess);
    return *this;
  }
  TsBuilder& key(int64_t pts, size_t packets = 3) { return pes(kVideo, pts, packets, true, 0x65); }
  TsBuilder& frame(int64_t pts, size_t packets = 2) { return pes(kVideo, pts, packets, false, 0x41); }
  TsBuilder& audio(int64_t pts) { return pes(kAudio, pts); }
  TsBuilder& null() {
    packet(0x1fff, false, {});
    return *this;
  }
  TsBuilder& raw(size_t count, uint8_t value) {
    bytes.insert(bytes.end(), count, value);
    return *this;
  }
  /// Bytes of a fixed pseudo-random sequence without the sync byte.
  TsBuilder& noise(size_t count) {
    while (count-- > 0) {
      state_ = state_ * 1664525 + 1013904223;
      const auto byte = static_cast<uint8_t>(state_ >> 24);
      bytes.push_back(byte == 0x47 ? 0x48 : byte);
    }
    return *this;
  }
  /// `seconds` of video at 5 frames/s with a keyframe every second (PAT and PMT before each), from `pts` on.
  TsBuilder& seconds(int seconds, int64_t pts = 0) {
    for (int s = 0; s < seconds; s++) {
      pat().pmt();
      for (int f = 0; f < 5; f++) {
        const int64_t at = pts + s * 90000 + f * 18000;
        f == 0 ? key(at) : frame(at);
        audio(at);
      }
    }
    return *this;
  }
  void breakContinuity(uint16_t pid) { counters_[pid] = (counters_[pid] + 5) & 15; }

 private:
  void section(uint16_t pid, Bytes data) {
    const size_t length = data.size() - 3 + 4;
    data[1] = static_cast<uint8_t>(0xb0 | length >> 8);
    data[2] = static_cast<uint8_t>(length);
    const uint32_t crc = reelvault::ts::crc32Mpeg(data.data(), data.size());
    for (int shift = 24; shift >= 0; shift -= 8) data.push_back(static_cast<uint8_t>(crc >> shift));
    data.insert(data.begin(), 0);
    data.resize(184, 0xff);
    packet(pid, true, data);
  }
  // The payload is filled up with a pattern that differs from packet to packet.
  void packet(uint16_t pid, bool start, const Bytes& payload, bool randomAccess = false) {
    const uint8_t counter = pid == 0x1fff ? 0 : counters_[pid]++ & 15;
    std::array<uint8_t, 188> p;
    p.fill(static_cast<uint8_t>(0x80 | serial_++ % 0x70));
    p[0] = 0x47;
    p[1] = static_cast<uint8_t>((start ? 0x40 : 0) | pid >> 8);
    p[2] = static_cast<uint8_t>(pid);
    p[3] = static_cast<uint8_t>((randomAccess ? 0x30 : 0x10) | counter);
    size_t at = 4;
    if (randomAccess) p[4] = 1, p[5] = 0x40, at = 6;
    for (size_t i = 0; i < payload.size() && at < p.size(); i++) p[at++] = payload[i];
    bytes.insert(bytes.end(), p.begin(), p.end());
  }
  std::map<uint16_t, uint8_t> counters_;
  uint32_t serial_ = 0;
  uint32_t state_ = 1;
};
