// The index decoder: any bytes give records in order, inside the reel, whose fields can be reckoned with; what was encoded is decoded again.
#include "writer/index.h"

#include <string>

#include "shape.h"
#include "writer/recovery.h"

using namespace reelvault;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  fuzz::Input input(data, length);
  const bool seal = (input.number(1) & 1) != 0;
  const uint64_t reelBytes = input.number(8);
  std::vector<uint8_t> bytes = input.rest();
  if (seal) fuzz::sealIndex(bytes);
  const std::string contents(bytes.begin(), bytes.end());
  const ReelIndex index = readIndex(contents, reelBytes);
  uint64_t end = 0;
  for (const IndexRecord& record : index.records) {
    fuzz::must(record.offset >= end && record.end() > record.offset && record.end() <= reelBytes, "records lie in the reel, one behind the other");
    end = record.end();
    fuzz::must(record.endUs() >= record.startUs, "a segment ends after its start");
    const auto again = decodeRecord(encodeRecord(record).data());
    fuzz::must(again && *again == record, "a record comes back as it was");
  }
  fuzz::must(index.records.size() <= contents.size() / kIndexRecordBytes, "no record from nothing");
  if (index.headerHolds) {
    const auto again = decodeHeader(encodeHeader(index.header).data());
    fuzz::must(again && again->flags == index.header.flags && again->hourUs == index.header.hourUs && again->uuid == index.header.uuid, "a header comes back as it was");
    fuzz::must(hourOf(index.header.hourUs) <= index.header.hourUs, "an hour starts before it ends");
  }
  return 0;
}
