#pragma once
#include <cstddef>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace reelvault {

/// memcpy past the cache, of bytes that nobody reads soon: the lines they go to are not fetched first, and push nothing else out. Other threads may
/// see them only after publishStreamCopies().
inline void streamCopy(void* to, const void* from, size_t length) {
#if defined(__SSE2__)
  constexpr size_t kLine = 64;
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  const size_t head = (kLine - reinterpret_cast<size_t>(out) % kLine) % kLine;
  if (length < head + kLine) {
    std::memcpy(out, in, length);
    return;
  }
  std::memcpy(out, in, head);
  out += head, in += head, length -= head;
  for (; length >= kLine; out += kLine, in += kLine, length -= kLine) {
    const auto* words = reinterpret_cast<const __m128i*>(in);
    auto* line = reinterpret_cast<__m128i*>(out);
    const __m128i a = _mm_loadu_si128(words), b = _mm_loadu_si128(words + 1), c = _mm_loadu_si128(words + 2), d = _mm_loadu_si128(words + 3);
    _mm_stream_si128(line, a);
    _mm_stream_si128(line + 1, b);
    _mm_stream_si128(line + 2, c);
    _mm_stream_si128(line + 3, d);
  }
  std::memcpy(out, in, length);
#else
  std::memcpy(to, from, length);
#endif
}

/// What was copied so far stands before every later store of this thread.
inline void publishStreamCopies() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace reelvault
