#include <fcntl.h>

#include <cerrno>

#include "addon/register.h"
#include "addon/system_error.h"
#include "core/beneath.h"

namespace reelvault {
namespace {

// Every function begins with (dirFd: number, crossMounts: boolean).
Beneath baseOf(const Napi::CallbackInfo& info) {
  return {info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Boolean>().Value()};
}

std::string stringAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::String>().Utf8Value(); }

mode_t modeAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

Napi::Value fail(Napi::Env env, const char* syscall, const std::string& path) {
  systemError(env, errno, syscall, path).ThrowAsJavaScriptException();
  return env.Undefined();
}

const char* typeName(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    default: return "other";
  }
}

// openBeneath(dirFd, crossMounts, path, flags, mode): number
Napi::Value Open(const Napi::CallbackInfo& info) {
  const std::string path = stringAt(info, 2);
  UniqueFd fd = openBeneath(baseOf(info), path, info[3].As<Napi::Number>().Int32Value(), modeAt(info, 4));
  if (!fd) return fail(info.Env(), "openat2", path);
  return Napi::Number::New(info.Env(), fd.release());
}

// mkdirBeneath(dirFd, crossMounts, path, mode)
Napi::Value Mkdir(const Napi::CallbackInfo& info) {
  const std::string path = stringAt(info, 2);
  if (mkdirBeneath(baseOf(info), path, modeAt(info, 3)) != 0) return fail(info.Env(), "mkdirat", path);
  return info.Env().Undefined();
}

// unlinkBeneath(dirFd, crossMounts, path, isDirectory)
Napi::Value Unlink(const Napi::CallbackInfo& info) {
  const std::string path = stringAt(info, 2);
  if (unlinkBeneath(baseOf(info), path, info[3].As<Napi::Boolean>().Value()) != 0) return fail(info.Env(), "unlinkat", path);
  return info.Env().Undefined();
}

// renameBeneath(dirFd, crossMounts, from, to, noReplace)
Napi::Value Rename(const Napi::CallbackInfo& info) {
  const std::string from = stringAt(info, 2);
  if (renameBeneath(baseOf(info), from, stringAt(info, 3), info[4].As<Napi::Boolean>().Value()) != 0) {
    return fail(info.Env(), "renameat2", from);
  }
  return info.Env().Undefined();
}

// statBeneath(dirFd, crossMounts, path): {type, size, allocated, mode, uid, gid, dev, ino, links, mtimeMs}
Napi::Value Stat(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = stringAt(info, 2);
  struct stat found;
  if (statBeneath(baseOf(info), path, &found) != 0) return fail(env, "openat2", path);
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) { result.Set(name, Napi::Number::New(env, value)); };
  result.Set("type", Napi::String::New(env, typeName(found.st_mode)));
  set("size", static_cast<double>(found.st_size));
  set("allocated", static_cast<double>(found.st_blocks) * 512);
  set("mode", found.st_mode & 07777);
  set("uid", found.st_uid);
  set("gid", found.st_gid);
  set("dev", static_cast<double>(found.st_dev));
  set("ino", static_cast<double>(found.st_ino));
  set("links", static_cast<double>(found.st_nlink));
  set("mtimeMs", static_cast<double>(found.st_mtim.tv_sec) * 1e3 + static_cast<double>(found.st_mtim.tv_nsec) / 1e6);
  return result;
}

// listBeneath(dirFd, crossMounts, path): {name, type}[]
Napi::Value List(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = stringAt(info, 2);
  std::vector<Entry> entries;
  if (listBeneath(baseOf(info), path, &entries) != 0) return fail(env, "getdents64", path);
  Napi::Array result = Napi::Array::New(env, entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", Napi::String::New(env, entries[i].name));
    entry.Set("type", Napi::String::New(env, typeName(entries[i].type)));
    result.Set(static_cast<uint32_t>(i), entry);
  }
  return result;
}

}  // namespace

void registerJail(Napi::Env env, Napi::Object exports) {
  exports.Set("openBeneath", Napi::Function::New(env, Open, "openBeneath"));
  exports.Set("mkdirBeneath", Napi::Function::New(env, Mkdir, "mkdirBeneath"));
  exports.Set("unlinkBeneath", Napi::Function::New(env, Unlink, "unlinkBeneath"));
  exports.Set("renameBeneath", Napi::Function::New(env, Rename, "renameBeneath"));
  exports.Set("statBeneath", Napi::Function::New(env, Stat, "statBeneath"));
  exports.Set("listBeneath", Napi::Function::New(env, List, "listBeneath"));
}

}  // namespace reelvault
