#pragma once
#include <exception>
#include <string>
#include <utility>

namespace reelvault::luksblock {

/** Exit codes of the command line contract in docs/luksblock.md. */
enum class Code : int {
  usage = 2,
  notLuks = 10,
  wrongKey = 11,
  reencryption = 12,
  integrity = 13,
  unknownRequirement = 14,
  unalignedSize = 15,
  cipher = 16,
  headerDamaged = 17,
  noKeyslot = 18,
  inUse = 19,
  io = 20,
  mount = 21,
  memory = 22,
};

/** Why a container is not served. Thrown only before the first request is; ends in one line of JSON and the exit code. */
class Refusal : public std::exception {
 public:
  Refusal(Code code, std::string expected, std::string got) : code(code), expected(std::move(expected)), got(std::move(got)) {}

  const char* what() const noexcept override { return got.c_str(); }
  /** One line: {"error","message","expected","got"}. */
  std::string json() const;
  int exitCode() const { return static_cast<int>(code); }

  Code code;
  std::string expected;
  std::string got;
};

/** "what: reason" of an errno. */
std::string describeErrno(const std::string& what, int error);

}  // namespace reelvault::luksblock
