#pragma once
#include <chrono>

namespace reelvault::luksblock {

/** How long it is looked. */
constexpr std::chrono::microseconds kLook{100};
/** Waits below this are short: without the sleep and the wake-up of the other threads on the way they may end within a look. */
constexpr std::chrono::microseconds kShortWait{200};

/**
 * Whether to look again and again for a moment before going to sleep: only where the last wait was short, as the kernel's haltpoll
 * decides for idle processors, and not for a while where somebody else wants this processor. So a process that is idle, or waits for
 * long, polls once and never again. For one thread.
 */
template <typename Clock = std::chrono::steady_clock>
class ShortPoll {
 public:
  /** Looks with `found` for at most kLook. False where it did not look or found nothing: then it is time to sleep. */
  template <typename Found>
  bool look(Found found) {
    begun = Clock::now();
    if (resting != 0) resting -= 1;
    if (resting != 0 || !wasShort) return false;
    for (auto last = begun; last - begun < kLook;) {
      if (found()) return true;
      pause();
      const auto now = Clock::now();
      if (now - last > kTurn) {
        resting = kRest;
        return false;
      }
      last = now;
    }
    return false;
  }

  /** The wait that began with `look` is over. */
  void over() { wasShort = Clock::now() - begun < kShortWait; }

 private:
  /** Between two looks: less may be an interrupt, or a thread of the kernel that is on the way of our own requests. */
  static constexpr std::chrono::microseconds kTurn{500};
  /** Waits that sleep at once after that. */
  static constexpr unsigned kRest = 64;

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  typename Clock::time_point begun;
  bool wasShort = false;
  unsigned resting = 0;
};

}  // namespace reelvault::luksblock
