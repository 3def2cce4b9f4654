/* SPDX-License-Identifier: MIT */
/*
 * The DMA map: which bus addresses (IOVA) the host has given the device, and
 * where they are in this process.  pci/dma.c.  A tree of ranges, unbounded; one
 * mmap per memfd, not one per range (with an IOMMU there are many ranges).
 */
#ifndef PCI_DMA_H
#define PCI_DMA_H

#include "gpu.h"

/* In place of a file: memory is there, its contents come from a trace. */
#define DMA_FD_TRACE (-2)

int dma_new(struct gpu *gpu, struct dma **out);
void dma_del(struct dma **dma);

/*
 * dma_map() - VFIO_USER_DMA_MAP.  @fd (may be -1: a region without memory behind it; accesses
 * there are findings) stays the caller's.  Context: gpu->lock and sm_gate exclusive.
 * Return: 0, -EINVAL overlap, -ENOMEM, -errno of mmap.
 */
int dma_map(struct dma *d, uint64_t iova, uint64_t size, int fd, uint64_t offset, bool readable, bool writable);
/*
 * dma_unmap() - VFIO_USER_DMA_UNMAP: all ranges that lie within.  QEMU's intel-iommu takes away in one
 * message what came page by page, when a directory of the IOMMU's page table goes (vtd_page_walk_level(),
 * hw/i386/intel_iommu.c), as VFIO's own unmap may.  Context: as dma_map().
 * Return: 0; -ENOENT: nothing is mapped there; -EINVAL: a range would be cut, or bad size.  Nothing changes then.
 */
int dma_unmap(struct dma *d, uint64_t iova, uint64_t size);
void dma_unmap_all(struct dma *d);

/**
 * dma_lookup() - host pointer of a bus address.
 * @left: bytes from there to the end of the contiguous range.
 * @generation: counts how often this range was mapped anew (sanitizer: stale IOVA use).
 * Return: pointer, NULL when not mapped or not permitted.
 */
uint8_t *dma_lookup(struct dma *d, uint64_t iova, bool write, uint64_t *left, uint64_t *generation);
/* Like dma_lookup() for a range whose contents come from a trace.  Return: true when mapped and permitted. */
bool dma_present(struct dma *d, uint64_t iova, bool write, uint64_t *left);
size_t dma_live(const struct dma *d);	/* ranges: a leak oracle */

/* MSI: pci/pci.c, or INTx.  Counts in the ledger; an injection may drop or delay it. */
void pci_msi_raise(struct gpu *gpu);

#endif
