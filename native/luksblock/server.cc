#include "luksblock/server.h"

#include <pthread.h>
#include <sys/mount.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <memory>
#include <thread>

#include "luksblock/fuse_operations.h"
#include "luksblock/refusal.h"
#include "luksblock/request_loop.h"

namespace reelvault::luksblock {
namespace {

struct SessionRelease {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};

/** The session's mount, for a scope. */
class Mounted {
 public:
  Mounted(fuse_session* session, const std::string& mountPoint) : session(session) {
    if (fuse_session_mount(session, mountPoint.c_str()) != 0)
      throw Refusal(Code::mount, "a directory to mount on", mountPoint + ": refused");
  }
  ~Mounted() { fuse_session_unmount(session); }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

 private:
  fuse_session* session;
};

/** Unmounts after the first stop signal, again and again while the mount is busy. Lives only while the session is served. */
class StopSignals {
 public:
  explicit StopSignals(const std::string& mountPoint) : mountPoint(mountPoint) {
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    // Blocked here, before libfuse makes its threads, so that only `watch` ever sees them.
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread = std::thread([this] { watch(); });
  }
  ~StopSignals() {
    done = true;
    pthread_kill(thread.native_handle(), SIGTERM);
    thread.join();
  }

 private:
  void watch() {
    int signal = 0;
    sigwait(&set, &signal);
    const timespec pause{0, 100'000'000};
    while (!done && umount2(mountPoint.c_str(), UMOUNT_NOFOLLOW) != 0) sigtimedwait(&set, nullptr, &pause);
  }

  const std::string mountPoint;
  std::atomic<bool> done{false};
  sigset_t set;
  std::thread thread;
};

std::unique_ptr<fuse_session, SessionRelease> makeSession(Service& service) {
  const std::string name = "fsname=luksblock:" + service.layout.uuid + ",subtype=luksblock";
  const std::string access = service.readOnly ? "default_permissions,nosuid,nodev,noexec,ro" : "default_permissions,nosuid,nodev,noexec";
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  for (const char* argument : {"luksblock", "-o", name.c_str(), "-o", access.c_str()}) fuse_opt_add_arg(&arguments, argument);
  std::unique_ptr<fuse_session, SessionRelease> session(
      fuse_session_new(&arguments, &operations(), sizeof(fuse_lowlevel_ops), &service));
  fuse_opt_free_args(&arguments);
  if (!session) throw Refusal(Code::mount, "a FUSE session", "libfuse made none");
  return session;
}

}  // namespace

void serve(Service& service, const std::string& mountPoint, const std::function<void()>& ready) {
  const auto session = makeSession(service);
  const Mounted mounted(session.get(), mountPoint);
  const StopSignals signals(mountPoint);
  ready();
  serveRequests(session.get(), service);
}

}  // namespace reelvault::luksblock
