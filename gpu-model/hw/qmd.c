// SPDX-License-Identifier: MIT
/*
 * QMD V02_01: bit fields to struct qmd, and the checks that SKED makes.  No
 * state, no locks.
 *
 * Source: clc0c0qmd.h (NVC0C0_QMDV02_01_*); clc1c0qmd.h has the same layout.
 */
#include "hw/qmd.h"

#include <string.h>

/* Field MW(@hi:@lo) of at most 32 bits */
static uint32_t mw(const uint32_t *w, unsigned int hi, unsigned int lo)
{
	uint64_t v = w[lo / 32];

	if (hi / 32 != lo / 32)
		v |= (uint64_t)w[hi / 32] << 32;
	v >>= lo % 32;
	return v & ((1ull << (hi - lo + 1)) - 1);
}

static void qmd_parse_release(const uint32_t *w, struct qmd *q)
{
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int o = i * 96;	/* RELEASE1_* lie 96 bits after RELEASE0_* */

		q->release[i].enable = mw(w, 138 + i, 138 + i);
		q->release[i].va = mw(w, 767 + o, 736 + o) | (uint64_t)mw(w, 775 + o, 768 + o) << 32;
		q->release[i].op = mw(w, 790 + o, 788 + o);
		q->release[i].is_signed = mw(w, 793 + o, 792 + o) == 1;
		q->release[i].reduction = mw(w, 794 + o, 794 + o);
		q->release[i].one_word = mw(w, 799 + o, 799 + o);
		q->release[i].payload = mw(w, 831 + o, 800 + o);
	}
}

int qmd_parse(const uint32_t w[QMD_WORDS], struct qmd *q)
{
	int err = SKED_OK;

	memset(q, 0, sizeof(*q));
	q->version = mw(w, 579, 576);
	q->major = mw(w, 583, 580);
	if (!(q->version == 0 && q->major == 0) && !(q->version == 1 && q->major == 2))
		return -1;
	q->is_queue = mw(w, 136, 136);
	q->dependent = mw(w, 141, 141);
	q->invalidate_icache = mw(w, 190, 190);
	q->program_offset = mw(w, 287, 256);
	q->grid[0] = mw(w, 415, 384);
	q->grid[1] = mw(w, 431, 416);
	q->grid[2] = mw(w, 463, 448);
	q->shared_size = mw(w, 561, 544);
	for (unsigned int i = 0; i < 3; i++)
		q->block[i] = mw(w, 607 + i * 16, 592 + i * 16);
	q->local_low = mw(w, 951, 928);
	q->barriers = mw(w, 959, 955);
	q->local_high = mw(w, 983, 960);
	q->regs = mw(w, 991, 984);
	q->crs_size = mw(w, 1015, 992);
	for (unsigned int i = 0; i < QMD_CONST_BANKS; i++) {
		q->cb[i].valid = mw(w, 640 + i, 640 + i);
		q->cb[i].va =
		    mw(w, 1055 + i * 64, 1024 + i * 64) | (uint64_t)mw(w, 1072 + i * 64, 1056 + i * 64) << 32;
		q->cb[i].size = mw(w, 1087 + i * 64, 1075 + i * 64) << 4;
		if (q->cb[i].valid && q->cb[i].size > 0x10000)
			err |= SKED_CONSTANT_BUFFER_SIZE;
	}
	qmd_parse_release(w, q);

	if (!q->block[0] || !q->block[1] || !q->block[2])
		err |= SKED_CTA_THREAD_DIMENSION_ZERO;
	else if ((uint64_t)q->block[0] * q->block[1] * q->block[2] > 1024)
		err |= SKED_TOTAL_THREADS;
	/* 64 Ki registers and 48 KiB of shared memory a CTA: CUDA programming guide, compute capability 6.1
	 */
	if (q->regs == 0 || q->regs > 255)
		err |= SKED_REGISTER_COUNT;
	if (q->shared_size > 48u << 10)
		err |= SKED_SHARED_MEMORY_SIZE;
	return err;
}
