// SPDX-License-Identifier: MIT
/*
 * Owns the contents of the PCI configuration space, described as data.
 * Context: gpu->lock held.
 *
 * Sources: PCI Local Bus Specification 3.0, PCI Power Management 1.2, PCI
 * Express Base 3.0; ids from nouveau (nvkm/engine/device/pci.c) and pci.ids.
 */
#include "pci/pci.h"

#include <string.h>

struct pci_config_reg {
	uint16_t off;
	uint8_t size;
	const char *name;
	uint32_t reset, wmask, w1c;
};

enum {
	CAP_PM = 0x60,
	PMCSR = CAP_PM + 4,
	CAP_MSI = 0x68,
	CAP_EXP = 0x78,
	DEVCTL = CAP_EXP + 8,
	CMD = 0x04,
	CMD_BUS_MASTER = 0x0004,
	CMD_INTX_DISABLE = 0x0400,
	PMCSR_STATE = 0x3,		/* 0: D0, 3: D3hot */
	DEVCTL_FLR = 0x8000,
};

static const struct pci_config_reg regs[] = {
	{ 0x00, 2, "Vendor ID", 0x10de, 0, 0 },
	/* 0x02 Device ID: by chip */
	{ CMD, 2, "Command: memory, bus master, parity, SERR, INTx disable", 0, 0x0546, 0 },
	{ 0x06, 2, "Status: capability list", 0x0010, 0, 0xf900 },
	{ 0x08, 1, "Revision ID", 0xa1, 0, 0 },
	{ 0x09, 1, "Programming interface", 0x00, 0, 0 },
	{ 0x0a, 2, "Class: 3D controller", 0x0302, 0, 0 },
	{ 0x0c, 1, "Cache line size", 0, 0xff, 0 },
	{ 0x10, 4, "BAR0: registers, 16 MiB, 32 bit", 0x00000000, 0xff000000, 0 },
	{ 0x14, 4, "BAR1 low: 256 MiB, 64 bit, prefetchable", 0x0000000c, 0xf0000000, 0 },
	{ 0x18, 4, "BAR1 high", 0, 0xffffffff, 0 },
	{ 0x1c, 4, "BAR3 low: 32 MiB, 64 bit, prefetchable", 0x0000000c, 0xfe000000, 0 },
	{ 0x20, 4, "BAR3 high", 0, 0xffffffff, 0 },
	{ 0x2c, 2, "Subsystem vendor ID", 0x10de, 0, 0 },
	/* 0x2e Subsystem ID: by chip */
	{ 0x34, 1, "Capabilities pointer", CAP_PM, 0, 0 },
	{ 0x3c, 1, "Interrupt line", 0, 0xff, 0 },
	{ 0x3d, 1, "Interrupt pin: INTA#", 1, 0, 0 },

	{ CAP_PM, 2, "Power management capability", 0x01 | CAP_MSI << 8, 0, 0 },
	{ CAP_PM + 2, 2, "PMC: version 3", 0x0003, 0, 0 },
	/* No_Soft_Reset (bit 3) is 0: D3hot to D0 is a reset of the function. */
	{ PMCSR, 2, "PMCSR", 0, PMCSR_STATE, 0 },

	{ CAP_MSI, 2, "MSI capability", 0x05 | CAP_EXP << 8, 0, 0 },
	{ CAP_MSI + 2, 2, "Message control: 64 bit, one vector", 0x0080, 0x0001, 0 },
	{ CAP_MSI + 4, 4, "Message address", 0, 0xfffffffc, 0 },
	{ CAP_MSI + 8, 4, "Message upper address", 0, 0xffffffff, 0 },
	{ CAP_MSI + 12, 2, "Message data", 0, 0xffff, 0 },

	{ CAP_EXP, 2, "PCI Express capability, last", 0x10, 0, 0 },
	{ CAP_EXP + 2, 2, "Version 2, endpoint", 0x0002, 0, 0 },
	/* 256-byte payload, role-based errors (15), function level reset (28) */
	{ CAP_EXP + 4, 4, "Device capabilities", 0x10008001, 0, 0 },
	{ DEVCTL, 2, "Device control", 0x2810, 0x7fff, 0 },
	{ CAP_EXP + 0x0a, 2, "Device status", 0, 0, 0x000f },
	/* 8 GT/s, x16 */
	{ CAP_EXP + 0x0c, 4, "Link capabilities", 0x00000103, 0, 0 },
	{ CAP_EXP + 0x10, 2, "Link control", 0, 0x0fc3, 0 },
	{ CAP_EXP + 0x12, 2, "Link status", 0x1103, 0, 0 },
	{ CAP_EXP + 0x24, 4, "Device capabilities 2", 0, 0, 0 },
	{ CAP_EXP + 0x28, 2, "Device control 2", 0, 0x001f, 0 },
	{ CAP_EXP + 0x2c, 4, "Link capabilities 2: 2.5, 5, 8 GT/s", 0x0000000e, 0, 0 },
	{ CAP_EXP + 0x30, 2, "Link control 2", 0x0003, 0x000f, 0 },
};

static void put(uint8_t *p, uint32_t v, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

void pci_config_init(struct pci_config *c, const struct gpu_config *cfg)
{
	bool gp104 = cfg->chip == CHIP_GP104;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		put(c->val + regs[i].off, regs[i].reset, regs[i].size);
		put(c->wmask + regs[i].off, regs[i].wmask, regs[i].size);
		put(c->w1c + regs[i].off, regs[i].w1c, regs[i].size);
	}
	put(c->val + 0x02, gp104 ? 0x1bb3 : 0x15f8, 2);	/* Tesla P4; Tesla P100 PCIe 16 GB */
	put(c->val + 0x2e, gp104 ? 0x11d8 : 0x118f, 2);
}

bool pci_config_bus_master(const struct pci_config *c)
{
	return get16(c->val + CMD) & CMD_BUS_MASTER;
}

bool pci_config_intx_disabled(const struct pci_config *c)
{
	return get16(c->val + CMD) & CMD_INTX_DISABLE;
}

enum pci_config_event pci_config_write(struct pci_config *c, unsigned int off, const uint8_t *buf, unsigned int len)
{
	uint16_t state = get16(c->val + PMCSR) & PMCSR_STATE;
	bool flr = false;

	for (unsigned int i = 0; i < len; i++) {
		unsigned int a = off + i;

		c->val[a] = (uint8_t)(((c->val[a] & ~c->wmask[a]) | (buf[i] & c->wmask[a])) & ~(buf[i] & c->w1c[a]));
		if (a == DEVCTL + 1 && buf[i] & DEVCTL_FLR >> 8)
			flr = true;
	}
	if (flr || (state == 3 && !(get16(c->val + PMCSR) & PMCSR_STATE)))
		return PCI_EV_RESET;
	return PCI_EV_NONE;
}
