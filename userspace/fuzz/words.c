// SPDX-License-Identifier: MIT
/*
 * words FILE: finds shader code in what words.py read of nogpu.so's memory, and prints it with the model's disassembler. Code is
 * groups of four words, the first of them for scheduling, that decode up to an EXIT. No state, no locks.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sm/isa.h"

#define GROUP 32
#define EXIT(word) ((word) >> 52 == 0xe30)

/* Return: the code's length in bytes, 0: no code here */
static size_t code_length(const uint8_t *p, size_t room)
{
	for (size_t at = 0; at + GROUP <= room; at += GROUP) {
		uint64_t w[4];

		memcpy(w, p + at, sizeof(w));
		if (!w[0] || w[0] >> 63)
			return 0;
		for (unsigned int i = 1; i < 4; i++) {
			struct sm_insn insn;

			sm_decode(w[i], NULL, &insn);
			if (!w[i] || insn.op == OP_ILLEGAL)
				return 0;
			if (EXIT(w[i]))
				return at + 8 * (i + 1);
		}
	}
	return 0;
}

static void print(const uint8_t *p, size_t length)
{
	for (size_t at = 0; at < length; at += 8) {
		uint64_t word;
		char text[128];

		if (at % GROUP == 0)
			continue;
		memcpy(&word, p + at, sizeof(word));
		sm_disasm(word, at, text, sizeof(text));
		printf("%4zx: %016llx  %s\n", at, (unsigned long long)word, text);
	}
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	uint8_t *memory = malloc(64 << 20);
	size_t size, length;
	int found = 0;

	if (!file || !memory) {
		fprintf(stderr, "usage: words FILE\n");
		return 2;
	}
	size = fread(memory, 1, 64 << 20, file);
	fclose(file);
	for (size_t at = 0; at < size; at += length ? length : 4) {
		length = code_length(memory + at, size - at);
		/* a single group may be chance */
		if (length > GROUP) {
			printf("%s", found++ ? "\n" : "");
			print(memory + at, length);
		}
	}
	free(memory);
	return !found;
}
