// Writes the inputs that fuzzing starts from: the kinds of streams there are, small, and indexes that fit them.
// usage: seeds DIRECTORY (with a folder for each target)
#include <fstream>
#include <iterator>
#include <string>

#include "../native/ts_builder.h"
#include "core/crc32c.h"
#include "writer/segmenter.h"
#include "writer/index.h"

using namespace reelvault;
using Bytes = std::vector<uint8_t>;

namespace {

void write(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary) << std::string(bytes.begin(), bytes.end());
}

void add(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// A header, and the records of the stream's own segments.
Bytes indexOf(const Bytes& reel, uint32_t segmentMs) {
  Segmenter segmenter(segmentMs, 0);
  (void)segmenter.feed(reel.data(), reel.size(), kUnknownTime);
  (void)segmenter.end();
  Bytes index;
  const auto append = [&index](const IndexBytes& slot) { index.insert(index.end(), slot.begin(), slot.end()); };
  append(encodeHeader({.flags = 0, .hourUs = 0}));
  uint32_t sequence = 0;
  for (const Segment& segment : segmenter.finished())
    append(encodeRecord({.offset = segment.begin,
                         .length = static_cast<uint32_t>(segment.end - segment.begin),
                         .flags = segment.flags,
                         .startUs = segment.startUs,
                         .firstPts = segment.firstPts,
                         .duration = segment.duration,
                         .crc32c = crc32c(0, reel.data() + segment.begin, segment.end - segment.begin),
                         .sequence = sequence++}));
  return index;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::string out = arguments[1];
  using Ts = TsBuilder;
  Ts plain, hevc, mpeg2, sound, scrambled, cues, programs, jumps, twice, noisy, open;
  plain.pat().pmt().key(0, 1).frame(18000, 1).audio(18000).pat().pmt().key(90000, 1).frame(108000, 1).pat().pmt().key(180000, 1);
  hevc.pat().pmt({{0x24, Ts::kVideo}}).unit(Ts::kVideo, 0, {0, 0, 1, 0x40, 1, 0, 0, 1, 19 << 1}).unit(Ts::kVideo, 9000, {0, 0, 1, 2}, 2).unit(Ts::kVideo, 90000, {0, 0, 1, 21 << 1});
  mpeg2.pat().pmt({{0x02, Ts::kVideo}}).unit(Ts::kVideo, 0, {0, 0, 1, 0xb3, 1, 0, 0, 1, 0, 0, 8}).unit(Ts::kVideo, 3600, {0, 0, 1, 0, 0, 0x10});
  sound.pat().pmt({{0x06, 0x90, {0x05, 4, 'O', 'p', 'u', 's'}}, {0x0f, Ts::kAudio}}).pes(0x90, 0).audio(0).audio(2000).pes(0x90, 95000);
  scrambled.pat().pmt().clock(0).key(0, 1).clock(90000).frame(90000, 1).clock(180000).key(180000, 1).scramble(Ts::kVideo);
  cues.pat().pmt({{0x86, 0x1f0}, {0x0f, Ts::kAudio}}).sections(0x1f0, {{0xfc, 0x30, 0, 0, 0, 0}}).audio(0).null().audio(90000);
  programs.programs({{7, 0x1000}, {8, 0x1000}}, 0, 1).programs({{9, 0x1001}}, 1, 1);
  programs.sections(0x1000, {Ts::mapOf({{0x1b, Ts::kVideo}}, 0, 7), Ts::mapOf({{0x1b, 0x200}}, 0, 8)}).key(0, 1).pes(0x200, 5, 1, true).key(90000, 1);
  jumps.pat().pmt().clock(900000).key(900000, 1).clock(100).key(0, 1).clock(5000, true).frame(-1800, 1).pat().pmt({{0x24, 0x200}}, 1).pes(0x200, 9000, 1, true);
  twice.pat().again().pmt().again().key(0, 1).again().again().frame(9000, 2).lose().key(90000, 1);
  noisy.noise(50).pat().pmt().key(0, 2).noise(200).pat().pmt().key(90000, 1).frame(99000, 1).null().raw(70, 0x47);
  open.pat().pmt().unit(Ts::kVideo, 0, {0, 0, 1, 0x67, 1, 0, 0, 1, 0x41, 0x88}).frame(9000, 1).unit(Ts::kVideo, 90000, {0, 0, 1, 0x67, 1, 0, 0, 1, 0x41, 0xb0});
  const std::pair<const char*, const Ts*> kinds[] = {{"plain", &plain}, {"hevc", &hevc}, {"mpeg2", &mpeg2}, {"sound", &sound}, {"scrambled", &scrambled}, {"cues", &cues},
                                                     {"programs", &programs}, {"jumps", &jumps}, {"twice", &twice}, {"noisy", &noisy}, {"open", &open}};
  for (const auto& [name, ts] : kinds) {
    for (const size_t size : {188, 192, 204}) {
      if (size != 188 && ts == &noisy) continue;
      const Bytes reel = ts->framed(size);
      // As it is, and with sync bytes and CRCs repaired after each mutation; short segments; with and without a wall clock.
      const auto repaired = static_cast<uint8_t>(size == 188 ? 4 : size == 192 ? 5 : 6);
      for (const uint8_t how : {uint8_t{3}, repaired, static_cast<uint8_t>(repaired | 8)}) {
        Bytes input{how, 5, 9, 9};
        add(input, reel);
        write(out + "/segmenter/" + name + "-" + std::to_string(size) + "-" + std::to_string(how), input);
      }
      const Bytes index = indexOf(reel, 500);
      const auto slots = static_cast<uint8_t>(index.size() / kIndexRecordBytes);
      for (const uint8_t kept : {uint8_t{0}, static_cast<uint8_t>(slots > 1 ? slots - 1 : slots), slots}) {
        Bytes input{static_cast<uint8_t>(repaired | 16 | (kept == 0 ? 32 : 0)), kept};
        input.insert(input.end(), index.begin(), index.begin() + kept * static_cast<ptrdiff_t>(kIndexRecordBytes));
        add(input, reel);
        write(out + "/recovery/" + name + "-" + std::to_string(size) + "-" + std::to_string(kept), input);
      }
      if (size != 188) continue;
      Bytes input{1};
      for (size_t i = 0; i < 8; i++) input.push_back(static_cast<uint8_t>(reel.size() >> (8 * i)));
      add(input, index);
      write(out + "/index/" + name, input);
    }
  }
  for (const std::string text : {"4\r\nWiki\r\n0\r\n\r\n", "1;a=b\r\nx\r\n00A\r\n0123456789\r\n0\r\nx: y\r\n\r\nGET", "1\r\na\nb"}) {
    Bytes input{6};
    input.insert(input.end(), text.begin(), text.end());
    write(out + "/chunked/" + std::to_string(text.size()), input);
  }
  return 0;
}
