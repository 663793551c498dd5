#include "launcher/report.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace reelvault::launcher {

std::string jsonString(const std::string& text) {
  std::string out = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + '"';
}

void fail(const std::string& what, const std::string& expected, const std::string& got) {
  const std::string line = "{\"error\":\"launcher\",\"what\":" + jsonString(what) + ",\"expected\":" + jsonString(expected) +
                           ",\"got\":" + jsonString(got) + "}\n";
  std::fputs(line.c_str(), stderr);
  std::exit(125);
}

void failErrno(const std::string& what, const std::string& expected) {
  const int error = errno;
  fail(what, expected, std::strerror(error));
}

}  // namespace reelvault::launcher
