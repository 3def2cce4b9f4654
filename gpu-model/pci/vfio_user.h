/* SPDX-License-Identifier: MIT */
/*
 * The server's side of vfio-user: messages in a buffer (vfu_message(), what a
 * fuzzer calls) and the socket that brings them.  pci/vfio_user.c.
 */
#ifndef PCI_VFIO_USER_H
#define PCI_VFIO_USER_H

#include "gpu.h"

#define VFU_HEADER 16
#define VFU_MAX_DATA (1u << 20)			/* max_data_xfer_size that we announce */
#define VFU_MAX_MESSAGE (VFU_MAX_DATA + 4096)
#define VFU_MAX_FDS 8

struct vfu;

int vfu_new(struct gpu *gpu, struct vfu **out);
void vfu_del(struct vfu **v);

/* A new client: it has to negotiate its version first. */
void vfu_connected(struct vfu *v);
/* The client is gone: give back all that it gave, power off. */
void vfu_disconnected(struct vfu *v);

/**
 * vfu_message() - act on one message.
 * @msg: header and payload, @len bytes, whatever they contain.
 * @fds: what came with it; what is kept is replaced by -1, the rest stays the caller's.
 * @reply: set to the answer, valid until the next call.
 *
 * Return: bytes of the answer, 0: none is due.
 * Context: no lock held.
 */
size_t vfu_message(struct vfu *v, const uint8_t *msg, size_t len, int *fds, int nr_fds, const uint8_t **reply);

/**
 * vfu_serve() - listen at @path and serve one client after the other until vfu_stop().
 * @once: end when the first client has left.
 * Return: 0 or -errno.
 */
int vfu_serve(struct vfu *v, const char *path, bool once);
/* Serve a connected socket until it closes.  For unit tests; vfu_serve() is made of it. */
void vfu_serve_fd(struct vfu *v, int fd);
/* End vfu_serve(), from another thread. */
void vfu_stop(struct vfu *v);

#endif
