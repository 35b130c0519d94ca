/* SPDX-License-Identifier: MIT */
#include "privilege.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CAP_SYS_PTRACE 19 /* <linux/capability.h> */

bool privilege_is_kept(void)
{
	static const char key[] = "CapEff:";
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, key, sizeof key - 1) == 0)
			effective = strtoull(line + sizeof key - 1, NULL, 16);
	if (file)
		fclose(file);
	return effective >> CAP_SYS_PTRACE & 1;
}

bool privilege_is_gained(const char *path)
{
	struct stat file;
	struct statvfs system;
	char capabilities[64];

	if (stat(path, &file) != 0 || !S_ISREG(file.st_mode) || access(path, X_OK) != 0)
		return false;
	if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOSUID))
		return false;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return ((file.st_mode & S_ISUID) && file.st_uid != geteuid()) ||
	       ((file.st_mode & S_ISGID) && (file.st_mode & S_IXGRP) && file.st_gid != getegid()) ||
	       getxattr(path, "security.capability", capabilities, sizeof capabilities) > 0;
}
