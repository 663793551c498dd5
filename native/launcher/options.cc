#include "launcher/options.h"

#include <getopt.h>

#include <cstdlib>

#include "launcher/report.h"

namespace reelvault::launcher {
namespace {

std::string absolute(const char* path, const char* option) {
  if (path[0] != '/') fail(option, "an absolute path", path);
  return path;
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  static const option known[] = {
      {"user", required_argument, nullptr, 'u'},          {"chdir", required_argument, nullptr, 'c'},
      {"ro", required_argument, nullptr, 'r'},            {"rw", required_argument, nullptr, 'w'},
      {"detach-mounts", required_argument, nullptr, 'd'}, {"parent-death-signal", required_argument, nullptr, 'p'},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int flag; (flag = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {
    switch (flag) {
      case 'u': options.user = optarg; break;
      case 'c': options.workingDirectory = absolute(optarg, "--chdir"); break;
      case 'r': options.readOnly.push_back(absolute(optarg, "--ro")); break;
      case 'w': options.readWrite.push_back(absolute(optarg, "--rw")); break;
      case 'd': options.detachMounts.push_back(absolute(optarg, "--detach-mounts")); break;
      case 'p':
        options.parentDeathSignal = std::atoi(optarg);
        if (options.parentDeathSignal < 1 || options.parentDeathSignal > 64) fail("--parent-death-signal", "a signal number from 1 to 64", optarg);
        break;
      default: fail("the command line", "--user NAME [--chdir|--ro|--rw|--detach-mounts PATH]... [--parent-death-signal N] -- COMMAND ARG...", "another option");
    }
  }
  if (options.user.empty()) fail("--user", "the name of an account", "nothing");
  if (optind >= argc) fail("the command", "a program after --", "nothing");
  options.command.assign(argv + optind, argv + argc);
  options.command.push_back(nullptr);
  return options;
}

}  // namespace reelvault::launcher
