#pragma once
#include <napi.h>

#include "writer/index.h"

namespace reelvault {

/// {offset, length, flags, startUs, firstPts, duration, crc32c, sequence, sha256: Buffer | null}
Napi::Object toJs(Napi::Env env, const IndexRecord& record);

}  // namespace reelvault
