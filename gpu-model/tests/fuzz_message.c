// SPDX-License-Identifier: MIT
/*
 * Fuzz target: vfio-user messages.  The input is a stream of messages: a byte
 * of length, a byte that says whether descriptors come with it, the bytes.
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci/vfio_user.h"

static struct gpu *gpu;
static struct vfu *vfu;
static int memory, event;

static void init(void)
{
	gpu = fuzz_gpu();
	memory = memfd_create("guest", MFD_CLOEXEC);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vfu_new(gpu, &vfu) || ftruncate(memory, 1 << 20))
		abort();
}

static void send_one(const uint8_t *p, size_t len, unsigned int how)
{
	int fds[VFU_MAX_FDS], nr = 0;
	const uint8_t *reply;
	uint8_t msg[VFU_HEADER + 256] = { 0 };
	size_t n;
	uint32_t size, flags;

	/* Exactly the length that is there, so that ASan sees a read past it. */
	if (how & 1)
		fds[nr++] = dup(memory);
	if (how & 2)
		fds[nr++] = dup(event);
	memcpy(msg, p, len);
	size = (uint32_t)len;
	/* Most messages get past the header's checks. */
	if (!(how & 4) && len >= VFU_HEADER) {
		memcpy(msg + 4, &size, 4);
		msg[2] &= 15;
		msg[3] = 0;
		msg[8] &= 0x10;
	}
	uint8_t *exact = malloc(len ? len : 1);

	memcpy(exact, msg, len);
	n = vfu_message(vfu, exact, len, fds, nr, &reply);
	if (n) {
		memcpy(&size, reply + 4, 4);
		memcpy(&flags, reply + 8, 4);
		if (size != n || n > VFU_MAX_MESSAGE || (flags & 15) != 1)
			abort();
	}
	free(exact);
	for (int i = 0; i < nr; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t hello[] = { 1, 0, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	if (!gpu)
		init();
	vfu_connected(vfu);
	send_one(hello, sizeof(hello), 0);
	while (size >= 2) {
		size_t len = data[0];
		unsigned int how = data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		send_one(data, len, how);
		data += len;
		size -= len;
	}
	fuzz_steps(gpu, 20);
	vfu_disconnected(vfu);
	return 0;
}
