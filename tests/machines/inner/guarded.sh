#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The first process of a Linux that the boot guard has started in a guest of vmm.c. The guest's serial port can only send and
# has no interrupt, so only the kernel's early console can use it. This script prints by kernel messages of level alert,
# which that console shows.
b=/bin/busybox
$b mkdir -p /proc /sys
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
exec 3>/dev/kmsg
echo "<1>=== cmdline $($b cat /proc/cmdline)" >&3
echo "<1>$(/fsgscheck | $b head -n 1)" >&3
echo "<1>=== over" >&3
echo b >/proc/sysrq-trigger
