/* SPDX-License-Identifier: MIT */
/*
 * Queue metadata: the 256-byte description of a compute grid, version 02_01.
 * hw/qmd.c.  Source: NVIDIA open-gpu-doc clc0c0qmd.h.
 */
#ifndef HW_QMD_H
#define HW_QMD_H

#include <stdbool.h>
#include <stdint.h>

#define QMD_WORDS 64
#define QMD_CONST_BANKS 8

/* SKED's complaints, 407020: nouveau gk104_sked_error[] */
enum sked_error {
	SKED_OK = 0,
	SKED_CONSTANT_BUFFER_SIZE = 1u << 7,
	SKED_LOCAL_MEMORY_SIZE_POS = 1u << 9,
	SKED_LOCAL_MEMORY_SIZE_NEG = 1u << 10,
	SKED_WARP_CSTACK_SIZE = 1u << 11,
	SKED_TOTAL_TEMP_SIZE = 1u << 12,
	SKED_REGISTER_COUNT = 1u << 13,
	SKED_TOTAL_THREADS = 1u << 18,
	SKED_PROGRAM_OFFSET = 1u << 20,
	SKED_SHARED_MEMORY_SIZE = 1u << 21,
	SKED_CTA_THREAD_DIMENSION_ZERO = 1u << 23,
	SKED_MEMORY_WINDOW_OVERLAP = 1u << 24,
	SKED_SHARED_CONFIG_TOO_SMALL = 1u << 25,
	SKED_TOTAL_REGISTER_COUNT = 1u << 26,
};

struct qmd {
	uint32_t version, major;	/* nvc0 leaves both 0, NVK writes 1 and 2 */
	uint32_t program_offset;
	uint32_t grid[3], block[3];
	uint32_t shared_size;
	uint32_t local_low, local_high, crs_size;
	uint32_t barriers, regs;
	struct {
		bool valid;
		uint64_t va;
		uint32_t size;
	} cb[QMD_CONST_BANKS];
	struct {
		bool enable, one_word, reduction, is_signed;
		uint32_t op, payload;
		uint64_t va;
	} release[2];
	bool is_queue, dependent, invalidate_icache;
};

/**
 * qmd_parse() - decode and check a QMD.
 * @w: its 64 words.
 * Return: SKED_OK, or the errors that SKED finds, or -1 for a version that is not 02_01.
 */
int qmd_parse(const uint32_t w[QMD_WORDS], struct qmd *out);

#endif
