/* SPDX-License-Identifier: MIT */
/* Opening DRM devices: the part of IGT's interface that our tests use. */
#ifndef DRMTEST_H
#define DRMTEST_H

#include <stdbool.h>

#define DRIVER_ANY 0xffffffffu

/**
 * drm_open_driver_render() - open the first render node.
 * @chipset: DRIVER_ANY; IGT has no flag for nouveau.
 *
 * Return: a file descriptor; skips the test when there is no render node.
 */
int drm_open_driver_render(int chipset);

/** drm_close_driver() - close what drm_open_driver_render() returned. */
int drm_close_driver(int fd);

/** is_nouveau_device() - true when @fd is driven by nouveau. */
bool is_nouveau_device(int fd);

/** igt_require_nouveau() - skip unless @fd is driven by nouveau. */
void igt_require_nouveau(int fd);

#endif
