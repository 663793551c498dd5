#include "core/unix_call.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

using namespace reelvault;
using namespace std::chrono_literals;

namespace {

// A server for one connection.
class Server {
 public:
  explicit Server(std::function<void(int)> serve) {
    char name[] = "/tmp/unix-call-XXXXXX";
    directory_ = mkdtemp(name);
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    CHECK(bind(listener_.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
    CHECK(listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      serve(connection.get());
    });
  }
  ~Server() {
    thread_.join();
    std::filesystem::remove_all(directory_);
  }
  std::string path() const { return directory_ + "/s"; }

 private:
  std::string directory_;
  UniqueFd listener_;
  std::thread thread_;
};

std::vector<uint8_t> bytes(const char* text) { return {text, text + strlen(text)}; }

}  // namespace

TEST_CASE("the reply and its descriptor arrive") {
  Server server([](int fd) {
    char request[4];
    CHECK(recv(fd, request, sizeof request, MSG_WAITALL) == 4);
    const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::vector<uint8_t> reply = bytes("pong");
    CHECK(sendWithFd(fd, reply.data(), reply.size(), null.get(), 5s) == 0);
  });
  const UnixReply reply = callUnixSocket(server.path(), bytes("ping"), 100, 5s);
  CHECK(reply.error == 0);
  CHECK(reply.bytes == bytes("pong"));
  CHECK(reply.fd);
  CHECK((fcntl(reply.fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a reply that is too long is refused, and its descriptor closed") {
  Server server([](int fd) {
    const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::vector<uint8_t> reply(1000);
    sendWithFd(fd, reply.data(), reply.size(), null.get(), 5s);
  });
  const UnixReply reply = callUnixSocket(server.path(), bytes("ping"), 100, 5s);
  CHECK(reply.error == EMSGSIZE);
  CHECK(!reply.fd);
}

TEST_CASE("no server, and one that says nothing") {
  CHECK(callUnixSocket("/tmp/no-such-socket", bytes("x"), 100, 1s).error == ENOENT);
  CHECK(callUnixSocket(std::string(200, 'x'), bytes("x"), 100, 1s).error == ENAMETOOLONG);
  Server server([](int fd) {
    char until[2];
    recv(fd, until, sizeof until, MSG_WAITALL);
  });
  CHECK(callUnixSocket(server.path(), bytes("x"), 100, 100ms).error == ETIMEDOUT);
}
