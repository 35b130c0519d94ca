#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The first process of a machine that runs other machines or sandboxes. It loads the modules of /modules.list, runs /job, and
# ends the machine. First it copies the initial file system into a tmpfs and continues there, because a sandbox changes its
# root directory, which is not possible in the initial file system.
b=/bin/busybox
if [ ! -e /moved ]; then
	$b mkdir -p /proc /sys /new
	$b mount -t tmpfs -o size=80% none /new
	$b mkdir -p /new/dev /new/proc /new/sys /new/tmp /new/run
	for f in /*; do
		case $f in /dev | /proc | /sys | /new | /root) ;; *) $b cp -a "$f" /new/ ;; esac
	done
	: >/new/moved
	exec $b switch_root /new /init
fi
$b --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $(cat /modules.list); do
	insmod "/$module" || echo "cannot load $module"
done
. /job
echo "=== end"
stty sane # waits until a slow serial port has sent everything
reboot -f
