#pragma once
// Makes transport streams by hand, packet by packet, so that a test knows where everything lies.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ts/psi.h"

/// An elementary stream as a PMT names it.
struct TsEntry {
  uint8_t type;
  uint16_t pid;
  std::vector<uint8_t> descriptors{};
};

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
  struct Listed {
    uint16_t number, pmtPid;
  };
  /// One section of a PAT with several programs.
  TsBuilder& programs(const std::vector<Listed>& list, uint8_t number = 0, uint8_t last = 0) {
    Bytes data;
    data.reserve(1024);
    data.insert(data.end(), {0x00, 0xb0, 0, 0, 1, 0xc1, number, last});
    for (const auto& each : list) put16(data, each.number), put16(data, 0xe000 | each.pmtPid);
    section(0, data);
    return *this;
  }
  using Entries = std::vector<TsEntry>;
  /// A PMT; its clock comes on kVideo.
  static Bytes mapOf(const Entries& entries, uint8_t version = 0, uint16_t program = 1) {
    Bytes data;
    data.reserve(1024);
    data.insert(data.end(), {0x02, 0xb0, 0});
    put16(data, program);
    data.insert(data.end(), {static_cast<uint8_t>(0xc1 | version << 1), 0, 0, 0xe1, 0, 0xf0, 0});
    for (const auto& entry : entries) {
      data.push_back(entry.type);
      put16(data, 0xe000 | entry.pid), put16(data, 0xf000 | static_cast<int>(entry.descriptors.size()));
      data.insert(data.end(), entry.descriptors.begin(), entry.descriptors.end());
    }
    return data;
  }
  TsBuilder& pmt(const Entries& entries = {{0x1b, kVideo}, {0x0f, kAudio}}, uint8_t version = 0, uint16_t pid = kPmt, uint16_t program = 1) {
    section(pid, mapOf(entries, version, program));
    return *this;
  }
  /// Several sections, one behind the other, in as many packets as they need. Lengths and CRCs are filled in.
  TsBuilder& sections(uint16_t pid, const std::vector<Bytes>& list) {
    Bytes all{0};
    for (const Bytes& each : list) {
      const Bytes done = sealed(each);
      all.insert(all.end(), done.begin(), done.end());
    }
    all.resize((all.size() + 183) / 184 * 184, 0xff);
    for (size_t at = 0; at < all.size(); at += 184) packet(pid, at == 0, Bytes(all.begin() + static_cast<ptrdiff_t>(at), all.begin() + static_cast<ptrdiff_t>(at) + 184));
    return *this;
  }
  /// A packet of the video with nothing but the program clock (90 kHz).
  TsBuilder& clock(int64_t reference, bool announced = false, uint16_t pid = kVideo) {
    std::array<uint8_t, 188> p;
    p.fill(0xff);
    const auto base = static_cast<uint64_t>(reference) & 0x1ffffffff;
    const uint8_t head[] = {0x47, static_cast<uint8_t>(pid >> 8), static_cast<uint8_t>(pid), static_cast<uint8_t>(0x20 | ((counters_[pid] - 1) & 15)), 183,
                            static_cast<uint8_t>(0x10 | (announced ? 0x80 : 0)), static_cast<uint8_t>(base >> 25), static_cast<uint8_t>(base >> 17),
                            static_cast<uint8_t>(base >> 9), static_cast<uint8_t>(base >> 1), static_cast<uint8_t>(base << 7 | 0x7e), 0};
    std::copy(std::begin(head), std::end(head), p.begin());
    bytes.insert(bytes.end(), p.begin(), p.end());
    return *this;
  }
  /// The last packet once more.
  TsBuilder& again() {
    const Bytes last(bytes.end() - 188, bytes.end());
    bytes.insert(bytes.end(), last.begin(), last.end());
    return *this;
  }
  /// Takes the last packet away.
  TsBuilder& lose() {
    bytes.resize(bytes.size() - 188);
    return *this;
  }
  /// Marks the packets of a PID as scrambled and makes their payload unreadable.
  TsBuilder& scramble(uint16_t pid) {
    for (size_t at = 0; at < bytes.size(); at += 188) {
      uint8_t* p = bytes.data() + at;
      if (reelvault::ts::pid(p) != pid) continue;
      p[3] |= 0x80;
      for (size_t i = reelvault::ts::payloadOffset(p); i < 188; i++) p[i] ^= static_cast<uint8_t>(0x5a + i * 7);
    }
    return *this;
  }
  /// The same packets as other carriers frame them: 192 (an arrival time before each) or 204 bytes (parity behind each).
  Bytes framed(size_t packetBytes) const {
    Bytes framed;
    for (size_t at = 0; at < bytes.size(); at += 188) {
      if (packetBytes == 192) {
        const auto arrival = static_cast<uint32_t>(at * 1000);
        framed.insert(framed.end(), {static_cast<uint8_t>(arrival >> 24 & 0x3f), static_cast<uint8_t>(arrival >> 16), static_cast<uint8_t>(arrival >> 8), static_cast<uint8_t>(arrival)});
      }
      framed.insert(framed.end(), bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at) + 188);
      for (size_t i = 0; packetBytes == 204 && i < 16; i++) framed.push_back(static_cast<uint8_t>(bytes[at + 20] * 31 + i * 13));
    }
    return framed;
  }
  /// One PES packet of `packets` transport packets. `nal`: the first byte of its first NAL unit; 0: no start code at all.
  TsBuilder& pes(uint16_t pid, int64_t pts, size_t packets = 1, bool randomAccess = false, uint8_t nal = 0) {
    return unit(pid, pts, nal == 0 ? Bytes{} : Bytes{0, 0, 1, nal}, packets, randomAccess);
  }
  /// One PES packet that begins with `content`.
  TsBuilder& unit(uint16_t pid, int64_t pts, const Bytes& content, size_t packets = 1, bool randomAccess = false) {
    Bytes head;
    head.reserve(64);
    head.insert(head.end(), {0, 0, 1, 0xe0, 0, 0, 0x80, static_cast<uint8_t>(pts < 0 ? 0 : 0x80), static_cast<uint8_t>(pts < 0 ? 0 : 5)});
    if (pts >= 0) {
      const auto p = static_cast<uint64_t>(pts) & 0x1ffffffff;
      head.insert(head.end(), {static_cast<uint8_t>(0x21 | (p >> 30) << 1), static_cast<uint8_t>(p >> 22), static_cast<uint8_t>(p >> 14 | 1),
                               static_cast<uint8_t>(p >> 7), static_cast<uint8_t>(p << 1 | 1)});
    }
    head.insert(head.end(), content.begin(), content.end());
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
    sections(pid, {std::move(data)});
  }
  static void put16(Bytes& to, int value) {
    to.push_back(static_cast<uint8_t>(value >> 8));
    to.push_back(static_cast<uint8_t>(value));
  }
  static Bytes sealed(Bytes data) {
    const size_t length = data.size() - 3 + 4;
    data[1] = static_cast<uint8_t>(0xb0 | length >> 8);
    data[2] = static_cast<uint8_t>(length);
    const uint32_t crc = reelvault::ts::crc32Mpeg(data.data(), data.size());
    for (int shift = 24; shift >= 0; shift -= 8) data.push_back(static_cast<uint8_t>(crc >> shift));
    return data;
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
