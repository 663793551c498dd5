{
  # Sources are listed by folder, so that a new file needs no edit here; the bootstrap configures anew when the list changes.
  "target_defaults": {
    "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-restrict", "-fvisibility=hidden"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags": ["-O2", "-g"],
    "include_dirs": ["native"],
    "defines": ["_GNU_SOURCE", "_FILE_OFFSET_BITS=64"]
  },
  "targets": [
    {
      "target_name": "core",
      "type": "static_library",
      "sources": ["<!@(find native/core native/ingest native/playlist native/ts native/writer -name '*.cc')"],
      "cflags": ["-fPIC"]
    },
    {
      "target_name": "reelvault",
      "dependencies": ["core"],
      "sources": ["<!@(ls native/addon/*.cc)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "libraries": ["-luring"],
      "ldflags": ["-Wl,--exclude-libs,ALL"]
    },
    {
      "target_name": "luksblock",
      "type": "executable",
      "sources": ["<!@(ls native/luksblock/*.cc)"],
      "cflags": ["<!@(pkg-config --cflags fuse3 libcryptsetup libcrypto json-c)"],
      "cflags_cc": ["-fexceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "libraries": ["<!@(pkg-config --libs fuse3 libcryptsetup libcrypto json-c)", "-luring", "-lpthread"]
    },
    {
      "target_name": "launcher",
      "type": "executable",
      "sources": ["<!@(ls native/launcher/*.cc)"]
    },
    {
      "target_name": "unmount-copy",
      "type": "executable",
      "sources": ["<!@(find native/unmount_copy -name '*.cc')"]
    },
    {
      "target_name": "lease-mount",
      "type": "executable",
      "sources": ["<!@(ls native/lease_mount/*.cc)"]
    },
    {
      "target_name": "native_tests",
      "type": "executable",
      "dependencies": ["core"],
      "sources": ["<!@(ls test/native/*.cc)"],
      "cflags_cc": ["-fexceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "libraries": ["-luring", "-lpthread"]
    },
    {
      "target_name": "publish-load",
      "type": "executable",
      "sources": ["<!@(ls test/bench/load/*.cc)"],
      "cflags_cc": ["-fexceptions"],
      "cflags_cc!": ["-fno-exceptions"],
      "libraries": ["-lssl", "-lcrypto"]
    }
  ]
}
