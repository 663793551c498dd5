#include "ingest/chunked_body.h"

#include <doctest/doctest.h>

#include <string>

using reelvault::ChunkedBody;

namespace {

struct Decoded {
  std::string payload;
  bool over, bad;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(const std::string& text, size_t step) {
  ChunkedBody body;
  Decoded decoded{};
  for (size_t at = 0; at < text.size(); at += step) {
    std::string piece = text.substr(at, step);
    piece.resize(body.decode(reinterpret_cast<uint8_t*>(piece.data()), piece.size()));
    decoded.payload += piece;
  }
  decoded.over = body.over(), decoded.bad = body.bad();
  return decoded;
}

}  // namespace

TEST_CASE("a body in chunks is the same however it is cut") {
  const std::string text = "4\r\nWiki\r\n7;name=value\r\npedia i\r\n00B\r\nn \r\nchunks.\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\nGET / HTTP/1.1";
  const Decoded wanted{"Wikipedia in \r\nchunks.", true, false};
  for (size_t step = 1; step <= text.size(); step++) CHECK(decode(text, step) == wanted);
}

TEST_CASE("a body that goes on is neither over nor bad") {
  const std::string text = "a\r\n0123456789\r\n0\r\n\r\n";
  for (size_t length = 0; length < text.size(); length++) {
    const Decoded decoded = decode(text.substr(0, length), 3);
    CHECK_FALSE(decoded.over);
    CHECK_FALSE(decoded.bad);
  }
}

TEST_CASE("what is no body in chunks is bad, and what came before it is good") {
  for (const char* text : {"1\r\na\r\n\r\n", "1\r\na\r\nx\r\n", "1\r\na\r\n-1\r\n", "1\r\na\r\n 1\r\n", "1\r\na\r\n1 \r\n", "1\r\na\r\n0x1\r\n", "1\r\nab\r\n", "1\r\na\n1\r\nb",
                           "1\r\na\r\n1\nb\r\n", "1\r\na\r\n1;x\nb\r\n", "1\r\na\r\n0\r\nx: y\n\r\n", "1\r\na\r\n0\r\n\rx", "1\r\na\r\n1\rb", "1\r\na\r\n1000000000000000\r\n"}) {
    const Decoded decoded = decode(text, 2);
    CAPTURE(text);
    CHECK(decoded.payload == "a");
    CHECK(decoded.bad);
    CHECK_FALSE(decoded.over);
  }
}

TEST_CASE("extensions and trailers have an end") {
  const std::string much(16 * 1024, 'x');
  CHECK(decode("1;" + much + "\r\na\r\n", 1000).bad);
  CHECK(decode("0\r\n" + much + "\r\n\r\n", 1000).bad);
  std::string many;
  for (int i = 0; i < 4000; i++) many += "1;a=b\r\nx\r\n";
  CHECK(decode(many, 1000).bad);
  CHECK(decode("fffffffffffffff\r\n" + much, 1000) == Decoded{much, false, false});
}
