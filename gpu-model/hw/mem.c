// SPDX-License-Identifier: MIT
/*
 * Owns access to physical memory: VRAM by offset, system memory through the DMA
 * map.  Where the sanitizer's watches, injected read errors and the trace see
 * what passes.
 *
 * Locks: gpu->lock held, or gpu->sm_gate shared for SM clients.
 */
#include "hw/mem.h"

#include <errno.h>
#include <string.h>

#include "ledger/inject.h"
#include "ledger/sanitizer.h"
#include "ledger/trace.h"
#include "pci/dma.h"
#include "pci/pci.h"

#define PAGE 4096ull

static const char *const client_names[] = {
	[CLIENT_HOST] = "host", [CLIENT_BAR] = "bar", [CLIENT_MMU] = "mmu",
	[CLIENT_FAULT] = "fault", [CLIENT_CE] = "ce", [CLIENT_FE] = "fe",
	[CLIENT_FECS] = "fecs", [CLIENT_SM_TEX] = "sm-tex", [CLIENT_SM_GCC] = "sm-gcc",
};

const char *mem_client_name(enum mem_client c)
{
	return c < ARRAY_SIZE(client_names) && client_names[c] ? client_names[c] : "?";
}

/* Aligned words move whole: the CPU and SM workers look at the same memory meanwhile. */
static void copy(void *dst, const void *src, size_t len)
{
	uintptr_t both = (uintptr_t)dst | (uintptr_t)src;

	if (len == 4 && !(both & 3))
		__atomic_store_n((uint32_t *)dst, __atomic_load_n((const uint32_t *)src, __ATOMIC_RELAXED),
				 __ATOMIC_RELEASE);
	else if (len == 8 && !(both & 7))
		__atomic_store_n((uint64_t *)dst, __atomic_load_n((const uint64_t *)src, __ATOMIC_RELAXED),
				 __ATOMIC_RELEASE);
	else
		memcpy(dst, src, len);
}

static bool sys_ap(enum aperture ap)
{
	return ap == AP_SYS_COH || ap == AP_SYS_NCOH;
}

/* The page at @iova can't be reached: say why. */
static void sys_report(struct gpu *gpu, enum mem_client c, uint64_t iova, bool write)
{
	uint64_t left;

	if (!pci_bus_master(gpu)) {
		san_report(gpu, SAN_dma_outside, "%s %s %#llx while bus mastering is off", mem_client_name(c),
			   write ? "writes" : "reads", (unsigned long long)iova);
		return;
	}
	if (write && dma_present(gpu->dma, iova, false, &left))
		san_report(gpu, SAN_dma_readonly, "%s writes %#llx", mem_client_name(c), (unsigned long long)iova);
	else
		san_report(gpu, SAN_dma_outside, "%s %s %#llx", mem_client_name(c), write ? "writes" : "reads",
			   (unsigned long long)iova);
}

static bool vram_ok(struct gpu *gpu, enum mem_client c, uint64_t addr, size_t len, bool write)
{
	if (addr < gpu->vram_size && len <= gpu->vram_size - addr)
		return true;
	san_report(gpu, SAN_vram_outside, "%s %s %#llx+%#zx", mem_client_name(c), write ? "writes" : "reads",
		   (unsigned long long)addr, len);
	return false;
}

static int sys_read(struct gpu *gpu, enum mem_client c, uint64_t addr, uint8_t *buf, size_t len)
{
	uint64_t left;

	while (len) {
		if (!pci_bus_master(gpu) || !dma_present(gpu->dma, addr, false, &left)) {
			sys_report(gpu, c, addr, false);
			return -EFAULT;
		}
		size_t n = left < len ? (size_t)left : len;

		if (!gpu->trace || !trace_dma_read(gpu, addr, buf, n)) {
			const uint8_t *p = dma_lookup(gpu->dma, addr, false, NULL, NULL);

			if (!p)
				return -EFAULT;
			copy(buf, p, n);
			if (gpu->trace)
				trace_dma_read_done(gpu, addr, buf, n);
		}
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static int sys_write(struct gpu *gpu, enum mem_client c, uint64_t addr, const uint8_t *buf, size_t len)
{
	uint64_t left;

	while (len) {
		if (!pci_bus_master(gpu) || !dma_present(gpu->dma, addr, true, &left)) {
			sys_report(gpu, c, addr, true);
			return -EFAULT;
		}
		size_t n = left < len ? (size_t)left : len;
		uint8_t *p = dma_lookup(gpu->dma, addr, true, NULL, NULL);

		if (p)
			copy(p, buf, n);	/* NULL: replaying, nobody reads it back */
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int mem_read(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, void *buf, size_t len)
{
	int ret = -EFAULT;

	san_watched(gpu, c, ap, addr, len, false, true);
	if (ap == AP_VRAM) {
		if (vram_ok(gpu, c, addr, len, false) && !inject_fire(gpu, INJECT_vram_read_error, addr, len, NULL)) {
			copy(buf, gpu->vram + addr, len);
			return 0;
		}
	} else if (sys_ap(ap)) {
		ret = sys_read(gpu, c, addr, buf, len);
	}
	if (ret)
		memset(buf, 0xff, len);
	return ret;
}

int mem_write(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, const void *buf, size_t len)
{
	san_watched(gpu, c, ap, addr, len, true, true);
	if (ap == AP_VRAM) {
		if (!vram_ok(gpu, c, addr, len, true))
			return -EFAULT;
		copy(gpu->vram + addr, buf, len);
		return 0;
	}
	return sys_ap(ap) ? sys_write(gpu, c, addr, buf, len) : -EFAULT;
}

uint32_t mem_rd32(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr)
{
	uint32_t v;

	mem_read(gpu, c, ap, addr, &v, sizeof(v));
	return v;
}

uint64_t mem_rd64(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr)
{
	uint64_t v;

	mem_read(gpu, c, ap, addr, &v, sizeof(v));
	return v;
}

void mem_wr32(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, uint32_t val)
{
	mem_write(gpu, c, ap, addr, &val, sizeof(val));
}

void *mem_ptr(struct gpu *gpu, enum mem_client c, enum aperture ap, uint64_t addr, size_t *len, bool write)
{
	uint64_t left;
	uint8_t *p;

	if (!*len)
		return NULL;
	if (ap == AP_VRAM) {
		if (addr >= gpu->vram_size)
			return NULL;
		left = gpu->vram_size - addr;
		p = gpu->vram + addr;
	} else if (sys_ap(ap) && !gpu->trace && pci_bus_master(gpu)) {
		p = dma_lookup(gpu->dma, addr, write, &left, NULL);
		if (!p)
			return NULL;
	} else {
		return NULL;
	}
	if (left > *len)
		left = *len;
	/* The common case hands out the whole run; else page by page up to what must be seen. */
	if (san_any_watch(gpu) || (!write && ap == AP_VRAM && inject_armed(gpu, INJECT_vram_read_error, NULL))) {
		if (left > PAGE - (addr & (PAGE - 1)))
			left = PAGE - (addr & (PAGE - 1));
		if (san_watched(gpu, c, ap, addr, left, write, false))
			return NULL;
		if (!write && ap == AP_VRAM && inject_covers(gpu, INJECT_vram_read_error, addr, left))
			return NULL;
	}
	*len = (size_t)left;
	return p;
}
