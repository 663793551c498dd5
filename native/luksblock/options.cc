#include "luksblock/options.h"

#include <getopt.h>

#include <charconv>
#include <cstring>

#include "luksblock/refusal.h"

namespace reelvault::luksblock {
namespace {

const char* const kUsage =
    "luksblock --container FILE [--container-fd N] --mount DIR --key-fd N [--key-slot N] [--read-only] [--foreground] "
    "[--write-log FILE]";

int number(const char* name, const char* text, int max) {
  int value = -1;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc() || rest != end || value < 0 || value > max)
    throw Refusal(Code::usage, std::string("a number from 0 to ") + std::to_string(max) + " for " + name, text);
  return value;
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  enum { container = 1, containerFd, mountPoint, keyFd, keySlot, readOnly, foreground, writeLog };
  static const option known[] = {
      {"container", required_argument, nullptr, container}, {"container-fd", required_argument, nullptr, containerFd},
      {"mount", required_argument, nullptr, mountPoint},    {"key-fd", required_argument, nullptr, keyFd},
      {"key-slot", required_argument, nullptr, keySlot},    {"read-only", no_argument, nullptr, readOnly},
      {"foreground", no_argument, nullptr, foreground},     {"write-log", required_argument, nullptr, writeLog},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  opterr = 0;
  for (int choice; (choice = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {
    switch (choice) {
      case container: options.container = optarg; break;
      case containerFd: options.containerFd = number("--container-fd", optarg, 1 << 20); break;
      case mountPoint: options.mount = optarg; break;
      case keyFd: options.keyFd = number("--key-fd", optarg, 1 << 20); break;
      case keySlot: options.keySlot = number("--key-slot", optarg, 31); break;
      case readOnly: options.readOnly = true; break;
      case foreground: options.foreground = true; break;
      case writeLog: options.writeLog = optarg; break;
      default: throw Refusal(Code::usage, kUsage, argv[optind - 1]);
    }
  }
  if (optind != argc) throw Refusal(Code::usage, kUsage, argv[optind]);
  if (options.container.empty()) throw Refusal(Code::usage, kUsage, "no --container");
  if (options.mount.empty()) throw Refusal(Code::usage, kUsage, "no --mount");
  if (options.keyFd < 0) throw Refusal(Code::usage, kUsage, "no --key-fd");
  return options;
}

}  // namespace reelvault::luksblock
