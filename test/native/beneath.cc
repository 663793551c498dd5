#include "core/beneath.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace reelvault;

namespace {

struct Place {
  std::filesystem::path top;
  UniqueFd fd;

  Place() {
    char name[] = "/tmp/beneath-XXXXXX";
    top = mkdtemp(name);
    std::filesystem::create_directories(top / "inside/dir");
    std::filesystem::create_directories(top / "outside");
    std::filesystem::create_directory_symlink("../outside", top / "inside/link");
    std::ofstream(top / "outside/file") << "secret";
    std::ofstream(top / "inside/dir/file") << "own";
    fd.reset(open((top / "inside").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Place() { std::filesystem::remove_all(top); }
  Beneath base() const { return {fd.get()}; }
};

}  // namespace

TEST_CASE("what is inside opens, with close-on-exec") {
  const Place place;
  const UniqueFd file = openBeneath(place.base(), "dir/file", O_RDONLY, 0);
  CHECK(file);
  CHECK((fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("what leads outside is refused by the kernel") {
  const Place place;
  const std::string absolute = (place.top / "outside/file").string();
  for (const auto& [path, error] : {std::pair<std::string, int>{"../outside/file", EXDEV}, {"dir/../../outside/file", EXDEV},
                                    {absolute, EXDEV}, {"link/file", ELOOP}, {std::string("dir\0x", 5), EINVAL}}) {
    CAPTURE(path);
    errno = 0;
    CHECK(!openBeneath(place.base(), path, O_RDONLY, 0));
    CHECK(errno == error);
    struct stat info;
    CHECK(statBeneath(place.base(), path, &info) == -1);
    CHECK(unlinkBeneath(place.base(), path, false) == -1);
    CHECK(mkdirBeneath(place.base(), path + "/x", 0700) == -1);
    CHECK(renameBeneath(place.base(), "dir/file", path + "/x", false) == -1);
  }
  CHECK(std::filesystem::exists(place.top / "outside/file"));
}

TEST_CASE("mkdir makes parents, rename moves, list tells") {
  const Place place;
  CHECK(mkdirBeneath(place.base(), "a/b/c", 0700) == 0);
  CHECK(renameBeneath(place.base(), "dir/file", "a/b/c/file", true) == 0);
  CHECK(renameBeneath(place.base(), "a/b/c", "dir", true) == -1);
  CHECK(errno == EEXIST);
  std::vector<Entry> entries;
  CHECK(listBeneath(place.base(), ".", &entries) == 0);
  const auto link = std::find_if(entries.begin(), entries.end(), [](const Entry& entry) { return entry.name == "link"; });
  CHECK((link != entries.end() && S_ISLNK(link->type)));
  CHECK(entries.size() == 3);
  CHECK(unlinkBeneath(place.base(), "a/b/c/file", false) == 0);
  CHECK(unlinkBeneath(place.base(), "a/b/c", true) == 0);
}
