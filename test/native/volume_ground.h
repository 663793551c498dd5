#pragma once
// A volume in a temporary directory, and a sink that keeps what a writer reports.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/crc32c.h"
#include "writer/recovery.h"
#include "writer/writer.h"

constexpr int64_t kTestHour = 1'795'269'600'000'000;  // 2026-11-21T14:00:00Z
inline const std::string kTestReel = "dvr/cam/2026/11/21/14.ts";

struct TemporaryVolume {
  std::string path;
  reelvault::UniqueFd fd;

  explicit TemporaryVolume(const char* base = nullptr) {
    const char* temporary = std::getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr ? base : temporary != nullptr ? temporary : "/tmp") + "/rv-native-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
    fd.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(fd);
  }
  ~TemporaryVolume() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryVolume(const TemporaryVolume&) = delete;
  TemporaryVolume& operator=(const TemporaryVolume&) = delete;

  std::string read(const std::string& name) const {
    std::ifstream file(path + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& name, const std::string& contents) const {
    std::filesystem::create_directories(std::filesystem::path(path + "/" + name).parent_path());
    std::ofstream(path + "/" + name, std::ios::binary | std::ios::trunc) << contents;
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path + "/" + name); }
  reelvault::ReelIndex index(const std::string& reel = kTestReel) const { return reelvault::readIndex(read(reelvault::indexPathOf(reel)), read(reel).size()); }
  /// Every record's sum is that of its bytes.
  void checkSums(const std::string& reel = kTestReel) const {
    const std::string bytes = read(reel);
    for (const auto& record : index(reel).records) CHECK(reelvault::crc32c(0, bytes.data() + record.offset, record.length) == record.crc32c);
  }
};

class KeepingSink final : public reelvault::EventSink {
 public:
  void report(std::vector<reelvault::Event> events) override {
    const std::lock_guard lock(mutex_);
    for (auto& event : events) events_.push_back(std::move(event));
    news_.notify_all();
  }
  /// Waits until `count` events of the kind have come.
  void await(reelvault::EventKind kind, size_t count = 1) {
    std::unique_lock lock(mutex_);
    CHECK(news_.wait_for(lock, std::chrono::seconds(60), [&] { return countOf(kind) >= count; }));
  }
  /// Waits until so many segments are acknowledged, or an error has come.
  void awaitAcknowledged(size_t count) {
    std::unique_lock lock(mutex_);
    CHECK(news_.wait_for(lock, std::chrono::seconds(60), [&] {
      size_t records = 0;
      for (const auto& event : events_) records += event.kind == reelvault::EventKind::durable ? event.records.size() : 0;
      return records >= count || countOf(reelvault::EventKind::error) > 0;
    }));
  }
  std::vector<reelvault::Event> all(reelvault::EventKind kind) {
    const std::lock_guard lock(mutex_);
    std::vector<reelvault::Event> found;
    for (const auto& event : events_)
      if (event.kind == kind) found.push_back(event);
    return found;
  }
  std::vector<reelvault::IndexRecord> durable() {
    std::vector<reelvault::IndexRecord> records;
    for (const auto& event : all(reelvault::EventKind::durable)) records.insert(records.end(), event.records.begin(), event.records.end());
    return records;
  }

 private:
  size_t countOf(reelvault::EventKind kind) const {
    size_t count = 0;
    for (const auto& event : events_) count += event.kind == kind ? 1 : 0;
    return count;
  }
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<reelvault::Event> events_;
};
