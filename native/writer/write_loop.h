#pragma once
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "writer/io_backend.h"
#include "writer/stream.h"

namespace reelvault {

/// The thread that writes into one volume: hashes the bytes of streams with evidence, hands writes to a backend of its own, gives slabs back. What waits for the
/// disk of one volume thus stands before nobody else's.
class WriteLoop {
 public:
  WriteLoop(Shared& shared, std::unique_ptr<IoBackend> backend);
  ~WriteLoop();

  /// Puts a stream in the queue. Call with Shared::mutex held; then wake() without it.
  void enqueue(const std::shared_ptr<Stream>& stream);
  void wake();
  /// Ends the thread when the writes under way are done; what is queued stays unwritten.
  void stop();

 private:
  void run();
  void start();
  void hash(WriteOperation& operation);
  void complete(WriteOperation& operation, std::vector<Event>& events);
  bool resume(WriteOperation& operation);
  void retire(Stream& stream);

  Shared& shared_;
  std::unique_ptr<IoBackend> backend_;
  std::atomic<bool> awake_{false};
  std::atomic<bool> stop_{false};
  std::deque<std::shared_ptr<Stream>> ready_;  ///< to be looked at; guarded by Shared::mutex
  std::vector<std::unique_ptr<WriteOperation>> operations_;
  std::vector<WriteOperation*> idle_;
  std::vector<WriteRequest*> done_;
  std::thread thread_;
};

/// The fill above which a caller of append should wait for `drain`: an eighth of the staging memory, 512 KiB to 8 MiB.
size_t highMarkOf(size_t stagingBytes);
/// Adds `drain` for each waiting stream that may go on. Call with Shared::mutex held.
void drainBlocked(Shared& shared, std::vector<Event>& events);
/// Marks the stream as failed and adds the event; the first failure counts. Call with Shared::mutex held.
void failStream(Shared& shared, Stream& stream, Failure failure, std::vector<Event>& events);

}  // namespace reelvault
