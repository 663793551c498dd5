#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "ts/parser.h"

namespace reelvault {

/// How a stream begins, for the refusal of one that is no transport stream.
class FirstBytes {
 public:
  /// `at`: how many bytes came before.
  void keep(uint64_t at, const uint8_t* data, size_t length);
  static constexpr const char* kExpected = "MPEG-TS packets (the byte 0x47 every 188 bytes)";
  /// What came instead of packets.
  std::string got(const ts::Parser& parser) const;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace reelvault
