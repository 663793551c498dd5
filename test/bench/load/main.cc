// A load of live streams from one process: each a chunked HTTP PUT of the same clip, paced. They begin one after the other within kSpreadMs.
// usage: publish-load CLIP CHUNK_BYTES BITS_PER_SECOND SECONDS < TARGETS; a line of TARGETS: METHOD ADDRESS PATH (Connection says which addresses)
// Prints `{"began":true}` when all are connected, and one JSON object at the end.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "publisher.h"

namespace {

constexpr double kTickMs = 2;
constexpr double kSpreadMs = 4000;
constexpr double kAnswerMs = 30'000;  ///< how long answers are waited for

double nowMs() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void untilNextTick() { std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(kTickMs)); }

std::vector<std::unique_ptr<Publisher>> connectAll(const std::string& clip, size_t chunkBytes) {
  std::vector<std::unique_ptr<Publisher>> publishers;
  std::string method, address, target;
  while (std::cin >> method >> address >> target) publishers.push_back(std::make_unique<Publisher>(address, method + " " + target, clip, chunkBytes));
  if (publishers.empty()) throw std::runtime_error("no targets on standard input");
  return publishers;
}

template <typename Step>
void untilAll(std::vector<std::unique_ptr<Publisher>>& publishers, double deadline, Step step) {
  std::vector<Publisher*> left;
  for (const auto& publisher : publishers) left.push_back(publisher.get());
  while (!left.empty() && nowMs() < deadline) {
    std::erase_if(left, step);
    untilNextTick();
  }
}

double cpuSeconds() {
  rusage used{};
  (void)::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void report(const std::vector<std::unique_ptr<Publisher>>& publishers) {
  uint64_t sent = 0, dropped = 0;
  size_t broken = 0, succeeded = 0;
  double latest = 0;
  std::string failure;
  for (const auto& publisher : publishers) {
    sent += publisher->sentBytes();
    dropped += publisher->dropped();
    broken += publisher->broken() ? 1 : 0;
    succeeded += publisher->succeeded() ? 1 : 0;
    latest = std::max(latest, publisher->latestMs());
    if (!publisher->succeeded() && failure.empty()) failure = publisher->answer().substr(0, 300);
  }
  std::erase_if(failure, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; });
  std::printf("{\"streams\":%zu,\"sentBytes\":%llu,\"dropped\":%llu,\"broken\":%zu,\"succeeded\":%zu,\"latestMs\":%.1f,\"cpuSeconds\":%.2f,\"failure\":\"%s\"}\n",
              publishers.size(), static_cast<unsigned long long>(sent), static_cast<unsigned long long>(dropped), broken, succeeded, latest, cpuSeconds(),
              failure.c_str());
}

void run(const std::string& file, size_t chunkBytes, double bitsPerSecond, double seconds) {
  std::ifstream stream(file, std::ios::binary);
  const std::string clip{std::istreambuf_iterator<char>(stream), {}};
  if (clip.size() < chunkBytes) throw std::runtime_error("read " + file);
  auto publishers = connectAll(clip, chunkBytes);
  const double everyMs = static_cast<double>(chunkBytes) * 8000 / bitsPerSecond;
  const double begin = nowMs();
  for (size_t i = 0; i < publishers.size(); i++) {
    const double shift = static_cast<double>(i) * kSpreadMs / static_cast<double>(publishers.size());
    publishers[i]->begin({.beginMs = begin + shift, .everyMs = everyMs, .chunks = static_cast<uint64_t>(seconds * 1000 / everyMs)});
  }
  std::printf("{\"began\":true}\n");
  (void)std::fflush(stdout);
  untilAll(publishers, begin + kSpreadMs + seconds * 1000 + kAnswerMs, [](Publisher* one) { return one->send(nowMs()); });
  untilAll(publishers, nowMs() + kAnswerMs, [](Publisher* one) { return one->receive(); });
  report(publishers);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: publish-load CLIP CHUNK_BYTES BITS_PER_SECOND SECONDS < TARGETS\n");
    return 2;
  }
  (void)std::signal(SIGPIPE, SIG_IGN);  // a recorder that closes is told in the report; OpenSSL writes without MSG_NOSIGNAL
  try {
    run(argv[1], std::stoul(argv[2]), std::stod(argv[3]), std::stod(argv[4]));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "publish-load: expected %s to succeed\n", error.what());
    return 1;
  }
}
