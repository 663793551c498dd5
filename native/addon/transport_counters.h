#pragma once
#include <napi.h>

#include "ts/parser.h"

namespace reelvault {

inline Napi::Object countersToJs(Napi::Env env, const ts::Counters& counters) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("packets", static_cast<double>(counters.packets));
  object.Set("nullPackets", static_cast<double>(counters.nullPackets));
  object.Set("continuityErrors", static_cast<double>(counters.continuityErrors));
  object.Set("transportErrors", static_cast<double>(counters.transportErrors));
  object.Set("syncLosses", static_cast<double>(counters.syncLosses));
  object.Set("garbageBytes", static_cast<double>(counters.garbageBytes));
  object.Set("duplicatePackets", static_cast<double>(counters.duplicatePackets));
  object.Set("scrambledPackets", static_cast<double>(counters.scrambledPackets));
  object.Set("discontinuities", static_cast<double>(counters.discontinuities));
  object.Set("clockJumps", static_cast<double>(counters.clockJumps));
  object.Set("tableChanges", static_cast<double>(counters.tableChanges));
  object.Set("packetBytes", static_cast<double>(counters.packetBytes));
  return object;
}

}  // namespace reelvault
