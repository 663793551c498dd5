# Process 1 of the test machine. Serves commands that come over the virtio port: a channel of its own, so nothing the
# kernel prints can be taken for an answer. Request, one line: ID SECONDS BASE64(command).
# Answer, one line: ID EXITCODE =BASE64(stdout) =BASE64(stderr).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# No udev runs here: libdevmapper makes its device nodes itself.
export HOME=/root TMPDIR=/scratch LC_ALL=C DM_DISABLE_UDEV=1
umask 022
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = commands ] && device=/dev/${port##*/}
done
exec 3<>"$device" 2>/dev/console
mkdir /run/commands
mount -t ext4 "$(readlink /dev/disk/scratch)" /scratch
cd /
echo 'ready 0 = =' >&3
while read -r id seconds command <&3; do
  echo "$command" | base64 -d > /run/commands/script
  # In a session of its own, as everything that a service starts: in this one, process 1 would be the parent of each orphan of the command, and
  # when such a one ends while another process of the command is stopped (SIGSTOP), the kernel sends all of it SIGHUP.
  setsid -w timeout -k 5 "$seconds" sh /run/commands/script </dev/null >/run/commands/stdout 2>/run/commands/stderr 3>&-
  code=$?
  echo "$id $code =$(base64 -w0 /run/commands/stdout) =$(base64 -w0 /run/commands/stderr)" >&3
done
# A process 1 that ends is a kernel panic; the host has gone, so is the machine.
echo o > /proc/sysrq-trigger
sleep 60
