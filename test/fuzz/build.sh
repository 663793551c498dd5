#!/bin/sh
# Builds the fuzz targets (clang's libFuzzer, with AddressSanitizer and UndefinedBehaviorSanitizer). What did not change is not built again.
# usage: build.sh BUILD_DIRECTORY [seeds]
set -eu
build=$1
wanted="all ${2:-}"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
mkdir -p "$build"
core="$(ls native/core/*.cc native/ingest/*.cc native/ts/*.cc) native/writer/file_ops.cc native/writer/index.cc native/writer/recovery.cc native/writer/rescan.cc
  native/writer/segmenter.cc native/writer/timeline.cc"
targets='segmenter index recovery chunked'
object() { printf '%s.o' "$(echo "$1" | tr '/' '-')"; }
{
  printf 'core :='
  for source in $core; do printf ' %s' "$(object "$source")"; done
  printf '\nall: %s\n' "$targets"
  for target in $targets; do
    printf '%s: %s $(core)\n\tclang++ -fsanitize=fuzzer,address,undefined -o $@ $^\n' "$target" "$(object "test/fuzz/$target.cc")"
  done
  printf 'seeds: %s $(core)\n\tclang++ -fsanitize=address,undefined -o $@ $^\n' "$(object test/fuzz/seeds.cc)"
  for source in $core $(printf 'test/fuzz/%s.cc ' $targets seeds); do
    printf '%s: %s\n\tclang++ -std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined' "$(object "$source")" "$PWD/$source"
    printf ' -fno-sanitize-recover=all -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I%s/native -MMD -c $< -o $@\n' "$PWD"
  done
  printf -- '-include $(wildcard *.d)\n'
} > "$build/Makefile"
make -s -C "$build" -j"$(nproc)" $wanted
