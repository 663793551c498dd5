#!/bin/sh
# Builds the native core with its unit tests under a sanitizer, and runs them.
# usage: sanitize.sh address,undefined|thread BUILD_DIRECTORY [doctest arguments]
set -eu
sanitizer=$1
build=$2
shift 2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
mkdir -p "$build"
# One object at a time so that the two cores share the work and a second run builds nothing that did not change.
{
  printf 'objects :='
  for source in native/core/*.cc native/ingest/*.cc native/playlist/*.cc native/ts/*.cc native/writer/*.cc test/native/*.cc; do
    printf ' %s.o' "$(echo "$source" | tr '/' '-')"
  done
  printf '\ntests: $(objects)\n\tg++ -fsanitize=%s -o $@ $^ -luring -lpthread\n' "$sanitizer"
  for source in native/core/*.cc native/ingest/*.cc native/playlist/*.cc native/ts/*.cc native/writer/*.cc test/native/*.cc; do
    printf '%s.o: %s\n\tg++ -std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=%s -fno-sanitize-recover=all' \
      "$(echo "$source" | tr '/' '-')" "$PWD/$source" "$sanitizer"
    printf ' -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I%s/native -MMD -c $< -o $@\n' "$PWD"
  done
  printf -- '-include $(objects:.o=.d)\n'
} > "$build/Makefile"
make -s -C "$build" -j"$(nproc)" tests
exec "$build/tests" --no-colors "$@"
