// SPDX-License-Identifier: MIT
/* mandelbrot [-w WIDTH] [-h HEIGHT] [-i ITERATIONS] [-o FILE.png]: the picture is drawn into malloc'd memory. */
#include "clsvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] =
	"__kernel void mandelbrot(__global uint *count, uint width, uint height, uint limit)\n"
	"{\n"
	"	uint px = get_global_id(0), py = get_global_id(1), n = 0;\n"
	"	if (px >= width || py >= height)\n"
	"		return;\n"
	"	float cx = fma((float)px, 3.5f / 1024.0f * (1024.0f / (float)width), -2.5f);\n"
	"	float cy = fma((float)py, 2.0f / 1024.0f * (1024.0f / (float)height), -1.0f);\n"
	"	float x = 0, y = 0;\n"
	"	while (n < limit && x * x + y * y <= 4.0f) {\n"
	"		float t = x * x - y * y + cx;\n"
	"		y = 2.0f * x * y + cy;\n"
	"		x = t;\n"
	"		n++;\n"
	"	}\n"
	"	count[py * width + px] = n;\n"
	"}\n";

static uint32_t iterate(uint32_t px, uint32_t py, uint32_t width, uint32_t height, uint32_t limit)
{
	double cx = -2.5 + 3.5 * px / width, cy = -1.0 + 2.0 * py / height, x = 0, y = 0, t;
	uint32_t n = 0;

	while (n < limit && x * x + y * y <= 4.0) {
		t = x * x - y * y + cx;
		y = 2.0 * x * y + cy;
		x = t;
		n++;
	}
	return n;
}

/* --- PNG, stored without compression: RFC 2083, RFC 1950, RFC 1951 --- */

static uint32_t crc_of(uint32_t crc, const uint8_t *p, size_t len)
{
	int k;

	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void chunk(FILE *f, const char *type, const uint8_t *data, size_t len)
{
	uint8_t head[8], tail[4];

	be32(head, (uint32_t)len);
	memcpy(head + 4, type, 4);
	be32(tail, crc_of(crc_of(0, head + 4, 4), data, len));
	fwrite(head, 1, 8, f);
	fwrite(data, 1, len, f);
	fwrite(tail, 1, 4, f);
}

static bool write_png(const char *name, const uint32_t *count, uint32_t width, uint32_t height, uint32_t limit)
{
	static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	size_t row = 1 + 3 * (size_t)width, at = 2;
	uint8_t ihdr[13] = { 0 }, *z = clsvm_alloc(2 + height * (row + 5) + 4);
	uint32_t a = 1, b = 0, x, y;
	FILE *f = fopen(name, "wb");

	if (!f) {
		perror(name);
		free(z);
		return false;
	}
	be32(ihdr, width);
	be32(ihdr + 4, height);
	ihdr[8] = 8;
	ihdr[9] = 2;	/* red, green, blue */
	z[0] = 0x78;
	z[1] = 0x01;
	for (y = 0; y < height; y++) {
		uint8_t *line = z + at + 5;
		size_t i;

		z[at] = y == height - 1;	/* last block? stored */
		z[at + 1] = (uint8_t)row;
		z[at + 2] = (uint8_t)(row >> 8);
		z[at + 3] = (uint8_t)~row;
		z[at + 4] = (uint8_t)(~row >> 8);
		line[0] = 0;
		for (x = 0; x < width; x++) {
			uint32_t n = count[y * width + x];

			line[1 + 3 * x] = n == limit ? 0 : (uint8_t)(n * 9);
			line[2 + 3 * x] = n == limit ? 0 : (uint8_t)(n * 5);
			line[3 + 3 * x] = n == limit ? 0 : (uint8_t)(64 + n * 3);
		}
		for (i = 0; i < row; i++) {
			a = (a + line[i]) % 65521;
			b = (b + a) % 65521;
		}
		at += 5 + row;
	}
	be32(z + at, b << 16 | a);
	fwrite(magic, 1, 8, f);
	chunk(f, "IHDR", ihdr, 13);
	chunk(f, "IDAT", z, at + 4);
	chunk(f, "IEND", NULL, 0);
	free(z);
	return fclose(f) == 0;
}

int main(int argc, char **argv)
{
	uint32_t width = (uint32_t)clsvm_option(argc, argv, 'w', 128);
	uint32_t height = (uint32_t)clsvm_option(argc, argv, 'h', 64);
	uint32_t limit = (uint32_t)clsvm_option(argc, argv, 'i', 64), x, y, far = 0;
	uint32_t *count = clsvm_alloc((size_t)width * height * 4);
	const char *file = NULL;
	struct clsvm cl;
	bool ok = true;
	double t;
	int i;

	for (i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "-o"))
			file = argv[i + 1];
	}
	if (width > 16384)
		return 2;
	memset(count, 0xff, (size_t)width * height * 4);
	clsvm_open(&cl, source);
	cl.piece = limit ? (1u << 27) / limit : CLSVM_PIECE;
	t = clsvm_now();
	clsvm_run2(&cl, "mandelbrot", (const size_t[2]){ (width + 7) / 8 * 8, (height + 7) / 8 * 8 },
		   (const size_t[2]){ 8, 8 }, "puuu", count, width, height, limit);
	t = clsvm_now() - t;
	/* Points at the border of the set go either way by the last bit of a float: one in a hundred may differ. */
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++)
			far += count[y * width + x] != iterate(x, y, width, height, limit);
	}
	ok = far <= width * height / 100;
	if (file)
		ok = write_png(file, count, width, height, limit) && ok;
	clsvm_close(&cl);
	free(count);
	return clsvm_verdict(&cl, "mandelbrot", ok, t, "%u x %u, %u points differ from double precision", width, height, far);
}
