// SPDX-License-Identifier: MIT
/* Opening DRM devices; drmtest.h has the interface. */
#include <drm.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drmtest.h"
#include "igt_core.h"

#define FIRST_RENDER_MINOR 128
#define NR_RENDER_MINORS 64

int drm_open_driver_render(int chipset)
{
	char path[64];
	int i, fd;

	(void)chipset;
	for (i = 0; i < NR_RENDER_MINORS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", FIRST_RENDER_MINOR + i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	igt_skip("No render node found\n");
}

int drm_close_driver(int fd)
{
	return close(fd);
}

bool is_nouveau_device(int fd)
{
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	if (igt_ioctl(fd, DRM_IOCTL_VERSION, &version))
		return false;
	return !strcmp(name, "nouveau");
}

void igt_require_nouveau(int fd)
{
	igt_require(is_nouveau_device(fd));
}
