// SPDX-License-Identifier: MIT
/*
 * SEC2, the security falcon of GP102 and later: runs the ACR's high-secure
 * loader, then a small light-secure operating system that takes commands over
 * a queue: load the firmware of another falcon, shut down.
 *
 * Sources: nouveau nvkm/engine/sec2/{base,gp102}.c, nvkm/falcon/{cmdq,msgq}.c,
 * nvfw/sec2.h.
 */
#include <string.h>

#include "hw/units.h"

enum {
	SEC2_BASE = 0x840000,
	SEC2_DEBUG_INFO = SEC2_BASE + 0x408,
	SEC2_FBIF_CTL = SEC2_BASE + 0x604,
	SEC2_CMDQ_HEAD = SEC2_BASE + 0xa00,
	SEC2_CMDQ_TAIL = SEC2_BASE + 0xa04,
	SEC2_MSGQ_HEAD = SEC2_BASE + 0xa30,
	SEC2_MSGQ_TAIL = SEC2_BASE + 0xa34,
};

/* Queues are in EMEM, which nouveau addresses from here: gp102_sec2_flcn.emem_addr */
#define EMEM_BASE 0x01000000u
#define CMDQ_OFFSET EMEM_BASE
#define CMDQ_SIZE 0x80u
#define MSGQ_OFFSET (EMEM_BASE + CMDQ_SIZE)
#define MSGQ_SIZE 0x100u
/* More commands than this at once do not fit into the queue */
#define CMDQ_MAX_COMMANDS (CMDQ_SIZE / 4 + 1)

enum { UNIT_REWIND = 0x00, UNIT_INIT = 0x01, UNIT_UNLOAD = 0x06, UNIT_ACR = 0x08 };
enum { QUEUE_ID_CMDQ = 0, QUEUE_ID_MSGQ = 1 };

struct msg_hdr {
	uint8_t unit, size, ctrl, seq;
};

struct queue_info {
	uint32_t offset;
	uint16_t size;
	uint8_t index, id;
};

/* nv_sec2_init_msg */
struct init_msg {
	struct msg_hdr hdr;
	uint8_t type, nr_queues;
	uint16_t entry;
	struct queue_info queue[2];
	uint32_t area_offset;
	uint16_t area_size, pad;
};
_Static_assert(sizeof(struct init_msg) == 32, "nv_sec2_init_msg");

/* nv_sec2_acr_bootstrap_falcon_msg */
struct acr_msg {
	struct msg_hdr hdr;
	uint8_t type, pad[3];
	uint32_t error, falcon_id;
};
enum { ACR_CMD_FALCON_ID = 12 };

static void sec2_send(struct gpu *gpu, const void *msg, uint32_t size)
{
	uint32_t head = hw_get(gpu, SEC2_MSGQ_HEAD);
	struct falcon *f = &gpu->units->sec2;

	if (head + size > MSGQ_OFFSET + MSGQ_SIZE)
		head = MSGQ_OFFSET;
	falcon_emem_write(f, head - EMEM_BASE, msg, size);
	hw_set(gpu, SEC2_MSGQ_HEAD, head + size);
	falcon_raise(gpu, f, FALCON_IRQ_SWGEN0);
}

static void sec2_rtos(struct gpu *gpu, struct falcon *f)
{
	static const struct init_msg msg = {
		.hdr = { UNIT_INIT, sizeof(msg), 0, 0 },
		.nr_queues = 2,
		.queue = {
			{ CMDQ_OFFSET, CMDQ_SIZE, 0, QUEUE_ID_CMDQ },
			{ MSGQ_OFFSET, MSGQ_SIZE, 0, QUEUE_ID_MSGQ },
		},
	};

	hw_set(gpu, SEC2_CMDQ_HEAD, CMDQ_OFFSET);
	hw_set(gpu, SEC2_CMDQ_TAIL, CMDQ_OFFSET);
	hw_set(gpu, SEC2_MSGQ_HEAD, MSGQ_OFFSET);
	hw_set(gpu, SEC2_MSGQ_TAIL, MSGQ_OFFSET);
	f->irqdest = FALCON_IRQ_SWGEN0 | FALCON_IRQ_HALT;
	f->irqmask = f->irqdest;
	sec2_send(gpu, &msg, sizeof(msg));
}

static void sec2_command(struct gpu *gpu, struct falcon *f, uint32_t at, struct msg_hdr cmd)
{
	struct acr_msg msg = { .hdr = { cmd.unit, sizeof(msg), cmd.ctrl, cmd.seq } };

	switch (cmd.unit) {
	case UNIT_ACR:
		msg.falcon_id = falcon_emem_rd32(f, at + ACR_CMD_FALCON_ID);
		msg.error = acr_bootstrap(gpu, msg.falcon_id);
		sec2_send(gpu, &msg, sizeof(msg));
		break;
	case UNIT_UNLOAD:
		msg.hdr.size = sizeof(msg.hdr);
		sec2_send(gpu, &msg, sizeof(msg.hdr));
		falcon_halt(gpu, f, 0);
		break;
	default:
		gpu_log(gpu, 1, "sec2: command for unit %02x not modelled", cmd.unit);
		break;
	}
}

/*
 * Work off the command queue.  The RTOS answers one command at a time and raises no second
 * message interrupt before the host has cleared the first: nouveau's gp102_sec2_intr() reads the
 * message and clears the interrupt after that, so an answer in between would be lost to it.
 * Return: true while commands wait for that.
 */
static bool sec2_process(struct gpu *gpu)
{
	struct falcon *f = &gpu->units->sec2;
	uint32_t tail = hw_get(gpu, SEC2_CMDQ_TAIL), head = hw_get(gpu, SEC2_CMDQ_HEAD);

	for (unsigned int n = 0; f->running && tail != head && n < CMDQ_MAX_COMMANDS; n++) {
		uint32_t at = tail - EMEM_BASE;
		uint32_t word = falcon_emem_rd32(f, at);
		struct msg_hdr cmd;

		memcpy(&cmd, &word, sizeof(cmd));
		if (cmd.unit == UNIT_REWIND) {
			tail = CMDQ_OFFSET;
			continue;
		}
		if (cmd.size < sizeof(cmd) || at + cmd.size > CMDQ_SIZE) {
			gpu_log(gpu, 1, "sec2: malformed command %08x", word);
			tail = head;
			break;
		}
		if (f->irqstat & FALCON_IRQ_SWGEN0)
			break;
		sec2_command(gpu, f, at, cmd);
		tail += (cmd.size + 3u) & ~3u;
	}
	hw_set(gpu, SEC2_CMDQ_TAIL, tail);
	return f->running && tail != head;
}

static void cmdq_head_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, SEC2_CMDQ_HEAD, val);
	if (sec2_process(gpu))
		gpu_kick(gpu);
}

static enum step_result sec2_step(struct gpu *gpu)
{
	return gpu->units->sec2.ops && sec2_process(gpu) ? STEP_POLL : STEP_IDLE;
}

static void sec2_run(struct gpu *gpu, struct falcon *f, const char *fw)
{
	if (fw && !strcmp(fw, STANDIN_BOOTLOADER))
		acr_run_hs(gpu, f);
	else if (!fw && f->ls_loaded)
		sec2_rtos(gpu, f);
	else
		falcon_halt(gpu, f, FALCON_MBOX_UNKNOWN_FIRMWARE);
}

static const struct falcon_ops sec2_ops = {
	.name = "sec2",
	.base = SEC2_BASE,
	.intr_bit = PMC_BIT_SEC2,
	.run = sec2_run,
};

static const struct hw_reg sec2_regs[] = {
	FALCON_REGS(SEC2_BASE),
	FALCON_REG(SEC2_BASE, FALCON_EMEMC, "FALCON_EMEMC(0)", 0, 0, "nouveau gp102_flcn_emem_pio"),
	FALCON_REG(SEC2_BASE, FALCON_EMEMD, "FALCON_EMEMD(0)", 0, 0, "nouveau gp102_flcn_emem_pio"),
	{ SEC2_DEBUG_INFO, "SEC2_DEBUG_INFO", 0, REG_RO, 0, 0,
	  "nouveau gm200_flcn_fw_signature: production keys", NULL, NULL },
	{ SEC2_FBIF_CTL, "SEC2_FBIF_TRANSCFG", 0, 0, 0, 0, "nouveau gm200_flcn_bind_inst", NULL, NULL },
	{ SEC2_CMDQ_HEAD, "SEC2_QUEUE_HEAD(0)", 0, 0, 0, 0, "nouveau gp102_sec2_flcn", NULL,
	  cmdq_head_write },
	{ SEC2_CMDQ_TAIL, "SEC2_QUEUE_TAIL(0)", 0, 0, 0, 0, "nouveau gp102_sec2_flcn", NULL, NULL },
	{ SEC2_MSGQ_HEAD, "SEC2_MSGQ_HEAD(0)", 0, 0, 0, 0, "nouveau gp102_sec2_flcn", NULL, NULL },
	{ SEC2_MSGQ_TAIL, "SEC2_MSGQ_TAIL(0)", 0, 0, 0, 0, "nouveau gp102_sec2_flcn", NULL, NULL },
};

static void sec2_power_on(struct gpu *gpu)
{
	/* GP100 has no such falcon that software uses */
	if (gpu->cfg.chip == CHIP_GP100)
		memset(&gpu->units->sec2, 0, sizeof(gpu->units->sec2));
	else
		falcon_init(&gpu->units->sec2, &sec2_ops);
}

const struct hw_block hw_sec2 = {
	.name = "sec2",
	.base = SEC2_BASE,
	.size = 0x1000,
	.regs = sec2_regs,
	.nr_regs = ARRAY_SIZE(sec2_regs),
	.reset = sec2_power_on,
	.step = sec2_step,
};
