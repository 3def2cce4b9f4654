// SPDX-License-Identifier: MIT
/*
 * How fast the shader cores run: lane-instructions a second for float, integer,
 * load/store and atomic loops, with one worker and with one a host core.
 * Prints one line each: name, workers, million lane-instructions a second of wall
 * time, and of processor time (what a core does when it is not shared).
 * Run by "make bench"; an argument chooses one loop.
 */
#include <sys/resource.h>

#include "tests/sm_harness.h"

#define LOOPS 20000

struct loop {
	const char *name;
	uint64_t body[12];
	int n;
};

/* R0 counts down, R1.. are the body's, R8:R9 is the lane's address. */
static size_t program(uint64_t *w, const struct loop *lp)
{
	size_t n = 0, top;

	w[n++] = i_s2r(0, 0x21);
	w[n++] = i_shl(1, 0, 2);
	w[n++] = i_mov32(8, (uint32_t)(VA + AT_DATA));
	w[n++] = i_iadd(8, 8, 1);
	w[n++] = i_mov32(9, VA >> 32);
	w[n++] = i_mov32(0, LOOPS);
	w[n++] = i_mov32(2, 0x3f800001);
	w[n++] = i_mov32(3, 0x3f7fffff);
	w[n++] = i_mov32(4, 0);
	top = n;
	for (int j = 0; j < lp->n; j++)
		w[n++] = lp->body[j];
	w[n++] = i_iaddi(0, 0, -1);
	/* isetp.ne p0, r0, rz */
	w[n++] = enc(0x5b6a, 0x3f & (0 << 3 | 7), 0, RZ, 0) | fld(7, 39);
	w[n] = guard(i_flow(0xe240, place_of(n), place_of(top)), 0, false);
	n++;
	w[n++] = i_exit();
	return n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static void measure(const struct loop *lp, int workers)
{
	struct plain *p = plain_new();
	struct sm_launch l = plain_launch(p, 16, 128);
	struct sm_event ev[4];
	struct sm_stats st;
	struct sm_array *sm;
	uint64_t w[64];
	double t, c;

	l.regs = 32;
	plain_code(p, AT_CODE, w, program(w, lp));
	sm_new(8, workers, &plain_ops, p, &sm);
	t = now();
	c = cpu();
	sm_launch(sm, &l);
	while (!sm_poll_events(sm, ev, 4))
		usleep(1000);
	t = now() - t;
	c = cpu() - c;
	if (ev[0].type != SM_EVENT_DONE)
		printf("%s: event %d error %x\n", lp->name, ev[0].type, ev[0].error);
	sm_get_stats(sm, &st);
	printf("%-12s workers %d  %8.1f Mlane-instr/s  %8.1f a core\n", lp->name, workers,
	       st.lane_instructions / t / 1e6, st.lane_instructions / c / 1e6);
	sm_del(&sm);
	plain_del(p);
}

int main(int argc, char **argv)
{
	uint64_t ffma = enc(0x5980, 4, 2, 3, 4), iadd = i_iadd(4, 4, 2),
		 lop = enc(0x5c47, 5, 4, 3, 0) | fld(2, 41);
	uint64_t xmad = enc(0x5b00, 6, 4, 5, 6), shl = i_shl(7, 6, 3);
	uint64_t red = 0xebf9000000070000ull | 4 | 8 << 8;
	uint64_t imov = i_movc(4, 0, 0);
	const struct loop loops[] = {
	    {"fma", {ffma, ffma, ffma, ffma, ffma, ffma, ffma, ffma}, 8},
	    {"int", {iadd, lop, xmad, shl, iadd, lop, xmad, shl}, 8},
	    {"const", {imov, imov, imov, imov}, 4},
	    {"load", {i_ldg(4, 8, 0, 4), i_ldg(5, 8, 512, 4), i_ldg(6, 8, 1024, 4), i_ldg(7, 8, 1536, 4)}, 4},
	    {"store",
	     {i_stg(4, 8, 0, 4), i_stg(5, 8, 512, 4), i_stg(6, 8, 1024, 4), i_stg(7, 8, 1536, 4)},
	     4},
	    {"atomic", {red, red}, 2},
	};
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t j = 0; j < sizeof(loops) / sizeof(loops[0]); j++) {
		if (argc > 1 && strcmp(argv[1], loops[j].name))
			continue;
		measure(&loops[j], 1);
		if (cpus > 1)
			measure(&loops[j], cpus);
	}
	return 0;
}
