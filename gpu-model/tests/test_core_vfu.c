// SPDX-License-Identifier: MIT
/*
 * vfio-user: each command, malformed ones, descriptors, and the stream: messages
 * cut and joined anyhow, clients that come and go.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/block.h"
#include "pci/dma.h"
#include "pci/pci.h"
#include "pci/vfio_user.h"

static struct gpu *gpu;
static struct vfu *vfu;
static const uint8_t *reply;
static size_t reply_len;
static int msg_fds[VFU_MAX_FDS], nr_msg_fds;

static int setup(void **state)
{
	struct gpu_config cfg;

	gpu_config_default(&cfg);
	cfg.vram_size = 256 * MiB;
	cfg.deterministic = true;
	cfg.verbose = -1;
	nr_msg_fds = 0;
	return gpu_new(&cfg, &gpu) || vfu_new(gpu, &vfu);
}

static int teardown(void **state)
{
	vfu_del(&vfu);
	gpu_del(&gpu);
	return 0;
}

struct msg {
	uint8_t b[256];
	size_t len;
};

static void put(struct msg *m, const void *p, size_t n)
{
	memcpy(m->b + m->len, p, n);
	m->len += n;
}

static void put32(struct msg *m, uint32_t v)
{
	put(m, &v, 4);
}

static void put64(struct msg *m, uint64_t v)
{
	put(m, &v, 8);
}

static struct msg begin(uint16_t cmd, uint32_t flags)
{
	struct msg m = { .len = 0 };
	uint16_t id = 0x4711;

	put(&m, &id, 2);
	put(&m, &cmd, 2);
	put32(&m, 0);
	put32(&m, flags);
	put32(&m, 0);
	return m;
}

static void end(struct msg *m)
{
	uint32_t size = (uint32_t)m->len;

	memcpy(m->b + 4, &size, 4);
}

static uint32_t get32(size_t off)
{
	uint32_t v;

	assert_true(off + 4 <= reply_len);
	memcpy(&v, reply + off, 4);
	return v;
}

/* Send, check the reply's header.  Return: its error. */
static int send_msg(struct msg *m)
{
	end(m);
	reply_len = vfu_message(vfu, m->b, m->len, msg_fds, nr_msg_fds, &reply);
	assert_true(reply_len >= VFU_HEADER);
	assert_int_equal(get32(4), reply_len);
	assert_memory_equal(reply, m->b, 4);
	assert_int_equal(get32(8), get32(12) ? 0x21 : 1);
	return (int)get32(12);
}

static void negotiate(void)
{
	struct msg m = begin(1, 0);

	put32(&m, 0);
	put(&m, "{}", 3);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(reply[reply_len - 1], 0);
	assert_non_null(strstr((const char *)reply + 20, "max_data_xfer_size"));
	assert_null(strstr((const char *)reply + 20, "write_multiple"));
}

static struct msg region(uint16_t cmd, uint32_t flags, uint64_t off, uint32_t reg, uint32_t count)
{
	struct msg m = begin(cmd, flags);

	put64(&m, off);
	put32(&m, reg);
	put32(&m, count);
	return m;
}

static void test_version(void **state)
{
	struct msg m = begin(4, 0);

	put64(&m, 16);
	put64(&m, 0);
	/* Not before the version is agreed on */
	assert_int_equal(send_msg(&m), EINVAL);
	m = begin(1, 0);
	put32(&m, 1);
	assert_int_equal(send_msg(&m), ENOTSUP);
	m = begin(1, 0);
	assert_int_equal(send_msg(&m), EINVAL);
	m = begin(1, 0);
	put32(&m, 0);
	put(&m, "{}", 2);	/* not terminated */
	assert_int_equal(send_msg(&m), EINVAL);
	m = begin(1, 0);
	put32(&m, 0x00070000);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(get32(16), 0x00070000);	/* the client's minor */
	vfu_connected(vfu);
	m = begin(13, 0);
	assert_int_equal(send_msg(&m), EINVAL);
}

static void test_info(void **state)
{
	static const uint64_t size[PCI_REGION_NR] = { [0] = 16 * MiB, [1] = 256 * MiB, [3] = 32 * MiB, [7] = 4096 };
	struct msg m;

	negotiate();
	m = begin(4, 0);
	put64(&m, 16);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(get32(20), 3);
	assert_int_equal(get32(24), 9);
	assert_int_equal(get32(28), 5);
	for (uint32_t i = 0; i < 10; i++) {
		uint64_t got;

		m = begin(5, 0);
		put64(&m, 32);
		put32(&m, i);
		assert_int_equal(send_msg(&m), i < 9 ? 0 : EINVAL);
		if (i == 9)
			break;
		assert_int_equal(reply_len, 48);
		memcpy(&got, reply + 32, 8);
		assert_int_equal(got, size[i]);
		assert_int_equal(get32(20), size[i] ? 3 : 0);
	}
	for (uint32_t i = 0; i < 6; i++) {
		m = begin(7, 0);
		put64(&m, 16);
		put32(&m, i);
		assert_int_equal(send_msg(&m), i < 5 ? 0 : EINVAL);
		if (i == 5)
			break;
		assert_int_equal(get32(20), i == 0 ? 7 : i == 1 ? 9 : 0);
		assert_int_equal(get32(28), i < 2);
	}
	m = begin(6, 0);
	assert_int_equal(send_msg(&m), ENOTSUP);
	m = begin(15, 0);
	assert_int_equal(send_msg(&m), ENOTSUP);
}

static void test_region(void **state)
{
	struct msg m;

	negotiate();
	m = region(9, 0, 0, 0, 4);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(reply_len, 36);
	assert_int_equal(get32(28), 4);
	assert_int_equal(get32(32), 0x134000a1);
	m = region(10, 0, 0x700010, 0, 4);
	put32(&m, 0xcafe);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(reply_len, 32);
	/* Posted */
	m = region(10, 0x10, 0x700014, 0, 4);
	put32(&m, 0xbabe);
	end(&m);
	assert_int_equal(vfu_message(vfu, m.b, m.len, NULL, 0, &reply), 0);
	m = region(9, 0, 0x700010, 0, 8);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(get32(32), 0xcafe);
	assert_int_equal(get32(36), 0xbabe);
	/* The whole configuration space at once */
	m = region(9, 0, 0, 7, 4096);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(get32(32), 0x1bb310de);
}

static void test_malformed(void **state)
{
	static const struct {
		uint64_t off;
		uint32_t reg, count;
	} bad[] = {
		{ 0, 0, 0 }, { 0, 0, (1 << 20) + 1 }, { 0, 0, UINT32_MAX }, { 16 * MiB, 0, 4 },
		{ 16 * MiB - 2, 0, 4 }, { UINT64_MAX, 0, 4 }, { 0, 2, 4 }, { 0, 9, 4 }, { 0, UINT32_MAX, 4 },
		{ 4093, 7, 4 }, { UINT64_MAX - 1, 1, 8 },
	};
	struct msg m;

	negotiate();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		m = region(9, 0, bad[i].off, bad[i].reg, bad[i].count);
		assert_int_equal(send_msg(&m), EINVAL);
		m = region(10, 0, bad[i].off, bad[i].reg, bad[i].count);
		put64(&m, 0);
		assert_int_equal(send_msg(&m), EINVAL);
	}
	/* Less data than the count says */
	m = region(10, 0, 0x700000, 0, 8);
	put32(&m, 0);
	assert_int_equal(send_msg(&m), EINVAL);
	/* Payloads of all lengths, of all commands */
	for (uint16_t cmd = 0; cmd < 20; cmd++)
		for (size_t len = 0; len < 60; len++) {
			m = begin(cmd, 0);
			m.len += len;
			memset(m.b + VFU_HEADER, 0, len);
			send_msg(&m);
		}
	/* The header's size isn't the message's */
	m = region(9, 0, 0, 0, 4);
	end(&m);
	m.b[4]++;
	reply_len = vfu_message(vfu, m.b, m.len, NULL, 0, &reply);
	assert_int_equal(get32(12), EINVAL);
	/* A reply is nobody's; neither is half a header */
	m = begin(9, 1);
	end(&m);
	assert_int_equal(vfu_message(vfu, m.b, m.len, NULL, 0, &reply), 0);
	assert_int_equal(vfu_message(vfu, m.b, 15, NULL, 0, &reply), 0);
	m = begin(9, 2);
	assert_int_equal(send_msg(&m), EINVAL);
}

static struct msg dma(uint16_t cmd, uint32_t flags, uint64_t offset, uint64_t addr, uint64_t size)
{
	struct msg m = begin(cmd, 0);

	put32(&m, cmd == 2 ? 32 : 24);
	put32(&m, flags);
	if (cmd == 2)
		put64(&m, offset);
	put64(&m, addr);
	put64(&m, size);
	return m;
}

static void test_dma(void **state)
{
	struct msg m;

	negotiate();
	msg_fds[0] = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(msg_fds[0], 1 << 20), 0);
	nr_msg_fds = 1;
	m = dma(2, 3, 0, 0, 0xa0000);
	assert_int_equal(send_msg(&m), 0);
	assert_true(msg_fds[0] >= 0);
	m = dma(2, 3, 0, 0x9f000, 0x2000);
	assert_int_equal(send_msg(&m), EINVAL);
	m = dma(2, 7, 0, 0x100000, 0x1000);
	assert_int_equal(send_msg(&m), EINVAL);
	close(msg_fds[0]);
	nr_msg_fds = 0;
	m = dma(2, 1, 0, 0xc0000, 0x1000);	/* a ROM: no memory behind it */
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(dma_live(gpu->dma), 2);
	assert_non_null(dma_lookup(gpu->dma, 0x9ffff, true, NULL, NULL));
	assert_null(dma_lookup(gpu->dma, 0xc0000, false, NULL, NULL));
	m = dma(3, 0, 0, 0, 0x1000);	/* would cut a range */
	assert_int_equal(send_msg(&m), EINVAL);
	m = dma(3, 0, 0, 0x200000, 0x1000);
	assert_int_equal(send_msg(&m), ENOENT);
	m = dma(3, 1, 0, 0, 0xa0000);
	assert_int_equal(send_msg(&m), ENOTSUP);
	m = dma(3, 0, 0, 0, 0xa0000);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(reply_len, 40);
	assert_memory_equal(reply + 16, m.b + 16, 24);
	m = dma(3, 2, 0, 0, 0);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(dma_live(gpu->dma), 0);
}

static struct msg irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count)
{
	struct msg m = begin(8, 0);

	put32(&m, 20);
	put32(&m, flags);
	put32(&m, index);
	put32(&m, start);
	put32(&m, count);
	return m;
}

static bool fired(int efd)
{
	uint64_t n;

	return read(efd, &n, sizeof(n)) == sizeof(n);
}

static void test_irqs(void **state)
{
	static const struct {
		uint32_t flags, index, start, count;
	} bad[] = {
		{ 0x21, 2, 0, 1 }, { 0x21, 0, 1, 1 }, { 0x21, 0, 0, 2 }, { 0x23, 0, 0, 1 }, { 0x20, 0, 0, 1 },
		{ 0x01, 0, 0, 1 }, { 0x39, 0, 0, 1 }, { 0x09, 1, 0, 1 }, { 0x61, 0, 0, 1 }, { 0x22, 0, 0, 1 },
	};
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct msg m;

	negotiate();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		m = irqs(bad[i].flags, bad[i].index, bad[i].start, bad[i].count);
		assert_int_equal(send_msg(&m), EINVAL);
	}
	msg_fds[0] = dup(efd);
	nr_msg_fds = 1;
	m = irqs(0x24, 1, 0, 1);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(msg_fds[0], -1);	/* kept */
	nr_msg_fds = 0;
	m = irqs(0x21, 1, 0, 1);		/* loopback */
	assert_int_equal(send_msg(&m), 0);
	assert_true(fired(efd));
	m = irqs(0x22, 1, 0, 1);
	put32(&m, 0);
	assert_int_equal(send_msg(&m), 0);
	assert_false(fired(efd));
	m = irqs(0x21, 1, 0, 0);
	assert_int_equal(send_msg(&m), 0);
	m = irqs(0x21, 1, 0, 1);
	assert_int_equal(send_msg(&m), 0);
	assert_false(fired(efd));
	m = irqs(0x14, 0, 0, 1);
	assert_int_equal(send_msg(&m), ENOTSUP);
	m = irqs(0x09, 0, 0, 1);
	assert_int_equal(send_msg(&m), 0);
	m = irqs(0x11, 0, 0, 1);
	assert_int_equal(send_msg(&m), 0);
	close(efd);
}

static void test_reset(void **state)
{
	struct msg m;

	negotiate();
	m = region(10, 0, 0x700000, 0, 4);
	put32(&m, 0xcafe);
	assert_int_equal(send_msg(&m), 0);
	m = begin(13, 0);
	assert_int_equal(send_msg(&m), 0);
	m = region(9, 0, 0x700000, 0, 4);
	assert_int_equal(send_msg(&m), 0);
	assert_int_equal(get32(32), 0);
}

/* --- stream ---------------------------------------------------------------------------- */

struct server {
	pthread_t tid;
	int fd;
};

static void *serve(void *priv)
{
	struct server *s = priv;

	vfu_serve_fd(vfu, s->fd);
	return NULL;
}

static int connect_pair(struct server *s)
{
	struct timeval tv = { .tv_sec = 10 };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	s->fd = sv[1];
	assert_int_equal(pthread_create(&s->tid, NULL, serve, s), 0);
	return sv[0];
}

static void hang_up(struct server *s, int fd)
{
	close(fd);
	pthread_join(s->tid, NULL);
	close(s->fd);
}

static size_t add(uint8_t *buf, size_t at, struct msg m)
{
	end(&m);
	memcpy(buf + at, m.b, m.len);
	return at + m.len;
}

static uint32_t read_reply(int fd, uint8_t *buf)
{
	uint32_t size, err;

	assert_int_equal(recv(fd, buf, 16, MSG_WAITALL), 16);
	memcpy(&size, buf + 4, 4);
	memcpy(&err, buf + 12, 4);
	assert_in_range(size, 16, VFU_MAX_MESSAGE);
	if (size > 16)
		assert_int_equal(recv(fd, buf + 16, size - 16, MSG_WAITALL), size - 16);
	return err;
}

static struct msg version(void)
{
	struct msg m = begin(1, 0);

	put32(&m, 0);
	put(&m, "{}", 3);
	return m;
}

/* One stream, sent in pieces of every size: the answers are the same. */
static void test_stream_pieces(void **state)
{
	uint8_t stream[8192], back[8192];
	size_t len = add(stream, 0, version()), pieces[] = { 1, 3, 16, 17, 33, 100, 8192 };

	for (uint32_t i = 0; i < 50; i++) {
		struct msg m = region(10, 0x10, 0x700000 + i * 4, 0, 4);

		put32(&m, i * 3);
		len = add(stream, len, m);
	}
	for (uint32_t i = 0; i < 50; i++)
		len = add(stream, len, region(9, 0, 0x700000 + i * 4, 0, 4));
	for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
		struct server s;
		int fd = connect_pair(&s);

		for (size_t at = 0; at < len; at += pieces[p]) {
			size_t n = len - at < pieces[p] ? len - at : pieces[p];

			assert_int_equal(send(fd, stream + at, n, 0), n);
		}
		assert_int_equal(read_reply(fd, back), 0);
		for (uint32_t i = 0; i < 50; i++) {
			uint32_t v;

			assert_int_equal(read_reply(fd, back), 0);
			memcpy(&v, back + 32, 4);
			assert_int_equal(v, i * 3);
		}
		hang_up(&s, fd);
		assert_int_equal(dma_live(gpu->dma), 0);
	}
}

static void send_with_fd(int sock, struct msg m, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	end(&m);
	iov = (struct iovec){ m.b, m.len };
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	assert_int_equal(sendmsg(sock, &mh, 0), m.len);
}

static void send_plain(int sock, struct msg m)
{
	end(&m);
	assert_int_equal(send(sock, m.b, m.len, 0), m.len);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/*
 * Maps with and without a descriptor, queued in one go before the server reads:
 * each descriptor goes to its own message, none leaks.
 */
static void test_stream_fds(void **state)
{
	int mem[4], before, fd;
	struct server s;
	uint8_t back[256];

	for (int i = 0; i < 4; i++) {
		uint32_t tag = 0x1000u + (uint32_t)i;

		mem[i] = memfd_create("guest", MFD_CLOEXEC);
		assert_int_equal(ftruncate(mem[i], 4096), 0);
		assert_int_equal(pwrite(mem[i], &tag, 4, 0), 4);
	}
	before = open_fds();
	fd = connect_pair(&s);
	/* Hold the server up in its first message while the others queue. */
	fair_lock(&gpu->lock);
	send_plain(fd, version());
	send_plain(fd, begin(13, 0));
	send_plain(fd, dma(2, 1, 0, 0xc0000, 0x1000));
	for (uint64_t i = 0; i < 4; i++) {
		send_with_fd(fd, dma(2, 3, 0, i << 20, 4096), mem[i]);
		send_plain(fd, dma(2, 1, 0, (i << 20) + 0x10000, 0x1000));
		send_with_fd(fd, region(9, 0, 0, 0, 4), mem[i]);	/* nobody wants this one */
	}
	send_plain(fd, region(9, 0, 0, 0, 4));
	fair_unlock(&gpu->lock);
	for (int i = 0; i < 3 + 4 * 3 + 1; i++)
		assert_int_equal(read_reply(fd, back), 0);
	fair_lock(&gpu->lock);
	for (uint64_t i = 0; i < 4; i++) {
		uint8_t *p = dma_lookup(gpu->dma, i << 20, true, NULL, NULL);
		uint32_t tag;

		assert_non_null(p);
		memcpy(&tag, p, 4);
		assert_int_equal(tag, 0x1000 + i);
		assert_null(dma_lookup(gpu->dma, (i << 20) + 0x10000, false, NULL, NULL));
	}
	assert_int_equal(dma_live(gpu->dma), 9);
	fair_unlock(&gpu->lock);
	hang_up(&s, fd);
	assert_int_equal(open_fds(), before);
	assert_int_equal(dma_live(gpu->dma), 0);
	for (int i = 0; i < 4; i++)
		close(mem[i]);
}

static void test_stream_nonsense(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 15, VFU_MAX_MESSAGE + 1, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct server s;
		struct msg m = version();
		uint8_t b;
		int fd = connect_pair(&s);

		memcpy(m.b + 4, &sizes[i], 4);
		assert_int_equal(send(fd, m.b, m.len, 0), m.len);
		pthread_join(s.tid, NULL);
		close(s.fd);
		assert_int_equal(recv(fd, &b, 1, 0), 0);
		close(fd);
	}
}

/* --- clients ------------------------------------------------------------------------------ */

static const char *path;

static void *serve_path(void *priv)
{
	*(int *)priv = vfu_serve(vfu, path, false);
	return NULL;
}

static int connect_path(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	strcpy(sa.sun_path, path);
	for (int i = 0; i < 1000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
			return fd;
		close(fd);
		usleep(1000);
	}
	fail_msg("nobody listens");
	return -1;
}

/* Each client finds a device in its power-on state; stopping works with a client that is silent. */
static void test_clients(void **state)
{
	char name[64];
	pthread_t tid;
	uint8_t back[256];
	uint32_t v;
	int ret = -1, fd, before;

	snprintf(name, sizeof(name), "/tmp/gpu-model-test-%d", (int)getpid());
	path = name;
	before = open_fds();
	assert_int_equal(pthread_create(&tid, NULL, serve_path, &ret), 0);
	for (int round = 0; round < 5; round++) {
		struct msg m = region(10, 0x10, 0x700000, 0, 4);

		fd = connect_path();
		send_plain(fd, version());
		read_reply(fd, back);
		send_plain(fd, region(9, 0, 0x700000, 0, 4));
		assert_int_equal(read_reply(fd, back), 0);
		memcpy(&v, back + 32, 4);
		assert_int_equal(v, 0);
		put32(&m, 0xdead);
		send_plain(fd, m);
		send_plain(fd, dma(2, 1, 0, 0, 0x1000));
		assert_int_equal(read_reply(fd, back), 0);
		close(fd);
	}
	fd = connect_path();
	send_plain(fd, version());
	read_reply(fd, back);
	vfu_stop(vfu);
	pthread_join(tid, NULL);
	assert_int_equal(ret, 0);
	assert_int_equal(recv(fd, back, 1, 0), 0);
	close(fd);
	assert_int_equal(open_fds(), before);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(dma_live(gpu->dma), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_version),	T(test_info),		 T(test_region),
		T(test_malformed),	T(test_dma),		 T(test_irqs),
		T(test_reset),		T(test_stream_pieces),	 T(test_stream_fds),
		T(test_stream_nonsense), T(test_clients),
	};

	return cmocka_run_group_tests_name("vfio-user", tests, NULL, NULL);
}
