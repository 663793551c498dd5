// A body in chunks: the same payload however it is cut into pieces, never more than came in, and each end once.
#include "ingest/chunked_body.h"

#include <algorithm>

#include "shape.h"

using namespace reelvault;

namespace {

struct Decoded {
  std::vector<uint8_t> payload;
  bool over = false, bad = false;
};

Decoded decode(const std::vector<uint8_t>& bytes, size_t step) {
  ChunkedBody body;
  Decoded decoded;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::vector<uint8_t> piece(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(std::min(at + step, bytes.size())));
    const bool ended = body.over() || body.bad();
    const size_t length = body.decode(piece.data(), piece.size());
    fuzz::must(length <= piece.size() && (!ended || length == 0), "no payload from nothing, and none behind the end");
    decoded.payload.insert(decoded.payload.end(), piece.begin(), piece.begin() + static_cast<ptrdiff_t>(length));
  }
  decoded.over = body.over(), decoded.bad = body.bad();
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  fuzz::Input input(data, length);
  const size_t step = input.number(1) + 1;
  const std::vector<uint8_t> bytes = input.rest();
  const Decoded whole = decode(bytes, std::max<size_t>(bytes.size(), 1)), cut = decode(bytes, step);
  fuzz::must(whole.payload == cut.payload && whole.over == cut.over && whole.bad == cut.bad, "cuts change nothing");
  fuzz::must(!(whole.over && whole.bad), "one end");
  return 0;
}
