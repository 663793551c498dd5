#!/bin/sh
# Runs the CLI with the project's own Node, from wherever it is called, also through a symbolic link.
set -eu
self=$(readlink -f -- "$0")
root=$(CDPATH='' cd -- "$(dirname -- "$self")/../.." && pwd)
if [ ! -x "$root/node_modules/.bin/node" ]; then
  echo "reelvault: run 'npm run bootstrap' in $root first" >&2
  exit 1
fi
exec "$root/node_modules/.bin/node" "$root/src/cli/main.ts" "$@"
