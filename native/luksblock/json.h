#pragma once
#include <json-c/json.h>

#include <cstdint>
#include <memory>
#include <string>

namespace reelvault::luksblock {

struct JsonRelease {
  void operator()(json_object* object) const { json_object_put(object); }
};
using Json = std::unique_ptr<json_object, JsonRelease>;

/** An object to be printed on one line. */
class JsonObject {
 public:
  JsonObject() : object(json_object_new_object()) {}

  void set(const char* key, const std::string& value) {
    json_object_object_add(object.get(), key, json_object_new_string_len(value.data(), static_cast<int>(value.size())));
  }
  void set(const char* key, const char* value) { set(key, std::string(value)); }
  void set(const char* key, bool value) { json_object_object_add(object.get(), key, json_object_new_boolean(value)); }
  void set(const char* key, uint64_t value) { json_object_object_add(object.get(), key, json_object_new_uint64(value)); }
  void set(const char* key, int value) { json_object_object_add(object.get(), key, json_object_new_int(value)); }
  void set(const char* key, JsonObject value) { json_object_object_add(object.get(), key, value.object.release()); }

  std::string text() const {
    return json_object_to_json_string_ext(object.get(), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
  }

 private:
  Json object;
};

/** Member `key` of an object, or nullptr where `object` is none or has no such member. Borrowed from `object`. */
inline json_object* member(json_object* object, const char* key) {
  json_object* found = nullptr;
  if (object == nullptr || !json_object_is_type(object, json_type_object)) return nullptr;
  return json_object_object_get_ex(object, key, &found) ? found : nullptr;
}

/** The text of member `key`, or "" where it is absent. */
inline std::string textOf(json_object* object, const char* key) {
  json_object* found = member(object, key);
  return found == nullptr ? std::string() : std::string(json_object_get_string(found));
}

}  // namespace reelvault::luksblock
