#pragma once
#include <string>

namespace reelvault::luksblock {

/** What the machine granted; a refusal is an errno name with the call, or "". */
struct Hardening {
  std::string ioFlusherRefused;
  std::string memoryLockRefused;
  std::string oomScoreRefused;
  bool dumpable = true;
};

/** Before any secret is read: no core dumps, no ptrace by the same user; SIGPIPE ignored. */
void hardenEarly(Hardening& state);
/** Before the first thread is made, which inherits it: the flag that keeps memory reclaim from waiting for our own I/O. */
void becomeIoFlusher(Hardening& state);
/** After the key derivation (its memory is given back by then): all memory, now and later, stays in RAM. */
void lockMemory(Hardening& state);
/** Whether the calling thread has the I/O flusher flag; sets it where a thread does not. */
bool assertIoFlusher();

}  // namespace reelvault::luksblock
