#include "luksblock/status.h"

#include <unistd.h>

#include <cstring>

#include "luksblock/json.h"

namespace reelvault::luksblock {
namespace {

void describe(JsonObject& line, const Layout& layout, uint64_t size) {
  line.set("pid", static_cast<int>(getpid()));
  line.set("uuid", layout.uuid);
  line.set("type", layout.type);
  line.set("cipher", layout.cipher);
  line.set("keyBits", static_cast<uint64_t>(layout.keyBits));
  line.set("sectorSize", static_cast<uint64_t>(layout.sectorSize));
  line.set("size", size);
  line.set("header", layout.header);
}

JsonObject requestsOf(const Counters& counters) {
  JsonObject requests;
  requests.set("reads", counters.reads.load());
  requests.set("readBytes", counters.readBytes.load());
  requests.set("writes", counters.writes.load());
  requests.set("writtenBytes", counters.writtenBytes.load());
  requests.set("syncs", counters.syncs.load());
  return requests;
}

JsonObject errorsOf(const Counters& counters) {
  JsonObject errors;
  errors.set("reads", counters.readErrors.load());
  errors.set("writes", counters.writeErrors.load());
  errors.set("syncs", counters.syncErrors.load());
  const int last = counters.lastError.load();
  errors.set("last", last == 0 ? "" : strerrorname_np(last));
  return errors;
}

JsonObject refusalsOf(const StatusFacts& facts) {
  const IoMode& mode = facts.mode;
  const Hardening& hardening = facts.hardening;
  JsonObject refused;
  if (!mode.direct) refused.set("directIo", mode.reason);
  if (!hardening.ioFlusherRefused.empty()) refused.set("ioFlusher", hardening.ioFlusherRefused);
  if (!hardening.memoryLockRefused.empty()) refused.set("memoryLocked", hardening.memoryLockRefused);
  if (!hardening.oomScoreRefused.empty()) refused.set("oomScore", hardening.oomScoreRefused);
  if (!facts.growRefused.empty()) refused.set("grow", facts.growRefused);
  return refused;
}

}  // namespace

std::string readyLine(const Layout& layout) {
  JsonObject line;
  line.set("ready", true);
  describe(line, layout, layout.size);
  return line.text();
}

std::string statusLine(const StatusFacts& facts) {
  const auto& [layout, size, readOnly, mode, hardening, counters, growRefused] = facts;
  JsonObject line;
  describe(line, layout, size);
  line.set("readOnly", readOnly);
  line.set("directIo", mode.direct);
  line.set("unit", static_cast<uint64_t>(mode.unit));
  line.set("writeLog", mode.logged);
  line.set("threads", static_cast<uint64_t>(counters.threads.load()));
  line.set("ioFlusher", hardening.ioFlusherRefused.empty() && counters.threadsWithoutFlusher.load() == 0);
  line.set("memoryLocked", hardening.memoryLockRefused.empty());
  line.set("dumpable", hardening.dumpable);
  line.set("refused", refusalsOf(facts));
  line.set("requests", requestsOf(counters));
  line.set("errors", errorsOf(counters));
  return line.text() + "\n";
}

}  // namespace reelvault::luksblock
