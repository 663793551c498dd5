#!/bin/sh
# Makes a checkout runnable: Debian packages, npm packages, native code. Idempotent; does nothing slow when nothing is missing.
# usage: bootstrap.sh run|test|bench
set -eu
purpose=${1:-run}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
cd "$root"

case $purpose in
  run) wanted='run' ;;
  test) wanted='run|test' ;;
  bench) wanted='run|test|bench' ;;
  *) echo "bootstrap: expected run, test or bench, got '$purpose'" >&2; exit 2 ;;
esac

packages=$(awk -v want="^($wanted)\$" '!/^#/ && NF && $2 ~ want { print $1 }' "$here/packages.txt")
installed=$(dpkg-query -W -f='${Status} ${Package}\n' $packages 2>/dev/null | awk '$1=="install" && $3=="installed" { print $4 }' || true)
missing=''
for package in $packages; do
  case "
$installed
" in *"
$package
"*) ;; *) missing="$missing $package" ;; esac
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "bootstrap: these Debian packages are missing; as root run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "bootstrap: installing$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -o DPkg::Lock::Timeout=300 update >&2
  # Services of installed packages stay off: this is a tool's dependency list, not a server set-up.
  apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing >&2
fi

stamp=node_modules/.bootstrap-stamp
wanted_stamp=$(cksum package-lock.json package.json)
if [ ! -f $stamp ] || [ "$(cat $stamp)" != "$wanted_stamp" ]; then
  echo "bootstrap: npm ci" >&2
  npm ci --ignore-scripts --no-fund --no-audit --loglevel=error >&2
  # Debian's npm 9 installs the packaged Node but leaves out its link in .bin, where npm's scripts look for it.
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
  if [ ! -x "node_modules/node-linux-$arch/bin/node" ]; then
    echo "bootstrap: expected the packaged Node of package.json, got none for $arch" >&2
    exit 1
  fi
  ln -sf "../node-linux-$arch/bin/node" node_modules/.bin/node
  printf '%s' "$wanted_stamp" > $stamp
fi
PATH="$root/node_modules/.bin:$PATH"
export PATH

node_home=$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v node)")")")
sources=$(cksum binding.gyp; find native test/native test/bench -name '*.cc' | sort)
if [ ! -f build/Makefile ] || [ "$(cat build/.sources 2>/dev/null)" != "$sources" ]; then
  echo "bootstrap: configuring native code" >&2
  node-gyp configure --nodedir="$node_home" --loglevel=error >&2
  printf '%s' "$sources" > build/.sources
fi
[ "$purpose" = run ] && targets='reelvault luksblock launcher unmount-copy lease-mount' || targets=all
make -s -C build -j"$(nproc)" BUILDTYPE=Release $targets >&2
