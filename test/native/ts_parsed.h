#pragma once
// A transport stream as the parser sees it.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "ts/parser.h"
#include "ts_builder.h"

struct Units final : reelvault::ts::AccessUnitSink {
  std::vector<reelvault::ts::AccessUnit> list;
  void accessUnit(const reelvault::ts::AccessUnit& unit) override { list.push_back(unit); }
};

struct Parsed {
  Units units;
  reelvault::ts::Parser parser{units};
  bool good = true;
  explicit Parsed(const std::vector<uint8_t>& bytes, size_t piece = 1 << 20, bool end = true) {
    for (size_t at = 0; at < bytes.size() && good; at += piece) good = parser.feed(bytes.data() + at, std::min(piece, bytes.size() - at));
    if (end) good = parser.end() && good;
  }
  const reelvault::ts::Counters& counters() const { return parser.counters(); }
};
