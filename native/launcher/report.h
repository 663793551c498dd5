#pragma once
#include <string>

namespace reelvault::launcher {

/// Ends the process with 125 (as env(1) does for its own failures) and one line of JSON on stderr.
[[noreturn]] void fail(const std::string& what, const std::string& expected, const std::string& got);

/// The same with strerror(errno) as what was got.
[[noreturn]] void failErrno(const std::string& what, const std::string& expected);

/// `text` as a JSON string with its quotes.
std::string jsonString(const std::string& text);

}  // namespace reelvault::launcher
