// SPDX-License-Identifier: MIT
/*
 * Owns the vfio-user protocol: its messages and its socket.
 *
 * Source: "vfio-user Protocol Specification" (QEMU docs/interop/vfio-user.rst,
 * version 0.0), linux/vfio.h for the values of flags; what QEMU 11.1 sends was
 * observed.
 *
 * Locks: vfu->m, a leaf, guards the descriptors that vfu_stop() shuts down.
 * A message takes gpu->lock through pci_host_*().
 */
#include "pci/vfio_user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ledger/trace.h"
#include "pci/pci.h"

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DEVICE_RESET = 13,
};

enum {
	VFU_TYPE_MASK = 0xf, VFU_TYPE_COMMAND = 0, VFU_TYPE_REPLY = 1,
	VFU_NO_REPLY = 0x10,
	VFU_ERROR = 0x20,

	VFU_DMA_READ = 1, VFU_DMA_WRITE = 2,
	VFU_UNMAP_DIRTY = 1, VFU_UNMAP_ALL = 2,

	VFIO_DEVICE_RESET = 1, VFIO_DEVICE_PCI = 2,
	VFIO_REGION_READ = 1, VFIO_REGION_WRITE = 2,

	VFIO_IRQ_EVENTFD = 1, VFIO_IRQ_MASKABLE = 2, VFIO_IRQ_AUTOMASKED = 4, VFIO_IRQ_NORESIZE = 8,

	SET_DATA_NONE = 1, SET_DATA_BOOL = 2, SET_DATA_EVENTFD = 4, SET_DATA_MASK = 7,
	SET_MASK = 0x08, SET_UNMASK = 0x10, SET_TRIGGER = 0x20, SET_ACTION_MASK = 0x38,
};

struct vfu_header {
	uint16_t id, command;
	uint32_t size, flags, error;
};

struct vfu {
	struct gpu *gpu;
	bool negotiated;
	uint8_t *reply;		/* VFU_MAX_MESSAGE bytes */

	pthread_mutex_t m;
	int listen_fd, conn_fd;
	bool stop;

	/* stream reassembly */
	uint8_t *buf;
	size_t have;
	int fds[VFU_MAX_FDS];
	int nr_fds;
	size_t fds_at;		/* offset in buf of the message that they came with */
};

static uint32_t rd32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t rd64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void wr32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void wr64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

int vfu_new(struct gpu *gpu, struct vfu **out)
{
	struct vfu *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->gpu = gpu;
	v->listen_fd = v->conn_fd = -1;
	pthread_mutex_init(&v->m, NULL);
	v->reply = malloc(VFU_MAX_MESSAGE);
	v->buf = malloc(VFU_MAX_MESSAGE);
	if (!v->reply || !v->buf) {
		vfu_del(&v);
		return -ENOMEM;
	}
	*out = v;
	return 0;
}

void vfu_del(struct vfu **pv)
{
	struct vfu *v = *pv;

	if (!v)
		return;
	free(v->reply);
	free(v->buf);
	free(v);
	*pv = NULL;
}

void vfu_connected(struct vfu *v)
{
	v->negotiated = false;
	pci_host_attach(v->gpu, true);
}

void vfu_disconnected(struct vfu *v)
{
	for (unsigned int i = 0; i < PCI_IRQ_NR; i++)
		pci_host_irq_set(v->gpu, i, -1);
	pci_host_reset(v->gpu);
	pci_host_dma_unmap_all(v->gpu);
	pci_host_attach(v->gpu, false);
}

/* --- commands: @p and @len are the payload; the answer's payload goes to @out.
 * Return: its size, or -errno. ------------------------------------------------------- */

static ssize_t cmd_version(struct vfu *v, const uint8_t *p, size_t len, uint8_t *out)
{
	/*
	 * No write_multiple, no twin socket, no migration: what isn't listed isn't offered.
	 */
	static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
				   "\"pgsizes\":4096,\"max_dma_maps\":65535}}";

	if (len < 4)
		return -EINVAL;
	if (p[0] || p[1])	/* major 0 is the only one */
		return -ENOTSUP;
	if (len > 4 && p[len - 1])	/* the JSON text is a C string */
		return -EINVAL;
	v->negotiated = true;
	memcpy(out, p, 4);
	memcpy(out + 4, caps, sizeof(caps));
	return 4 + (ssize_t)sizeof(caps);
}

static ssize_t cmd_dma_map(struct vfu *v, const uint8_t *p, size_t len, int *fds, int nr_fds)
{
	uint32_t flags;
	int ret;

	if (len < 32 || nr_fds > 1)
		return -EINVAL;
	flags = rd32(p + 4);
	if (flags & ~(uint32_t)(VFU_DMA_READ | VFU_DMA_WRITE))
		return -EINVAL;
	ret = pci_host_dma_map(v->gpu, rd64(p + 16), rd64(p + 24), nr_fds ? fds[0] : -1, rd64(p + 8),
			       flags & VFU_DMA_READ, flags & VFU_DMA_WRITE);
	if (ret)
		gpu_log(v->gpu, 1, "DMA map %llx+%llx: %s", (unsigned long long)rd64(p + 16),
			(unsigned long long)rd64(p + 24), strerror(-ret));
	return ret;
}

static ssize_t cmd_dma_unmap(struct vfu *v, const uint8_t *p, size_t len, uint8_t *out)
{
	uint32_t flags;
	int ret = 0;

	if (len < 24)
		return -EINVAL;
	flags = rd32(p + 4);
	if (flags & VFU_UNMAP_DIRTY)
		return -ENOTSUP;
	if (flags == VFU_UNMAP_ALL)
		pci_host_dma_unmap_all(v->gpu);
	else if (flags)
		return -EINVAL;
	else
		ret = pci_host_dma_unmap(v->gpu, rd64(p + 8), rd64(p + 16));
	if (ret) {
		gpu_log(v->gpu, 1, "DMA unmap %llx+%llx: %s", (unsigned long long)rd64(p + 8),
			(unsigned long long)rd64(p + 16), strerror(-ret));
		return ret;
	}
	memcpy(out, p, 24);
	return 24;
}

static ssize_t cmd_device_info(const uint8_t *p, size_t len, uint8_t *out)
{
	if (len < 4)
		return -EINVAL;
	wr32(out, 16);
	wr32(out + 4, VFIO_DEVICE_RESET | VFIO_DEVICE_PCI);
	wr32(out + 8, PCI_REGION_NR);
	wr32(out + 12, PCI_IRQ_NR);
	return 16;
}

static ssize_t cmd_region_info(const uint8_t *p, size_t len, uint8_t *out)
{
	uint32_t index;
	uint64_t size;

	if (len < 12)
		return -EINVAL;
	index = rd32(p + 8);
	if (index >= PCI_REGION_NR)
		return -EINVAL;
	size = pci_region_size(index);
	memset(out, 0, 32);
	wr32(out, 32);
	/* No region can be mapped: each access has its effect in the GPU. */
	wr32(out + 4, size ? VFIO_REGION_READ | VFIO_REGION_WRITE : 0);
	wr32(out + 8, index);
	wr64(out + 16, size);
	return 32;
}

static ssize_t cmd_irq_info(const uint8_t *p, size_t len, uint8_t *out)
{
	uint32_t index, flags = 0;

	if (len < 12)
		return -EINVAL;
	index = rd32(p + 8);
	if (index >= PCI_IRQ_NR)
		return -EINVAL;
	if (index == PCI_IRQ_INTX)
		flags = VFIO_IRQ_EVENTFD | VFIO_IRQ_MASKABLE | VFIO_IRQ_AUTOMASKED;
	else if (index == PCI_IRQ_MSI)
		flags = VFIO_IRQ_EVENTFD | VFIO_IRQ_NORESIZE;
	wr32(out, 16);
	wr32(out + 4, flags);
	wr32(out + 8, index);
	wr32(out + 12, flags ? 1 : 0);
	return 16;
}

static ssize_t cmd_set_irqs(struct vfu *v, const uint8_t *p, size_t len, int *fds, int nr_fds)
{
	uint32_t flags, index, start, count;
	bool fire = true;

	if (len < 20)
		return -EINVAL;
	flags = rd32(p + 4);
	index = rd32(p + 8);
	start = rd32(p + 12);
	count = rd32(p + 16);
	/* One vector each of INTx and MSI */
	if (index > PCI_IRQ_MSI || start || count > 1 || flags & ~(uint32_t)(SET_DATA_MASK | SET_ACTION_MASK))
		return -EINVAL;

	switch (flags & SET_DATA_MASK) {
	case SET_DATA_NONE:
		break;
	case SET_DATA_BOOL:
		if (len < 20 + count)
			return -EINVAL;
		fire = count && p[20];
		break;
	case SET_DATA_EVENTFD:
		/* An eventfd for unmasking would be KVM's business; the client falls back. */
		if ((flags & SET_ACTION_MASK) != SET_TRIGGER)
			return -ENOTSUP;
		if (nr_fds > (int)count)
			return -EINVAL;
		if (nr_fds) {
			pci_host_irq_set(v->gpu, index, fds[0]);
			fds[0] = -1;
		} else {
			pci_host_irq_set(v->gpu, index, -1);
		}
		return 0;
	default:
		return -EINVAL;
	}

	switch (flags & SET_ACTION_MASK) {
	case SET_TRIGGER:
		if (!count)
			pci_host_irq_set(v->gpu, index, -1);
		else if (fire)
			pci_host_irq_trigger(v->gpu, index);
		return 0;
	case SET_MASK:
	case SET_UNMASK:
		if (index != PCI_IRQ_INTX)
			return -EINVAL;
		if (count && fire)
			pci_host_irq_mask(v->gpu, index, flags & SET_MASK);
		return 0;
	}
	return -EINVAL;
}

static ssize_t cmd_region_read(struct vfu *v, const uint8_t *p, size_t len, uint8_t *out)
{
	uint32_t count;
	int ret;

	if (len < 16)
		return -EINVAL;
	count = rd32(p + 12);
	if (!count || count > VFU_MAX_DATA)
		return -EINVAL;
	ret = pci_host_read(v->gpu, rd32(p + 8), rd64(p), out + 16, count);
	if (ret)
		return ret;
	memcpy(out, p, 16);
	return 16 + (ssize_t)count;
}

static ssize_t cmd_region_write(struct vfu *v, const uint8_t *p, size_t len, uint8_t *out)
{
	uint32_t count;
	int ret;

	if (len < 16)
		return -EINVAL;
	count = rd32(p + 12);
	if (!count || count > len - 16)
		return -EINVAL;
	ret = pci_host_write(v->gpu, rd32(p + 8), rd64(p), p + 16, count);
	if (ret)
		return ret;
	memcpy(out, p, 16);
	return 16;
}

static ssize_t dispatch(struct vfu *v, unsigned int command, const uint8_t *p, size_t len, int *fds, int nr_fds,
			uint8_t *out)
{
	if (command == VFU_VERSION)
		return cmd_version(v, p, len, out);
	if (!v->negotiated)
		return -EINVAL;
	switch (command) {
	case VFU_DMA_MAP:
		return cmd_dma_map(v, p, len, fds, nr_fds);
	case VFU_DMA_UNMAP:
		return cmd_dma_unmap(v, p, len, out);
	case VFU_DEVICE_GET_INFO:
		return cmd_device_info(p, len, out);
	case VFU_DEVICE_GET_REGION_INFO:
		return cmd_region_info(p, len, out);
	case VFU_DEVICE_GET_IRQ_INFO:
		return cmd_irq_info(p, len, out);
	case VFU_DEVICE_SET_IRQS:
		return cmd_set_irqs(v, p, len, fds, nr_fds);
	case VFU_REGION_READ:
		return cmd_region_read(v, p, len, out);
	case VFU_REGION_WRITE:
		return cmd_region_write(v, p, len, out);
	case VFU_DEVICE_RESET:
		pci_host_reset(v->gpu);
		return 0;
	}
	return -ENOTSUP;
}

size_t vfu_message(struct vfu *v, const uint8_t *msg, size_t len, int *fds, int nr_fds, const uint8_t **reply)
{
	struct vfu_header h, *r = (struct vfu_header *)v->reply;
	ssize_t ret = -EINVAL;

	*reply = v->reply;
	if (len < VFU_HEADER)
		return 0;
	memcpy(&h, msg, sizeof(h));
	/* We send no commands, so that no reply is ours. */
	if ((h.flags & VFU_TYPE_MASK) == VFU_TYPE_REPLY)
		return 0;
	if ((h.flags & VFU_TYPE_MASK) == VFU_TYPE_COMMAND && h.size == len)
		ret = dispatch(v, h.command, msg + VFU_HEADER, len - VFU_HEADER, fds, nr_fds, v->reply + VFU_HEADER);
	if (ret < 0)
		gpu_log(v->gpu, 1, "vfio-user: command %u: %s", h.command, strerror((int)-ret));
	if (h.flags & VFU_NO_REPLY)
		return 0;
	r->id = h.id;
	r->command = h.command;
	r->flags = VFU_TYPE_REPLY | (ret < 0 ? VFU_ERROR : 0);
	r->error = ret < 0 ? (uint32_t)-ret : 0;
	r->size = VFU_HEADER + (ret > 0 ? (uint32_t)ret : 0);
	return r->size;
}

/* --- socket --------------------------------------------------------------------------- */

static void drop_fds(struct vfu *v)
{
	for (int i = 0; i < v->nr_fds; i++)
		if (v->fds[i] >= 0)
			close(v->fds[i]);
	v->nr_fds = 0;
}

static void take_fds(struct vfu *v, struct msghdr *mh)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		const uint8_t *data = CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, data + i * sizeof(int), sizeof(fd));
			if (v->nr_fds < VFU_MAX_FDS)
				v->fds[v->nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* Size of the message at the buffer's offset @at, 0: not known yet, 1: nonsense. */
static size_t message_size(const struct vfu *v, size_t at)
{
	uint32_t size;

	if (v->have - at < VFU_HEADER)
		return 0;
	size = rd32(v->buf + at + 4);
	return size < VFU_HEADER || size > VFU_MAX_MESSAGE ? 1 : size;
}

/*
 * Read some bytes.  Posted writes come in a row, so one system call takes what is
 * there.  The kernel ends a read after the data that descriptors came with: they
 * belong to the last message that begins in it.
 */
static bool fill(struct vfu *v, int fd)
{
	char control[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
	size_t room = VFU_MAX_MESSAGE - v->have, need = message_size(v, 0), before = v->have;
	struct iovec iov;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int had = v->nr_fds;
	ssize_t n;

	/* With descriptors of an unfinished message in hand, don't read on into the next one. */
	if (v->nr_fds)
		room = need ? need - v->have : VFU_HEADER - v->have;
	iov = (struct iovec){ v->buf + v->have, room < 65536 ? room : 65536 };
	mh.msg_control = control;
	mh.msg_controllen = sizeof(control);
	do {
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	v->have += (size_t)n;
	take_fds(v, &mh);
	if (v->nr_fds && !had) {
		size_t at = 0, size;

		v->fds_at = 0;
		for (;;) {
			size = message_size(v, at);
			if (size < VFU_HEADER || at + size >= v->have)
				break;
			at += size;
		}
		/* A message that began before this read owns them only if none begins in it. */
		v->fds_at = at >= before || at == 0 ? at : 0;
	}
	return true;
}

static bool send_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* Act on the whole messages in the buffer.  Return: false to hang up. */
static bool drain(struct vfu *v, int fd)
{
	size_t at = 0, size;

	while ((size = message_size(v, at))) {
		const uint8_t *reply;
		bool has_fds = v->nr_fds && v->fds_at == at;
		size_t len;

		if (size == 1) {
			gpu_log(v->gpu, 0, "vfio-user: a message of %u bytes: hanging up", rd32(v->buf + at + 4));
			return false;
		}
		if (v->have - at < size)
			break;
		len = vfu_message(v, v->buf + at, size, v->fds, has_fds ? v->nr_fds : 0, &reply);
		if (has_fds)
			drop_fds(v);
		if (len && !send_all(fd, reply, len))
			return false;
		at += size;
	}
	if (at) {
		v->have -= at;
		memmove(v->buf, v->buf + at, v->have);
		v->fds_at = v->nr_fds && v->fds_at >= at ? v->fds_at - at : 0;
	}
	return true;
}

void vfu_serve_fd(struct vfu *v, int fd)
{
	v->have = 0;
	v->nr_fds = 0;
	vfu_connected(v);
	while (fill(v, fd) && drain(v, fd))
		;
	drop_fds(v);
	vfu_disconnected(v);
}

static bool set_fd(struct vfu *v, int *where, int fd)
{
	bool ok;

	pthread_mutex_lock(&v->m);
	*where = fd;
	ok = !v->stop;
	pthread_mutex_unlock(&v->m);
	return ok;
}

static bool stopped(struct vfu *v)
{
	bool stop;

	pthread_mutex_lock(&v->m);
	stop = v->stop;
	pthread_mutex_unlock(&v->m);
	return stop;
}

static int serve_clients(struct vfu *v, bool once)
{
	do {
		int fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		int ret = -errno;

		if (fd < 0) {
			if (stopped(v))
				return 0;
			if (ret == -EINTR || ret == -ECONNABORTED)
				continue;
			return ret;
		}
		if (set_fd(v, &v->conn_fd, fd)) {
			gpu_log(v->gpu, 1, "client connected");
			vfu_serve_fd(v, fd);
			gpu_log(v->gpu, 1, "client left");
		}
		set_fd(v, &v->conn_fd, -1);
		close(fd);
	} while (!once && !stopped(v));
	return 0;
}

int vfu_serve(struct vfu *v, const char *path, bool once)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ret = set_fd(v, &v->listen_fd, fd) ? serve_clients(v, once) : 0;
	set_fd(v, &v->listen_fd, -1);
	close(fd);
	unlink(path);
	return ret;
}

void vfu_stop(struct vfu *v)
{
	pthread_mutex_lock(&v->m);
	v->stop = true;
	if (v->listen_fd >= 0)
		shutdown(v->listen_fd, SHUT_RDWR);
	if (v->conn_fd >= 0)
		shutdown(v->conn_fd, SHUT_RDWR);
	pthread_mutex_unlock(&v->m);
}
