/* SPDX-License-Identifier: MIT */
/*
 * The PCI function as the host sees it: regions, configuration space,
 * interrupts, power.  Every host event passes through here (pci_host_*), from
 * the vfio-user transport and from a replayed trace alike.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include "gpu.h"

/* Regions: vfio-user numbers them as VFIO_PCI_*_REGION_INDEX does */
enum {
	PCI_REGION_BAR0 = 0,
	PCI_REGION_BAR1 = 1,
	PCI_REGION_BAR2 = 3,
	PCI_REGION_CONFIG = 7,
	PCI_REGION_NR = 9,
};

enum { PCI_IRQ_INTX, PCI_IRQ_MSI, PCI_IRQ_MSIX, PCI_IRQ_ERR, PCI_IRQ_REQ, PCI_IRQ_NR };

#define PCI_CONFIG_SIZE 4096
#define PCI_BAR1_SIZE (256 * MiB)
#define PCI_BAR2_SIZE (32 * MiB)

int pci_new(struct gpu *gpu, struct pci_dev **out);
void pci_del(struct pci_dev **pci);

/* Power-on state of the configuration space, no late interrupt left.  gpu->lock held. */
void pci_power_on(struct gpu *gpu);
/* Late interrupts.  gpu->lock held. */
enum step_result pci_step(struct gpu *gpu);

/*
 * May the device read and write system memory, and send interrupts?  Not while a host is attached
 * that hasn't set Bus Master Enable.  gpu->lock held, or gpu->sm_gate shared.
 */
bool pci_bus_master(const struct gpu *gpu);

/* Bytes of a region; 0: there is none. */
uint64_t pci_region_size(unsigned int region);

/*
 * Host events.  Context: no lock held; each takes gpu->lock.
 * pci_host_read(): @buf is all ones where nothing is or the device is gone.
 * Return: 0, or -EINVAL for a range outside of the region.
 */
/* A host is there: from now on its configuration of the function counts. */
void pci_host_attach(struct gpu *gpu, bool attached);
int pci_host_read(struct gpu *gpu, unsigned int region, uint64_t off, void *buf, size_t len);
int pci_host_write(struct gpu *gpu, unsigned int region, uint64_t off, const void *buf, size_t len);
int pci_host_dma_map(struct gpu *gpu, uint64_t iova, uint64_t size, int fd, uint64_t offset, bool r, bool w);
int pci_host_dma_unmap(struct gpu *gpu, uint64_t iova, uint64_t size);
void pci_host_dma_unmap_all(struct gpu *gpu);
/* @efd: eventfd, becomes ours; -1: none any more. */
void pci_host_irq_set(struct gpu *gpu, unsigned int irq, int efd);
void pci_host_irq_mask(struct gpu *gpu, unsigned int irq, bool masked);
void pci_host_irq_trigger(struct gpu *gpu, unsigned int irq);
void pci_host_reset(struct gpu *gpu);

/* Configuration space, pci/config.c.  gpu->lock held. */
enum pci_config_event { PCI_EV_NONE, PCI_EV_RESET };
struct pci_config {
	uint8_t val[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE];		/* bits that software can write */
	uint8_t w1c[PCI_CONFIG_SIZE];		/* bits that writing a one clears */
};
void pci_config_init(struct pci_config *c, const struct gpu_config *cfg);
enum pci_config_event pci_config_write(struct pci_config *c, unsigned int off, const uint8_t *buf, unsigned int len);
bool pci_config_bus_master(const struct pci_config *c);
bool pci_config_intx_disabled(const struct pci_config *c);

#endif
