#include "connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

reelvault::UniqueFd connectTcp(const std::string& hostAndPort) {
  const size_t colon = hostAndPort.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(hostAndPort.substr(colon + 1))));
  if (::inet_pton(AF_INET, hostAndPort.substr(0, colon).c_str(), &to.sin_addr) != 1) fail("the address " + hostAndPort);
  reelvault::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("connect to " + hostAndPort);
  const int on = 1;
  (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

reelvault::UniqueFd connectUnix(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
  reelvault::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("connect to " + path);
  return fd;
}

SSL_CTX* context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* fresh = ::SSL_CTX_new(::TLS_client_method());
    ::SSL_CTX_set_mode(fresh, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return fresh;
  }();
  return made;
}

// Half a second of a stream of 4 Mbit/s: as much as a recorder may fall behind before the load is held up and notices.
void keepLittle(const reelvault::UniqueFd& fd) {
  const int bytes = 128 * 1024;  // the kernel doubles it
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

}  // namespace

Connection::Connection(const std::string& address) {
  const size_t colon = address.find(':');
  const std::string kind = address.substr(0, colon);
  const std::string to = address.substr(colon + 1);
  fd_ = kind == "unix" ? connectUnix(to) : connectTcp(to);
  keepLittle(fd_);
  if (kind != "tls") return;
  tls_ = ::SSL_new(context());
  ::SSL_set_fd(tls_, fd_.get());
  if (::SSL_connect(tls_) != 1) throw std::runtime_error("the TLS handshake with " + to);
}

Connection::~Connection() {
  if (tls_ != nullptr) ::SSL_free(tls_);
}

void Connection::makeNonBlocking() { (void)::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK); }

ssize_t Connection::write(const char* data, size_t length) {
  if (tls_ != nullptr) {
    ::ERR_clear_error();
    return tookOfTls(::SSL_write(tls_, data, static_cast<int>(length)));
  }
  const ssize_t took = ::send(fd_.get(), data, length, MSG_NOSIGNAL);
  if (took >= 0) return took;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t Connection::read(char* into, size_t length) {
  if (tls_ != nullptr) {
    ::ERR_clear_error();
    return tookOfTls(::SSL_read(tls_, into, static_cast<int>(length)));
  }
  const ssize_t took = ::recv(fd_.get(), into, length, 0);
  if (took > 0) return took;
  return took < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

// One queue of errors serves all connections of a thread: what a broken one leaves in it would be told of this one, too.
ssize_t Connection::tookOfTls(int took) {
  if (took > 0) return took;
  const int error = ::SSL_get_error(tls_, took);
  return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}
