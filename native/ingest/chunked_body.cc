#include "ingest/chunked_body.h"

#include <algorithm>
#include <cstring>

namespace reelvault {
namespace {

constexpr unsigned kMostDigits = 15;  ///< a size stays below 2^60
constexpr size_t kMostPassedOver = 15 * 1024;

int digitOf(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const uint8_t letter = byte | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

size_t ChunkedBody::decode(uint8_t* piece, size_t length) {
  uint8_t* out = piece;
  for (size_t at = 0; at < length && !over() && !bad();) {
    if (state_ != State::data) {
      state_ = step(piece[at++]);
      continue;
    }
    const size_t take = std::min<uint64_t>(left_, length - at);
    if (out != piece + at) std::memmove(out, piece + at, take);
    out += take, at += take, left_ -= take;
    if (left_ == 0) state_ = State::dataEnd;
  }
  return static_cast<size_t>(out - piece);
}

ChunkedBody::State ChunkedBody::step(uint8_t byte) {
  switch (state_) {
    case State::size: {
      const int digit = digitOf(byte);
      if (digit >= 0) {
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        return ++digits_ <= kMostDigits ? State::size : State::bad;
      }
      if (digits_ == 0) return State::bad;
      digits_ = 0;
      return byte == '\r' ? State::sizeEnd : byte == ';' ? State::extension : State::bad;
    }
    case State::extension: return passOver(byte, State::sizeEnd);
    case State::sizeEnd:
      if (byte != '\n') return State::bad;
      return left_ > 0 ? State::data : State::trailer;
    case State::dataEnd: return byte == '\r' ? State::lineEnd : State::bad;
    case State::lineEnd: return byte == '\n' ? State::size : State::bad;
    case State::trailer: return byte == '\r' ? State::lastEnd : passOver(byte, State::trailerEnd);
    case State::trailerText: return passOver(byte, State::trailerEnd);
    case State::trailerEnd: return byte == '\n' ? State::trailer : State::bad;
    case State::lastEnd: return byte == '\n' ? State::over : State::bad;
    default: return state_;
  }
}

// Of a line that means nothing here. A line feed alone ends none: what others read differently must not be read at all.
ChunkedBody::State ChunkedBody::passOver(uint8_t byte, State lineEnd) {
  if (byte == '\n' || ++passedOver_ > kMostPassedOver) return State::bad;
  if (byte == '\r') return lineEnd;
  return lineEnd == State::sizeEnd ? State::extension : State::trailerText;
}

}  // namespace reelvault
