// SPDX-License-Identifier: MIT
/*
 * Owns the PCI function: routing of host accesses to the blocks, interrupts,
 * function reset.  Each host event takes gpu->lock once, refreshes the time,
 * acts, and is recorded when a trace is being written.
 *
 * Locks: gpu->lock, then gpu->sm_gate where the DMA map changes.
 */
#include "pci/pci.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/block.h"
#include "hw/mmu.h"
#include "ledger/inject.h"
#include "ledger/ledger.h"
#include "ledger/trace.h"
#include "pci/dma.h"

#define LATE_MAX 64	/* interrupts that an injection holds back at a time */

struct pci_dev {
	struct pci_config config;
	bool attached;
	struct {
		int efd;
		bool on, masked;
	} irq[PCI_IRQ_NR];
	uint64_t late[LATE_MAX];	/* GPU time at which to send, unordered */
	unsigned int nr_late;
};

/* The window through which BAR0 reaches memory: bytes are bytes there (nouveau gf100_instobj) */
#define PRAMIN_BASE 0x700000u
#define PRAMIN_END 0x800000u

int pci_new(struct gpu *gpu, struct pci_dev **out)
{
	struct pci_dev *pci = calloc(1, sizeof(*pci));

	if (!pci)
		return -ENOMEM;
	for (int i = 0; i < PCI_IRQ_NR; i++)
		pci->irq[i].efd = -1;
	pci_config_init(&pci->config, &gpu->cfg);
	*out = pci;
	return 0;
}

void pci_del(struct pci_dev **ppci)
{
	struct pci_dev *pci = *ppci;

	if (!pci)
		return;
	for (int i = 0; i < PCI_IRQ_NR; i++)
		if (pci->irq[i].efd >= 0)
			close(pci->irq[i].efd);
	free(pci);
	*ppci = NULL;
}

void pci_power_on(struct gpu *gpu)
{
	pci_config_init(&gpu->pci->config, &gpu->cfg);
	gpu->pci->nr_late = 0;
}

uint64_t pci_region_size(unsigned int region)
{
	switch (region) {
	case PCI_REGION_BAR0:
		return BAR0_SIZE;
	case PCI_REGION_BAR1:
		return PCI_BAR1_SIZE;
	case PCI_REGION_BAR2:
		return PCI_BAR2_SIZE;
	case PCI_REGION_CONFIG:
		return PCI_CONFIG_SIZE;
	}
	return 0;
}

bool pci_bus_master(const struct gpu *gpu)
{
	return !gpu->pci->attached || pci_config_bus_master(&gpu->pci->config);
}

void pci_host_attach(struct gpu *gpu, bool attached)
{
	gpu_lock(gpu);
	if (gpu->trace)
		trace_event(gpu, "attach %d", attached);
	gpu->pci->attached = attached;
	gpu_unlock(gpu);
}

/* --- accesses ------------------------------------------------------------------ */

static void bar0_read(struct gpu *gpu, uint32_t off, uint8_t *buf, size_t len)
{
	while (len) {
		unsigned int shift = off & 3;
		size_t n = 4 - shift < len ? 4 - shift : len;
		uint32_t v = hw_rd32(gpu, off & ~3u);

		memcpy(buf, (uint8_t *)&v + shift, n);
		off += (uint32_t)n;
		buf += n;
		len -= n;
	}
}

static void bar0_write(struct gpu *gpu, uint32_t off, const uint8_t *buf, size_t len)
{
	while (len) {
		unsigned int shift = off & 3;
		size_t n = 4 - shift < len ? 4 - shift : len;
		uint32_t v = 0;

		if (n != 4) {
			/* Merge without a register's read side effects. */
			if (off >= PRAMIN_BASE && off < PRAMIN_END)
				v = hw_rd32(gpu, off & ~3u);
			else
				v = hw_get(gpu, off & ~3u);
		}
		memcpy((uint8_t *)&v + shift, buf, n);
		hw_wr32(gpu, off & ~3u, v);
		off += (uint32_t)n;
		buf += n;
		len -= n;
	}
}

/* Largest naturally aligned access at @off within @len. */
static unsigned int access_size(uint64_t off, size_t len)
{
	unsigned int size = 8;

	while (size > 1 && (off & (size - 1) || size > len))
		size /= 2;
	return size;
}

static void bar_read(struct gpu *gpu, int bar, uint64_t off, uint8_t *buf, size_t len)
{
	while (len) {
		unsigned int n = access_size(off, len);
		uint64_t v = hw_bar_read(gpu, bar, off, n);

		memcpy(buf, &v, n);
		off += n;
		buf += n;
		len -= n;
	}
}

static void bar_write(struct gpu *gpu, int bar, uint64_t off, const uint8_t *buf, size_t len)
{
	while (len) {
		unsigned int n = access_size(off, len);
		uint64_t v = 0;

		memcpy(&v, buf, n);
		hw_bar_write(gpu, bar, off, n, v);
		off += n;
		buf += n;
		len -= n;
	}
}

static bool range_ok(unsigned int region, uint64_t off, size_t len)
{
	uint64_t size = pci_region_size(region);

	return len && off < size && len <= size - off;
}

int pci_host_read(struct gpu *gpu, unsigned int region, uint64_t off, void *buf, size_t len)
{
	memset(buf, 0xff, len);
	if (!range_ok(region, off, len))
		return -EINVAL;
	gpu_lock(gpu);
	if (!inject_dark_access(gpu)) {
		switch (region) {
		case PCI_REGION_CONFIG:
			memcpy(buf, gpu->pci->config.val + off, len);
			break;
		case PCI_REGION_BAR0:
			bar0_read(gpu, (uint32_t)off, buf, len);
			break;
		default:
			bar_read(gpu, (int)region, off, buf, len);
		}
	}
	if (gpu->trace)
		trace_event_hex(gpu, buf, len, "rd %u %llx", region, (unsigned long long)off);
	gpu_unlock(gpu);
	return 0;
}

static enum pci_config_event config_write(struct gpu *gpu, unsigned int off, const uint8_t *buf, unsigned int len)
{
	bool before = pci_bus_master(gpu);
	enum pci_config_event ev = pci_config_write(&gpu->pci->config, off, buf, len);

	/* Nobody keeps a pointer to memory that is out of reach now. */
	if (before != pci_bus_master(gpu)) {
		gpu_gate_wait(gpu);
		mmu_dma_changed(gpu);
		pthread_rwlock_unlock(&gpu->sm_gate);
	}
	return ev;
}

int pci_host_write(struct gpu *gpu, unsigned int region, uint64_t off, const void *buf, size_t len)
{
	enum pci_config_event ev = PCI_EV_NONE;

	if (!range_ok(region, off, len))
		return -EINVAL;
	gpu_lock(gpu);
	if (gpu->trace)
		trace_event_hex(gpu, buf, len, "wr %u %llx", region, (unsigned long long)off);
	if (!inject_dark_access(gpu)) {
		switch (region) {
		case PCI_REGION_CONFIG:
			ev = config_write(gpu, (unsigned int)off, buf, (unsigned int)len);
			break;
		case PCI_REGION_BAR0:
			bar0_write(gpu, (uint32_t)off, buf, len);
			break;
		default:
			bar_write(gpu, (int)region, off, buf, len);
		}
	}
	gpu_unlock(gpu);
	/* gpu_reset() records itself: a replay finds it in the trace. */
	if (ev == PCI_EV_RESET && !(gpu->trace && trace_replaying(gpu))) {
		gpu_log(gpu, 1, "function reset by configuration space");
		gpu_reset(gpu);
	}
	return 0;
}

/* --- DMA map -------------------------------------------------------------------- */

int pci_host_dma_map(struct gpu *gpu, uint64_t iova, uint64_t size, int fd, uint64_t offset, bool r, bool w)
{
	int ret;

	gpu_lock(gpu);
	gpu_gate_wait(gpu);
	if (gpu->trace)
		trace_event(gpu, "dma_map %llx %llx %d %d %d", (unsigned long long)iova,
			    (unsigned long long)size, fd >= 0 || fd == DMA_FD_TRACE, r, w);
	ret = inject_fire(gpu, INJECT_dma_map_refused, iova, size, NULL) ?
		      -ENOSPC : dma_map(gpu->dma, iova, size, fd, offset, r, w);
	mmu_dma_changed(gpu);
	pthread_rwlock_unlock(&gpu->sm_gate);
	if (!ret)
		LEDGER(gpu, dma_map);
	gpu_unlock(gpu);
	return ret;
}

int pci_host_dma_unmap(struct gpu *gpu, uint64_t iova, uint64_t size)
{
	size_t live;
	int ret;

	gpu_lock(gpu);
	gpu_gate_wait(gpu);
	if (gpu->trace)
		trace_event(gpu, "dma_unmap %llx %llx", (unsigned long long)iova, (unsigned long long)size);
	live = dma_live(gpu->dma);
	ret = dma_unmap(gpu->dma, iova, size);
	live -= dma_live(gpu->dma);
	mmu_dma_changed(gpu);
	pthread_rwlock_unlock(&gpu->sm_gate);
	LEDGER_ADD(gpu, dma_unmap, live);
	gpu_unlock(gpu);
	return ret;
}

void pci_host_dma_unmap_all(struct gpu *gpu)
{
	gpu_lock(gpu);
	gpu_gate_wait(gpu);
	if (gpu->trace)
		trace_event(gpu, "dma_unmap_all");
	LEDGER_ADD(gpu, dma_unmap, dma_live(gpu->dma));
	dma_unmap_all(gpu->dma);
	mmu_dma_changed(gpu);
	pthread_rwlock_unlock(&gpu->sm_gate);
	gpu_unlock(gpu);
}

/* --- interrupts -------------------------------------------------------------------- */

void pci_host_irq_set(struct gpu *gpu, unsigned int irq, int efd)
{
	if (irq >= PCI_IRQ_NR) {
		if (efd >= 0)
			close(efd);
		return;
	}
	gpu_lock(gpu);
	if (gpu->trace)
		trace_event(gpu, "irq %u %d", irq, efd != -1);
	if (gpu->pci->irq[irq].efd >= 0)
		close(gpu->pci->irq[irq].efd);
	gpu->pci->irq[irq].efd = efd;
	gpu->pci->irq[irq].on = efd != -1;
	gpu->pci->irq[irq].masked = false;
	/* What was pending while nobody listened is signalled now. */
	if (efd != -1)
		pmc_intr_update(gpu);
	gpu_unlock(gpu);
}

void pci_host_irq_mask(struct gpu *gpu, unsigned int irq, bool masked)
{
	if (irq >= PCI_IRQ_NR)
		return;
	gpu_lock(gpu);
	if (gpu->trace)
		trace_event(gpu, "irq_mask %u %d", irq, masked);
	gpu->pci->irq[irq].masked = masked;
	/* INTx is a level: a line that is still up fires again. */
	if (!masked)
		pmc_intr_update(gpu);
	gpu_unlock(gpu);
}

static void irq_signal(struct gpu *gpu, unsigned int irq)
{
	struct pollfd p = { .fd = gpu->pci->irq[irq].efd, .events = POLLOUT };
	uint64_t one = 1;

	if (p.fd < 0)
		return;
	/* A peer that hands over something else than an eventfd must not block us. */
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) || write(p.fd, &one, sizeof(one)) != sizeof(one))
		gpu_log(gpu, 1, "interrupt %u could not be signalled", irq);
}

void pci_host_irq_trigger(struct gpu *gpu, unsigned int irq)
{
	if (irq >= PCI_IRQ_NR)
		return;
	gpu_lock(gpu);
	irq_signal(gpu, irq);
	gpu_unlock(gpu);
}

static void intr_send(struct gpu *gpu)
{
	struct pci_dev *pci = gpu->pci;

	/* An MSI is a memory write. */
	if (pci->irq[PCI_IRQ_MSI].on) {
		if (!pci_bus_master(gpu))
			return;
		LEDGER(gpu, msi);
		irq_signal(gpu, PCI_IRQ_MSI);
	} else if (pci->irq[PCI_IRQ_INTX].on && !pci->irq[PCI_IRQ_INTX].masked &&
		   !pci_config_intx_disabled(&pci->config)) {
		/* VFIO_IRQ_INFO_AUTOMASKED: quiet until the host unmasks. */
		pci->irq[PCI_IRQ_INTX].masked = true;
		irq_signal(gpu, PCI_IRQ_INTX);
	}
}

void pci_msi_raise(struct gpu *gpu)
{
	struct pci_dev *pci = gpu->pci;
	struct inject_arm arm;

	if (inject_dark(gpu) || inject_fire(gpu, INJECT_intr_lost, 0, 0, NULL))
		return;
	if (inject_fire(gpu, INJECT_intr_late, 0, 0, &arm) && pci->nr_late < LATE_MAX) {
		pci->late[pci->nr_late++] = gpu->now_ns + arm.delay_us * 1000;
		gpu_kick(gpu);
		return;
	}
	intr_send(gpu);
}

enum step_result pci_step(struct gpu *gpu)
{
	struct pci_dev *pci = gpu->pci;

	for (unsigned int i = 0; i < pci->nr_late;) {
		if (pci->late[i] > gpu->now_ns) {
			gpu_wake_at(gpu, pci->late[i++]);
			continue;
		}
		pci->late[i] = pci->late[--pci->nr_late];
		intr_send(gpu);
	}
	return STEP_IDLE;
}

void pci_host_reset(struct gpu *gpu)
{
	gpu_reset(gpu);
}
