// SPDX-License-Identifier: MIT
/* nbody [-n BODIES] [-s STEPS]: gravity between all pairs; CPU and GPU take turns on the same memory. */
#include "clsvm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char source[] =
	"typedef struct body { float x, y, z, m, vx, vy, vz, pad; } body;\n"
	"__kernel void accelerate(__global body *b, uint n, float dt)\n"
	"{\n"
	"	uint i = get_global_id(0);\n"
	"	if (i >= n)\n"
	"		return;\n"
	"	float ax = 0, ay = 0, az = 0;\n"
	"	for (uint k = 0; k < n; k++) {\n"
	"		float dx = b[k].x - b[i].x, dy = b[k].y - b[i].y, dz = b[k].z - b[i].z;\n"
	"		float r2 = dx * dx + dy * dy + dz * dz + 0.01f;\n"
	"		float f = b[k].m / (r2 * sqrt(r2));\n"
	"		ax += f * dx;\n"
	"		ay += f * dy;\n"
	"		az += f * dz;\n"
	"	}\n"
	"	b[i].vx += ax * dt;\n"
	"	b[i].vy += ay * dt;\n"
	"	b[i].vz += az * dt;\n"
	"}\n";

struct body {
	float x, y, z, m, vx, vy, vz, pad;
};

static void accelerate(struct body *b, size_t n, float dt)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		float ax = 0, ay = 0, az = 0;

		for (k = 0; k < n; k++) {
			float dx = b[k].x - b[i].x, dy = b[k].y - b[i].y, dz = b[k].z - b[i].z;
			float r2 = dx * dx + dy * dy + dz * dz + 0.01f;
			float f = b[k].m / (r2 * sqrtf(r2));

			ax += f * dx;
			ay += f * dy;
			az += f * dz;
		}
		b[i].vx += ax * dt;
		b[i].vy += ay * dt;
		b[i].vz += az * dt;
	}
}

static void drift(struct body *b, size_t n, float dt)
{
	size_t i;

	for (i = 0; i < n; i++) {
		b[i].x += b[i].vx * dt;
		b[i].y += b[i].vy * dt;
		b[i].z += b[i].vz * dt;
	}
}

int main(int argc, char **argv)
{
	size_t n = clsvm_option(argc, argv, 'n', 128), steps = clsvm_option(argc, argv, 's', 4), i;
	struct body *b = clsvm_alloc(n * sizeof(*b)), *ref = clsvm_alloc(n * sizeof(*ref));
	const float dt = 0.01f;
	uint32_t seed = 17;
	double t = 0, worst = 0;
	struct clsvm cl;

	memset(b, 0, n * sizeof(*b));
	for (i = 0; i < n; i++) {
		b[i].x = (float)(clsvm_random(&seed) % 2000) / 1000.0f - 1.0f;
		b[i].y = (float)(clsvm_random(&seed) % 2000) / 1000.0f - 1.0f;
		b[i].z = (float)(clsvm_random(&seed) % 2000) / 1000.0f - 1.0f;
		b[i].m = 1.0f / (float)n;
	}
	memcpy(ref, b, n * sizeof(*b));
	clsvm_open(&cl, source);
	cl.piece = (1u << 25) / n;
	for (i = 0; i < steps; i++) {
		double start = clsvm_now();

		clsvm_run(&cl, "accelerate", (n + 63) / 64 * 64, 64, "puf", b, (cl_uint)n, (double)dt);
		t += clsvm_now() - start;
		drift(b, n, dt);
		accelerate(ref, n, dt);
		drift(ref, n, dt);
	}
	for (i = 0; i < n; i++) {
		worst = fmax(worst, fabs((double)(b[i].x - ref[i].x)));
		worst = fmax(worst, fabs((double)(b[i].y - ref[i].y)));
		worst = fmax(worst, fabs((double)(b[i].z - ref[i].z)));
	}
	clsvm_close(&cl);
	free(b);
	free(ref);
	/* Square root and division may differ in their last bits. */
	return clsvm_verdict(&cl, "nbody", worst < 1e-4, t, "%zu bodies, %zu steps, off by %.1e at most", n, steps, worst);
}
