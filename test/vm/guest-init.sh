#!/bin/busybox sh
# First process of the test machine: modules, the host's root read-only beneath a tmpfs, then the agent as process 1.
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
set -e
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
  # A CPU without an instruction set refuses its accelerated module; the generic one serves.
  insmod "/modules/$module" || echo "init: $module was not loaded"
done < /modules/order

mount -t virtiofs -o ro hostroot /lower
mount -t tmpfs -o mode=755 tmpfs /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /root
mkdir -p /root/proc /root/sys /root/dev /root/run /root/exchange /root/scratch
mount -t tmpfs -o mode=755 tmpfs /root/run
cp /agent /root/run/agent
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/dev/disk
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
  ln -sf "${link#*:}" "/root/dev/${link%%:*}"
done
# Disks go by the serial number that the host gave them.
for disk in /root/sys/block/vd*; do
  [ -e "$disk/serial" ] || continue
  ln -s "/dev/${disk##*/}" "/root/dev/disk/$(cat "$disk/serial")"
done
mount -t virtiofs exchange /root/exchange
ifconfig lo 127.0.0.1 up
hostname vm
exec switch_root /root /bin/sh /run/agent
