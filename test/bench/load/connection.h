#pragma once
#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstddef>
#include <string>

#include "core/unique_fd.h"

/// A connection to a recorder: TCP, TLS over it, or a unix socket. Throws std::runtime_error where it cannot be made.
class Connection {
 public:
  /// `address`: tcp:HOST:PORT, tls:HOST:PORT (no certificate is checked: the load is no test of that) or unix:PATH.
  explicit Connection(const std::string& address);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_.get(); }
  /// Bytes taken; 0 when it would block, -1 when the connection is broken.
  ssize_t write(const char* data, size_t length);
  /// Bytes read; 0 when nothing is there, -1 at the end.
  ssize_t read(char* into, size_t length);
  /// After the handshake: nothing waits any more.
  void makeNonBlocking();

 private:
  ssize_t tookOfTls(int took);

  reelvault::UniqueFd fd_;
  SSL* tls_ = nullptr;
};
