#pragma once
#include <mutex>
#include <string>

#include "luksblock/container.h"
#include "luksblock/plane.h"

namespace reelvault::luksblock {

/** How the plane learns that its container became longer while it is served. Thread-safe. It never makes a payload shorter. */
class Growth {
 public:
  Growth(const Container& container, const Layout& layout, Plane& plane);

  /**
   * Reads the container's length and extends the payload to it. 0 when the payload now reaches the container's end (also if it
   * did before), else an errno with `refusal`; then the payload is as it was.
   */
  int grow();
  /** Why the payload cannot grow, or did not at the last try; "" otherwise. */
  std::string refusal();

 private:
  int refuse(int error, std::string reason);

  const Container& container;
  const Layout& layout;
  Plane& plane;
  std::mutex mutex;
  std::string reason;
};

}  // namespace reelvault::luksblock
