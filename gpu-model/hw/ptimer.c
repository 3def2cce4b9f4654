// SPDX-License-Identifier: MIT
/*
 * Timer: 64-bit time in ns that software may set, and an alarm on its low word.
 * The clock runs from 31.25 MHz: the low five bits are always zero.
 */
#include "hw/units.h"

enum {
	PTIMER_INTR = 0x009100,
	PTIMER_INTR_EN = 0x009140,
	PTIMER_NUMERATOR = 0x009200,
	PTIMER_DENOMINATOR = 0x009210,
	PTIMER_TIME_0 = 0x009400,
	PTIMER_TIME_1 = 0x009410,
	PTIMER_ALARM_0 = 0x009420,
};

#define PTIMER_INTR_ALARM BIT(0)
#define PTIMER_TIME_0_MASK 0xffffffe0u

static uint64_t ptimer_time(const struct gpu *gpu)
{
	return gpu_now(gpu) + (uint64_t)gpu->units->ptimer.offset;
}

static void ptimer_update_intr(struct gpu *gpu)
{
	pmc_intr_set(gpu, PMC_BIT_TIMER, hw_get(gpu, PTIMER_INTR) & hw_get(gpu, PTIMER_INTR_EN));
}

/* When does the low word of the time next equal the alarm? */
static void ptimer_arm(struct gpu *gpu)
{
	uint32_t alarm = hw_get(gpu, PTIMER_ALARM_0) & PTIMER_TIME_0_MASK;
	uint32_t now = (uint32_t)ptimer_time(gpu) & PTIMER_TIME_0_MASK;
	struct ptimer *t = &gpu->units->ptimer;

	if (!(hw_get(gpu, PTIMER_INTR_EN) & PTIMER_INTR_ALARM)) {
		t->alarm_at = 0;
		return;
	}
	t->alarm_at = gpu_now(gpu) + (alarm == now ? BIT64(32) : (uint32_t)(alarm - now));
	gpu_wake_at(gpu, t->alarm_at);
	gpu_kick(gpu);
}

static uint32_t time_0_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return (uint32_t)ptimer_time(gpu) & PTIMER_TIME_0_MASK;
}

static uint32_t time_1_read(struct gpu *gpu, const struct hw_reg *reg, unsigned int i)
{
	return ptimer_time(gpu) >> 32;
}

static void time_0_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	struct ptimer *t = &gpu->units->ptimer;

	t->offset = (int64_t)(((uint64_t)t->set_hi << 32 | (val & PTIMER_TIME_0_MASK)) - gpu_now(gpu));
	ptimer_arm(gpu);
}

static void time_1_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	gpu->units->ptimer.set_hi = val;
}

static void alarm_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, PTIMER_ALARM_0, val & PTIMER_TIME_0_MASK);
	ptimer_arm(gpu);
}

static void intr_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, PTIMER_INTR, hw_get(gpu, PTIMER_INTR) & ~val);
	ptimer_update_intr(gpu);
}

static void intr_en_write(struct gpu *gpu, const struct hw_reg *reg, unsigned int i, uint32_t val)
{
	hw_set(gpu, PTIMER_INTR_EN, val);
	ptimer_arm(gpu);
	ptimer_update_intr(gpu);
}

static const struct hw_reg ptimer_regs[] = {
	{ PTIMER_INTR, "PTIMER_INTR_0", 0, 0, 0, 0, "nouveau nv04_timer_intr; write 1 to clear", NULL,
	  intr_write },
	{ PTIMER_INTR_EN, "PTIMER_INTR_EN_0", 0, 0, 0, 0, "nouveau nv04_timer_alarm_init", NULL,
	  intr_en_write },
	{ PTIMER_NUMERATOR, "PTIMER_NUMERATOR", 0, 0, 0, 0, "rnndb bus/ptimer.xml", NULL, NULL },
	{ PTIMER_DENOMINATOR, "PTIMER_DENOMINATOR", 0, 0, 0, 0, "rnndb bus/ptimer.xml", NULL, NULL },
	{ PTIMER_TIME_0, "PTIMER_TIME_0", 0, 0, 0, 0, "nouveau nv04_timer_read, nv04_timer_time", time_0_read,
	  time_0_write },
	{ PTIMER_TIME_1, "PTIMER_TIME_1", 0, 0, 0, 0, "nouveau nv04_timer_read, nv04_timer_time", time_1_read,
	  time_1_write },
	{ PTIMER_ALARM_0, "PTIMER_ALARM_0", 0, 0, 0, 0, "nouveau nv04_timer_alarm_init", NULL, alarm_write },
};

static void ptimer_power_on(struct gpu *gpu)
{
	gpu->units->ptimer = (struct ptimer){ 0 };
}

static enum step_result ptimer_step(struct gpu *gpu)
{
	struct ptimer *t = &gpu->units->ptimer;

	if (!t->alarm_at)
		return STEP_IDLE;
	if (gpu_now(gpu) >= t->alarm_at) {
		t->alarm_at += BIT64(32);
		hw_set(gpu, PTIMER_INTR, hw_get(gpu, PTIMER_INTR) | PTIMER_INTR_ALARM);
		ptimer_update_intr(gpu);
	}
	gpu_wake_at(gpu, t->alarm_at);
	return STEP_IDLE;
}

const struct hw_block hw_ptimer = {
	.name = "ptimer",
	.base = 0x009000,
	.size = 0x1000,
	.regs = ptimer_regs,
	.nr_regs = ARRAY_SIZE(ptimer_regs),
	.reset = ptimer_power_on,
	.step = ptimer_step,
};
