// SPDX-License-Identifier: MIT
/*
 * Drives a fuzz target where the compiler has no libFuzzer: random inputs, and
 * mutations of the files given, for a number of seconds.
 *   fuzz_X -max_total_time=SECONDS [-seed=N] [FILE...]
 */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_INPUT 4096

static uint64_t rng;

static uint64_t next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

int main(int argc, char **argv)
{
	static uint8_t input[MAX_INPUT];
	unsigned long seconds = 60, runs = 0, bytes = 0;
	const char *files[256];
	int nr_files = 0;
	time_t end;

	rng = 0x9e3779b97f4a7c15ull;
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-max_total_time=", 16))
			seconds = strtoul(argv[i] + 16, NULL, 10);
		else if (!strncmp(argv[i], "-seed=", 6))
			rng ^= strtoul(argv[i] + 6, NULL, 10) << 32;
		else if (argv[i][0] != '-' && nr_files < 256)
			files[nr_files++] = argv[i];
	}
	end = time(NULL) + (time_t)seconds;
	while (time(NULL) < end) {
		size_t len = next() % MAX_INPUT;

		for (size_t i = 0; i < len; i++)
			input[i] = (uint8_t)next();
		if (nr_files && next() & 1) {
			FILE *f = fopen(files[next() % (unsigned int)nr_files], "rb");

			if (f) {
				len = fread(input, 1, MAX_INPUT, f);
				fclose(f);
				for (uint64_t n = next() % 16; len && n; n--)
					input[next() % len] = (uint8_t)next();
			}
		}
		LLVMFuzzerTestOneInput(input, len);
		runs++;
		bytes += len;
	}
	printf("%lu inputs, %lu bytes, no crash\n", runs, bytes);
	return runs ? 0 : 1;
}
