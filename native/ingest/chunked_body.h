#pragma once
#include <cstddef>
#include <cstdint>

namespace reelvault {

/// A body in chunks (RFC 9112 section 7.1), taken apart as it comes. Extensions and trailers are passed over; more than 15 KiB of them are refused.
class ChunkedBody {
 public:
  /// Decodes a piece in place: what it carries lies together at its beginning afterwards. Returns how many bytes that is.
  size_t decode(uint8_t* piece, size_t length);
  /// The last chunk has come, and all that belongs to it. Bytes behind it are not looked at.
  bool over() const { return state_ == State::over; }
  /// What came is no such body; what was decoded before is good.
  bool bad() const { return state_ == State::bad; }

 private:
  enum class State : uint8_t { size, extension, sizeEnd, data, dataEnd, lineEnd, trailer, trailerText, trailerEnd, lastEnd, over, bad };
  State step(uint8_t byte);
  State passOver(uint8_t byte, State lineEnd);

  State state_ = State::size;
  uint64_t left_ = 0;     ///< of the chunk
  unsigned digits_ = 0;   ///< of its size
  size_t passedOver_ = 0;  ///< bytes of extensions and trailers, all together
};

}  // namespace reelvault
