#include "luksblock/growth.h"

#include <cerrno>

#include "luksblock/layout.h"
#include "luksblock/refusal.h"

namespace reelvault::luksblock {

Growth::Growth(const Container& container, const Layout& layout, Plane& plane)
    : container(container), layout(layout), plane(plane) {
  if (layout.fixedSize) reason = "the header gives the payload a fixed size of " + std::to_string(layout.size) + " bytes";
}

int Growth::refuse(int error, std::string why) {
  reason = std::move(why);
  return error;
}

int Growth::grow() {
  const std::lock_guard lock(mutex);
  if (layout.fixedSize) return EOPNOTSUPP;
  uint64_t length = 0;
  if (const int error = container.currentSize(length)) return refuse(error, describeErrno("fstat", error));
  const uint64_t room = usableSize(length), size = room < layout.offset ? 0 : room - layout.offset;
  if (size < plane.size())
    return refuse(EINVAL, "the container has " + std::to_string(length) + " bytes, less than is served of it");
  // What is served stays in whole units: the way of reading and writing was chosen at the start.
  if (size % plane.mode().unit != 0)
    return refuse(EINVAL, "a payload of " + std::to_string(size) + " bytes is not whole units of " + std::to_string(plane.mode().unit));
  plane.extend(size);
  reason.clear();
  return 0;
}

std::string Growth::refusal() {
  const std::lock_guard lock(mutex);
  return reason;
}

}  // namespace reelvault::luksblock
