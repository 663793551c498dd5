// A file layer for SQLite ("reelvault") that takes names as they are. SQLite's own one follows every link in a name and goes on with the
// path it arrives at: /proc/self/fd/N/file becomes the path of the volume in the mount namespace it was mounted in, which in the daemon
// is another directory or none. Loaded by `loadExtension` (src/native/database.ts); https://sqlite.org/vfs.html.
#include <sqlite3ext.h>

#include <cstring>

#include "addon/database.h"

SQLITE_EXTENSION_INIT1

namespace {

int fullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  const size_t length = std::strlen(name) + 1;
  if (length > static_cast<size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length);
  return SQLITE_OK;
}

int registerFiles() {
  const sqlite3_vfs* unixFiles = sqlite3_vfs_find("unix");
  if (unixFiles == nullptr) return SQLITE_ERROR;
  static sqlite3_vfs files = *unixFiles;
  files.pNext = nullptr;
  files.zName = "reelvault";
  files.xFullPathname = fullPathname;
  return sqlite3_vfs_register(&files, 0);
}

}  // namespace

// The name follows from the file's: reelvault.node. Each thread of the process loads it, and each connection that wants the functions; the layer is
// the process's, and is made once.
extern "C" __attribute__((visibility("default"))) int sqlite3_reelvault_init(sqlite3* db, char**, const sqlite3_api_routines* api) {
  static const int registered = [api] {
    SQLITE_EXTENSION_INIT2(api);
    return registerFiles();
  }();
  const int code = registered == SQLITE_OK ? reelvault::addRecordedTime(db) : registered;
  return code == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : code;
}
