#pragma once
#include <string>
#include <vector>

namespace reelvault::launcher {

struct Options {
  std::string user;
  std::string workingDirectory = "/";
  std::vector<std::string> readOnly;      // read and execute beneath these
  std::vector<std::string> readWrite;     // everything beneath these
  std::vector<std::string> detachMounts;  // mounts beneath these are not taken into the new namespace
  int parentDeathSignal = 0;
  std::vector<char*> command;  // ends with nullptr, as execve wants it
};

/// Reads the command line (see docs/decisions/020-launcher.md); ends the process with a usage message where it is wrong.
Options parseOptions(int argc, char** argv);

}  // namespace reelvault::launcher
