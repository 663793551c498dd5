#pragma once
#include <string>

namespace reelvault::luksblock {

/** The command line; see docs/luksblock.md. */
struct Options {
  std::string container;
  int containerFd = -1;  // -1: the container is opened at its path
  std::string mount;
  std::string writeLog;  // empty: none
  int keyFd = -1;
  int keySlot = -1;  // -1: any
  bool readOnly = false;
  bool foreground = false;
};

/** Throws Refusal(usage). */
Options parseOptions(int argc, char** argv);

}  // namespace reelvault::luksblock
