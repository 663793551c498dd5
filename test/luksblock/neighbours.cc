/**
 * Writers of neighbouring bytes lose nothing. Argument: a file of at least 1 MiB. The kernel lets synchronous writers of a
 * FUSE file in one at a time, so the race of asynchronous ones (a loop device) is made here, on the plane itself.
 */
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "luksblock/plane.h"

using namespace reelvault::luksblock;

namespace {

constexpr unsigned kLanes = 8;  // writers a sector
constexpr size_t kSector = 4096, kLane = kSector / kLanes, kSectors = 16;
constexpr int kRounds = 200;

// Each round writes this lane of every sector, then reads it back at once.
bool writeLane(Plane& plane, Worker& worker, unsigned lane) {
  for (int round = 0; round < kRounds; round += 1) {
    for (size_t sector = 0; sector < kSectors; sector += 1) {
      const std::vector<uint8_t> bytes(kLane, static_cast<uint8_t>(round * kLanes + lane));
      const uint64_t offset = sector * kSector + lane * kLane;
      std::span<const uint8_t> back;
      if (plane.write(worker, offset, bytes) != 0 || plane.read(worker, offset, kLane, back) != 0) return false;
      if (std::memcmp(back.data(), bytes.data(), kLane) == 0) continue;
      std::printf("lane %u of sector %zu lost round %d\n", lane, sector, round);
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Container container(argv[1], false);
  Secret key(64);
  key.resize(64);
  for (size_t at = 0; at < key.size(); at += 1) key.data()[at] = static_cast<uint8_t>(at);
  Layout layout;
  layout.size = container.size();
  layout.sectorSize = kSector;
  Plane plane(container, layout);

  bool whole[kLanes] = {};
  std::vector<std::thread> threads;
  for (unsigned lane = 0; lane < kLanes; lane += 1)
    threads.emplace_back([&, lane] {
      Worker worker(layout, key, plane.mode().unit);
      whole[lane] = writeLane(plane, worker, lane);
    });
  for (std::thread& thread : threads) thread.join();
  for (const bool lane : whole)
    if (!lane) return 1;
  return 0;
}
