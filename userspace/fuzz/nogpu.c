// SPDX-License-Identifier: MIT
/*
 * nogpu.so: preloaded, gives a process a render node of nouveau with a GP104 that accepts everything and executes nothing, so
 * that Mesa compiles for it where there is no GPU and leaves its results in its shader cache. What programs compute there is
 * meaningless. Meant for clfuzz.py: compilation takes ten times as long in the emulated machine as on its host.
 *
 * The node is a memfd: a buffer's map_handle is its offset in that file, so mmap() and dup() need no help. A buffer's
 * handle is its page number. Nothing is freed before the process ends. All ioctls of DRM's type are taken to be for the node.
 * What Mesa asks for is known from the kernel's uapi (nouveau_drm.h) and nvif/ioctl.h, nvif/cl0080.h. Programs have to set
 * NOUVEAU_DISABLE_FENCES=1, Mesa's own switch: no fence ever signals here.
 *
 * Locks: next_page is atomic, no other state changes after the first open().
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <nouveau_drm.h>
#include <xf86drm.h>

#define NODE "/dev/dri/renderD128"
#define CHIPSET 0x134
#define VRAM (1ull << 30)
#define FILE_SIZE (1ull << 36)
#define VA_BASE 0x40000000ull		/* where Mesa has its cut-out with that much VRAM */

#define DRM_IOCTL_NOUVEAU_GETPARAM DRM_IOWR(DRM_COMMAND_BASE + DRM_NOUVEAU_GETPARAM, struct drm_nouveau_getparam)
#define NVIF_SCLASS 0x01
#define NVIF_MTHD 0x04
#define NV_DEVICE_INFO 0x00
#define FAMILY_PASCAL 0x0a
#define GRAPH_UNITS 0x010101ull		/* one TPC, one GPC */

/* nvif/ioctl.h */
struct nvif_head {
	uint8_t version, type, pad02[4], owner, route;
	uint64_t token, object;
};

struct nvif_sclass {
	uint8_t version, count, pad02[6];
	struct {
		int32_t oclass;
		int16_t minver, maxver;
	} oclass[];
};

struct nvif_mthd {
	uint8_t version, method, pad02[6];
	uint8_t data[];
};

/* nvif/cl0080.h */
struct device_info {
	uint8_t version, platform;
	uint16_t chipset;
	uint8_t revision, family, pad06[2];
	uint64_t ram_size, ram_user;
	char chip[16], name[64];
};

static const int32_t classes[] = { 0xa140, 0xc1b5, 0x902d, 0xc197, 0xc1c0, 0xc06f, 0x906e };
static atomic_uint next_page = 1;
static atomic_int node = -1;
static atomic_int channels;

static int node_open(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	if (node < 0) {
		int fd = memfd_create("nogpu", MFD_CLOEXEC);

		if (fd >= 0 && ftruncate(fd, (off_t)FILE_SIZE)) {
			close(fd);
			fd = -1;
		}
		node = fd;
	}
	pthread_mutex_unlock(&mutex);
	return node < 0 ? -1 : fcntl(node, F_DUPFD_CLOEXEC, 3);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list list;

	va_start(list, flags);
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		mode = va_arg(list, mode_t);
	va_end(list);
	if (!strcmp(path, NODE))
		return node_open();
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* What libdrm finds out from sysfs; drmGetDevice2() and drmFreeDevice() are libdrm's. */
static drmPciBusInfo pci_bus = { .bus = 1 };
static drmPciDeviceInfo pci_device = { .vendor_id = 0x10de, .device_id = 0x1bb3, .revision_id = 0xa1 };
static char node_path[] = NODE;
static char *nodes[DRM_NODE_MAX] = { [DRM_NODE_RENDER] = node_path };
static drmDevice device = {
	.nodes = nodes, .available_nodes = 1 << DRM_NODE_RENDER, .bustype = DRM_BUS_PCI,
	.businfo.pci = &pci_bus, .deviceinfo.pci = &pci_device,
};

int drmGetDevice2(int fd, uint32_t flags, drmDevicePtr *result)
{
	(void)fd;
	(void)flags;
	*result = &device;
	return 0;
}

void drmFreeDevice(drmDevicePtr *result)
{
	*result = NULL;
}

static int get_version(struct drm_version *v)
{
	static const char name[] = "nouveau";

	if (v->name && v->name_len >= strlen(name))
		memcpy(v->name, name, strlen(name));
	v->name_len = strlen(name);
	v->date_len = v->desc_len = 0;
	v->version_major = 1;
	v->version_minor = 4;
	v->version_patchlevel = 1;
	return 0;
}

static int getparam(struct drm_nouveau_getparam *p)
{
	struct timespec now;

	switch (p->param) {
	case NOUVEAU_GETPARAM_PCI_VENDOR:
		p->value = 0x10de;
		return 0;
	case NOUVEAU_GETPARAM_PCI_DEVICE:
		p->value = 0x1bb3;
		return 0;
	case NOUVEAU_GETPARAM_BUS_TYPE:
		p->value = 3;
		return 0;
	case NOUVEAU_GETPARAM_FB_SIZE:
	case NOUVEAU_GETPARAM_AGP_SIZE:
		p->value = VRAM;
		return 0;
	case NOUVEAU_GETPARAM_CHIPSET_ID:
		p->value = CHIPSET;
		return 0;
	case NOUVEAU_GETPARAM_GRAPH_UNITS:
		p->value = GRAPH_UNITS;
		return 0;
	case NOUVEAU_GETPARAM_PTIMER_TIME:
		clock_gettime(CLOCK_MONOTONIC, &now);
		p->value = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
		return 0;
	case NOUVEAU_GETPARAM_HAS_BO_USAGE:
	case NOUVEAU_GETPARAM_HAS_PAGEFLIP:
		p->value = 1;
		return 0;
	}
	return EINVAL;
}

static int nvif(struct nvif_head *head, size_t size)
{
	void *data = head + 1;

	if (size < sizeof(*head))
		return EINVAL;
	size -= sizeof(*head);
	if (head->type == NVIF_SCLASS && size >= sizeof(struct nvif_sclass)) {
		struct nvif_sclass *s = data;
		size_t room = (size - sizeof(*s)) / sizeof(s->oclass[0]), i;

		for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
			if (i < room && i < s->count) {
				s->oclass[i].oclass = classes[i];
				s->oclass[i].minver = s->oclass[i].maxver = 0;
			}
		}
		s->count = (uint8_t)i;
	} else if (head->type == NVIF_MTHD && size >= sizeof(struct nvif_mthd) + sizeof(struct device_info)) {
		struct nvif_mthd *m = data;
		struct device_info info = {
			.platform = 3, .chipset = CHIPSET, .revision = 0xa1, .family = FAMILY_PASCAL,
			.ram_size = VRAM, .ram_user = VRAM, .chip = "GP104", .name = "none",
		};

		if (m->method != NV_DEVICE_INFO)
			return EINVAL;
		memcpy(m->data, &info, sizeof(info));
	}
	return 0;
}

static int gem_new(struct drm_nouveau_gem_new *req)
{
	uint64_t align = req->align > 4096 ? req->align : 4096;
	/* the alignment is had by taking more */
	unsigned int pages = (unsigned int)((req->info.size + align - 1) / 4096 + 1);
	unsigned int first = atomic_fetch_add(&next_page, pages);
	uint64_t at = ((uint64_t)first * 4096 + align - 1) / align * align;

	if (at + req->info.size > FILE_SIZE)
		return ENOSPC;
	req->info.size = (req->info.size + 4095) / 4096 * 4096;
	req->info.handle = (uint32_t)(at / 4096);
	req->info.map_handle = at;
	req->info.offset = VA_BASE + at;
	return 0;
}

static int drm_ioctl(unsigned long request, void *arg)
{
	unsigned int nr = _IOC_NR(request);

	if (nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END) {
		switch (nr - DRM_COMMAND_BASE) {
		case DRM_NOUVEAU_GETPARAM:
			return getparam(arg);
		case DRM_NOUVEAU_CHANNEL_ALLOC:
			((struct drm_nouveau_channel_alloc *)arg)->channel = channels++;
			((struct drm_nouveau_channel_alloc *)arg)->pushbuf_domains = NOUVEAU_GEM_DOMAIN_GART;
			return 0;
		case DRM_NOUVEAU_NVIF:
			return nvif(arg, _IOC_SIZE(request));
		case DRM_NOUVEAU_GEM_NEW:
			return gem_new(arg);
		case DRM_NOUVEAU_GEM_PUSHBUF:
			((struct drm_nouveau_gem_pushbuf *)arg)->vram_available = VRAM;
			((struct drm_nouveau_gem_pushbuf *)arg)->gart_available = VRAM;
			return 0;
		case DRM_NOUVEAU_CHANNEL_FREE:
		case DRM_NOUVEAU_SVM_INIT:
		case DRM_NOUVEAU_SVM_BIND:
		case DRM_NOUVEAU_GEM_CPU_PREP:
		case DRM_NOUVEAU_GEM_CPU_FINI:
			return 0;
		}
	} else {
		switch (nr) {
		case _IOC_NR(DRM_IOCTL_VERSION):
			return get_version(arg);
		case _IOC_NR(DRM_IOCTL_GET_CAP):
			((struct drm_get_cap *)arg)->value = 0;
			return 0;
		case _IOC_NR(DRM_IOCTL_GEM_CLOSE):
			return 0;
		}
	}
	return EINVAL;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;
	int err;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	if (_IOC_TYPE(request) != DRM_IOCTL_BASE)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	err = drm_ioctl(request, arg);
	if (err && request != DRM_IOCTL_NOUVEAU_GETPARAM)
		fprintf(stderr, "nogpu: ioctl %#lx was refused\n", request);
	errno = err;
	return err ? -1 : 0;
}
