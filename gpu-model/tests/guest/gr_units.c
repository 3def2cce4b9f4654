// SPDX-License-Identifier: MIT
/*
 * gr_units first|none: what GETPARAM_GRAPH_UNITS says before anybody used the graphics engine, and where there is
 * none (no firmware).  Prints result lines of Documentation/testing.rst.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nouveau_chan.h"

#define GETPARAM_GRAPH_UNITS 13

int main(int argc, char **argv)
{
	bool none = argc > 1 && !strcmp(argv[1], "none");
	uint64_t before = 0, after = 0;
	struct nv_chan chan;
	struct nv_dev dev;
	int ret;

	if (nv_dev_open(&dev, NULL)) {
		puts("FAIL gr-units/open: no render node of nouveau");
		return 1;
	}
	ret = nv_getparam(&dev, GETPARAM_GRAPH_UNITS, &before);
	if (none) {
		printf(ret == -ENODEV ? "PASS gr-units/none\n" : "FAIL gr-units/none: %d\n", ret);
		return ret != -ENODEV;
	}
	if (!ret)
		ret = nv_chan_new(&dev, NV_ENGINE_GR, &chan);
	if (!ret)
		ret = nv_getparam(&dev, GETPARAM_GRAPH_UNITS, &after);
	if (ret || !before || before != after) {
		printf("FAIL gr-units/first: %d, %#llx, with the engine in use %#llx\n", ret,
		       (unsigned long long)before, (unsigned long long)after);
		return 1;
	}
	printf("PASS gr-units/first\n");
	return 0;
}
