// SPDX-License-Identifier: MIT
/*
 * The opcode table and the decoder.  Owns the table (constant) and an index of
 * it by bits 63:51, made once; no locks.
 *
 * Sources of the encodings: envytools envydis/gm107.c (masks, field places) and
 * Mesa nv50_ir_emit_gm107.cpp, nak/sm50.rs (what compilers set).
 */
#include <pthread.h>
#include <string.h>

#include "sm/isa.h"

/* Three forms of a two-source operation: B is register, constant or immediate. */
#define ALU2(op, lo, f, nd, na, nb, name, fmt)					\
	{ 0x5c00 | (lo), 0xfff8, op, FORM_R, nd, na, nb, 0, 0, name, fmt },	\
	{ 0x4c00 | (lo), 0xfff8, op, FORM_C, nd, na, nb, 0, 0, name, fmt },	\
	{ 0x3800 | (lo), 0xfef8, op, f, nd, na, nb, 0, 0, name, fmt }
/* The same where the subopcode stands in bits 51:48 (mask fff0). */
#define CMP2(op, lo, f, nd, n, name, fmt)					\
	{ 0x5b00 | (lo), 0xfff0, op, FORM_R, nd, n, n, 0, 0, name, fmt },	\
	{ 0x4b00 | (lo), 0xfff0, op, FORM_C, nd, n, n, 0, 0, name, fmt },	\
	{ 0x3600 | (lo), 0xfef0, op, f, nd, n, n, 0, 0, name, fmt }
/* Four forms of a three-source operation. */
#define ALU3(op, r, c, i, f, rc, m, n, name, fmt)				\
	{ r, m, op, FORM_R, n, n, n, n, 39, name, fmt },			\
	{ c, m, op, FORM_C, n, n, n, n, 39, name, fmt },			\
	{ i, (m) & 0xfeff, op, f, n, n, n, n, 39, name, fmt },			\
	{ rc, m, op, FORM_RC, n, n, n, n, 0, name, fmt }
#define MEM(op, match, mask, name, fmt) \
	{ match, mask, op, FORM_NONE, 0, 0, 0, 0, 0, name, fmt }
#define CTL MEM

#define FCMP_S "@fcmp48 "
#define SETP_T "b43:x @bool45 p3 p0 a b P39"

/* clang-format off: a table, one row a line */
static const struct sm_row rows[] = {
	/* moves */
	ALU2(OP_MOV, 0x98, FORM_I, 1, 0, 1, "mov", "d b u4@39"),
	{ 0x0100, 0xfff0, OP_MOV, FORM_L, 1, 0, 1, 0, 0, "mov32i", "d b u4@12" },
	ALU2(OP_SEL, 0xa0, FORM_I, 1, 1, 1, "sel", "d a b P39"),
	ALU3(OP_PRMT, 0x5bc0, 0x4bc0, 0x36c0, FORM_I, 0x53c0, 0xfff0, 1, "prmt", "@prmt48 d a b c"),
	/* integer */
	ALU2(OP_IADD, 0x10, FORM_I, 1, 1, 1, "iadd", "b50:sat b43:x b47:cc d b49:neg a b48:neg b"),
	{ 0x1d80, 0xff80, OP_IADD32I, FORM_L, 1, 1, 1, 0, 0, "iadd32i", "=po b54:sat b53:x b52:cc d a s32@20" },
	{ 0x1c00, 0xfe80, OP_IADD32I, FORM_L, 1, 1, 1, 0, 0, "iadd32i", "b54:sat b53:x b52:cc d b56:neg a s32@20" },
	{ 0x5cc0, 0xfff0, OP_IADD3, FORM_R, 1, 1, 1, 1, 39, "iadd3", "@i3sh37 b48:x b47:cc d b51:neg @i3h35 a b50:neg @i3h33 b b49:neg @i3h31 c" },
	{ 0x4cc0, 0xfff0, OP_IADD3, FORM_C, 1, 1, 1, 1, 39, "iadd3", "b48:x b47:cc d b51:neg a b50:neg b b49:neg c" },
	{ 0x38c0, 0xfef0, OP_IADD3, FORM_I, 1, 1, 1, 1, 39, "iadd3", "b48:x b47:cc d b51:neg a b50:neg b b49:neg c" },
	ALU2(OP_ISCADD, 0x18, FORM_I, 1, 1, 1, "iscadd", "b47:cc d b49:neg a b48:neg b u5@39"),
	{ 0x1400, 0xfc00, OP_ISCADD32I, FORM_L, 1, 1, 1, 0, 0, "iscadd32i", "b52:cc d a s32@20 u5@53" },
	{ 0x5bd8, 0xfff8, OP_LEA_HI, FORM_R, 1, 1, 1, 1, 39, "lea", "=hi b38:x p48 b47:cc d b37:neg a b c u5@28" },
	{ 0x1800, 0xfc00, OP_LEA_HI, FORM_C, 1, 1, 1, 1, 39, "lea", "=hi b57:x p48 b47:cc d b56:neg a b c u5@51" },
	{ 0x5bd0, 0xfff8, OP_LEA, FORM_R, 1, 1, 1, 0, 0, "lea", "b46:x p48 b47:cc d b45:neg a b u5@39" },
	{ 0x4bd0, 0xfff0, OP_LEA, FORM_C, 1, 1, 1, 0, 0, "lea", "b46:x p48 b47:cc d b45:neg a b u5@39" },
	{ 0x36d0, 0xfef8, OP_LEA, FORM_I, 1, 1, 1, 0, 0, "lea", "b46:x p48 b47:cc d b45:neg a b u5@39" },
	ALU2(OP_IMUL, 0x38, FORM_I, 1, 1, 1, "imul", "@us40 @us41 b39:hi b47:cc d a b"),
	{ 0x1f00, 0xff00, OP_IMUL32I, FORM_L, 1, 1, 1, 0, 0, "imul32i", "@us54 @us55 b53:hi b52:cc d a s32@20" },
	ALU3(OP_IMAD, 0x5a00, 0x4a00, 0x3400, FORM_I, 0x5200, 0xff80, 1, "imad", "@us48 @us53 b54:hi b50:sat b49:x b47:c d a b c"),
	{ 0x1000, 0xfc00, OP_IMAD32I, FORM_L, 1, 1, 1, 1, 0, "imad32i", "@us54 @us57 b53:hi b52:cc d b56:neg a s32@20 b55:neg d" },
	{ 0x5b00, 0xffc0, OP_XMAD, FORM_R, 1, 1, 1, 1, 39, "xmad", "@xmty48 b36:psl b37:mrg @xmad50 b38:x b47:cc d b53:h1 a b35:h1 b c" },
	{ 0x4e00, 0xfe00, OP_XMAD, FORM_C, 1, 1, 1, 1, 39, "xmad", "@xmty48 b55:psl b56:mrg @xmac50 b54:x b47:cc d b53:h1 a b52:h1 b c" },
	{ 0x3600, 0xfec0, OP_XMAD, FORM_U16, 1, 1, 1, 1, 39, "xmad", "@xmty48 b36:psl b37:mrg @xmad50 b38:x b47:cc d b53:h1 a b c" },
	{ 0x5100, 0xff80, OP_XMAD, FORM_RC, 1, 1, 1, 1, 0, "xmad", "@xmty48 @xmac50 b54:x b47:cc d b53:h1 a b52:h1 b c" },
	ALU2(OP_IMNMX, 0x20, FORM_I, 1, 1, 1, "imnmx", "@u48 @mnx43 b47:cc d a b P39"),
	/* logic and shifts */
	ALU2(OP_LOP, 0x40, FORM_I, 1, 1, 1, "lop", "@lop41 b43:x @lopp44 p48 b47:cc d b39:inv a b40:inv b"),
	{ 0x0400, 0xfc00, OP_LOP32I, FORM_L, 1, 1, 1, 0, 0, "lop32i", "@lop53 b57:x b52:cc d b55:inv a b56:inv b" },
	{ 0x5be0, 0xfff8, OP_LOP3, FORM_R, 1, 1, 1, 1, 39, "lop3", "=lut b38:x @lopp36 p48 b47:cc d a b c u8@28" },
	{ 0x0200, 0xfe00, OP_LOP3, FORM_C, 1, 1, 1, 1, 39, "lop3", "=lut b56:x b47:cc d a b c u8@48" },
	{ 0x3c00, 0xfc00, OP_LOP3, FORM_I, 1, 1, 1, 1, 39, "lop3", "=lut b47:cc d a b u8@48" },
	ALU2(OP_SHL, 0x48, FORM_I, 1, 1, 1, "shl", "b39:w b43:x b47:cc d a b"),
	ALU2(OP_SHR, 0x28, FORM_I, 1, 1, 1, "shr", "@u48 b39:w b44:x b40:brev b47:cc d a b"),
	{ 0x5bf8, 0xfff8, OP_SHF_L, FORM_R, 1, 1, 1, 1, 39, "shf", "=l b50:w @shf37 @shfx48 b47:cc d a b c" },
	{ 0x36f8, 0xfef8, OP_SHF_L, FORM_I, 1, 1, 1, 1, 39, "shf", "=l b50:w @shf37 @shfx48 b47:cc d a b6 c" },
	{ 0x5cf8, 0xfff8, OP_SHF_R, FORM_R, 1, 1, 1, 1, 39, "shf", "=r b50:w @shf37 @shfx48 b47:cc d a b c" },
	{ 0x38f8, 0xfef8, OP_SHF_R, FORM_I, 1, 1, 1, 1, 39, "shf", "=r b50:w @shf37 @shfx48 b47:cc d a b6 c" },
	ALU2(OP_BFE, 0x00, FORM_I, 1, 1, 1, "bfe", "@u48 b40:brev b47:cc d a b"),
	{ 0x5bf0, 0xfff8, OP_BFI, FORM_R, 1, 1, 1, 1, 39, "bfi", "b47:cc d a b c" },
	{ 0x4bf0, 0xfff8, OP_BFI, FORM_C, 1, 1, 1, 1, 39, "bfi", "b47:cc d a b c" },
	{ 0x36f0, 0xfef8, OP_BFI, FORM_I, 1, 1, 1, 1, 39, "bfi", "b47:cc d a b c" },
	{ 0x53f0, 0xfff8, OP_BFI, FORM_RC, 1, 1, 1, 1, 0, "bfi", "b47:cc d a b c" },
	ALU2(OP_FLO, 0x30, FORM_I, 1, 0, 1, "flo", "@u48 b41:sh b47:cc d b40:inv b"),
	ALU2(OP_POPC, 0x08, FORM_I, 1, 0, 1, "popc", "d b40:inv b"),
	/* integer compares, predicates */
	CMP2(OP_ISETP, 0x60, FORM_I, 0, 1, "isetp", "@icmp49 @u48 " SETP_T),
	CMP2(OP_ISET, 0x50, FORM_I, 1, 1, "iset", "b44:bf @icmp49 @u48 b43:x @bool45 b47:cc d a b P39"),
	ALU3(OP_ICMP, 0x5b40, 0x4b40, 0x3640, FORM_I, 0x5340, 0xfff0, 1, "icmp", "@icmp49 @u48 d a b c"),
	{ 0x5090, 0xfff8, OP_PSETP, FORM_NONE, 0, 0, 0, 0, 0, "psetp", "@bool24 @bool45 p3 p0 P12 P29 P39" },
	{ 0x5088, 0xfff8, OP_PSET, FORM_NONE, 1, 0, 0, 0, 0, "pset", "b44:bf @bool24 @bool45 b47:cc d P12 P29 P39" },
	{ 0x50a0, 0xfff8, OP_CSETP, FORM_NONE, 0, 0, 0, 0, 0, "csetp", "@cc8 @bool45 p3 p0 =cc P39" },
	{ 0x5098, 0xfff8, OP_CSET, FORM_NONE, 1, 0, 0, 0, 0, "cset", "b44:bf @cc8 @bool45 d =cc P39" },
	ALU2(OP_P2R, 0xe8, FORM_I, 1, 1, 1, "p2r", "@byte41 d @prcc40 a b"),
	ALU2(OP_R2P, 0xf0, FORM_I, 0, 1, 1, "r2p", "@prcc40 @byte41 a b"),
	/* float */
	ALU2(OP_FADD, 0x58, FORM_F, 1, 1, 1, "fadd", "b44:ftz b50:sat @rnd39 b47:cc d b48:neg b46:abs a b45:neg b49:abs b"),
	{ 0x0800, 0xfc00, OP_FADD32I, FORM_L, 1, 1, 1, 0, 0, "fadd32i", "b55:ftz b52:cc d b56:neg b54:abs a b53:neg b57:abs b" },
	ALU2(OP_FMUL, 0x68, FORM_F, 1, 1, 1, "fmul", "@ftz44 @pdiv41 @rnd39 b50:sat b47:cc d a b48:neg b"),
	{ 0x1e00, 0xff00, OP_FMUL32I, FORM_L, 1, 1, 1, 0, 0, "fmul32i", "@ftz53 b55:sat b52:cc d a b" },
	ALU3(OP_FFMA, 0x5980, 0x4980, 0x3280, FORM_F, 0x5180, 0xff80, 1, "ffma", "@ftz53 @rnd51 b50:sat b47:cc d a b48:neg b b49:neg c"),
	{ 0x0c00, 0xfc00, OP_FFMA32I, FORM_L, 1, 1, 1, 1, 0, "ffma32i", "@ftz53 b55:sat b52:cc d b56:neg a b b57:neg d" },
	ALU2(OP_FMNMX, 0x60, FORM_F, 1, 1, 1, "fmnmx", "b44:ftz b47:cc d b48:neg b46:abs a b45:neg b49:abs b P39"),
	{ 0x5080, 0xfff8, OP_MUFU, FORM_NONE, 1, 1, 0, 0, 0, "mufu", "@mufu20 b50:sat d b48:neg b46:abs a" },
	ALU2(OP_RRO, 0x90, FORM_F, 1, 0, 1, "rro", "@rro39 d b45:neg b49:abs b"),
	CMP2(OP_FSETP, 0xb0, FORM_F, 0, 1, "fsetp", FCMP_S "b47:ftz @bool45 p3 p0 b43:neg b7:abs a b6:neg b44:abs b P39"),
	{ 0x5800, 0xff00, OP_FSET, FORM_R, 1, 1, 1, 0, 0, "fset", "b52:bf @fcmp48 @bool45 b55:ftz b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	{ 0x4800, 0xff00, OP_FSET, FORM_C, 1, 1, 1, 0, 0, "fset", "b52:bf @fcmp48 @bool45 b55:ftz b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	{ 0x3000, 0xfe00, OP_FSET, FORM_F, 1, 1, 1, 0, 0, "fset", "b52:bf @fcmp48 @bool45 b55:ftz b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	ALU3(OP_FCMP, 0x5ba0, 0x4ba0, 0x36a0, FORM_F, 0x53a0, 0xfff0, 1, "fcmp", "@fcmp48 b47:ftz d a b c"),
	ALU2(OP_FCHK, 0x88, FORM_F, 0, 1, 1, "fchk", "=divide p3 b48:neg b46:abs a b45:neg b49:abs b"),
	{ 0x50f8, 0xfff8, OP_FSWZADD, FORM_R, 1, 1, 1, 0, 0, "fswzadd", "b44:ftz @rnd39 b38:ndv b47:cc d a b u8@28" },
	/* double */
	ALU2(OP_DADD, 0x70, FORM_D, 2, 2, 2, "dadd", "@rnd39 b47:cc d b48:neg b46:abs a b45:neg b49:abs b"),
	ALU2(OP_DMUL, 0x80, FORM_D, 2, 2, 2, "dmul", "@rnd39 b47:cc d a b48:neg b"),
	ALU3(OP_DFMA, 0x5b70, 0x4b70, 0x3670, FORM_D, 0x5370, 0xfff0, 2, "dfma", "@rnd50 b47:cc d a b48:neg b b49:neg c"),
	ALU2(OP_DMNMX, 0x50, FORM_D, 2, 2, 2, "dmnmx", "b47:cc d b48:neg b46:abs a b45:neg b49:abs b P39"),
	CMP2(OP_DSETP, 0x80, FORM_D, 0, 2, "dsetp", FCMP_S "@bool45 p3 p0 b43:neg b7:abs a b6:neg b44:abs b P39"),
	{ 0x5900, 0xff80, OP_DSET, FORM_R, 1, 2, 2, 0, 0, "dset", "b52:bf @fcmp48 @bool45 b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	{ 0x4900, 0xff80, OP_DSET, FORM_C, 1, 2, 2, 0, 0, "dset", "b52:bf @fcmp48 @bool45 b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	{ 0x3200, 0xfe80, OP_DSET, FORM_D, 1, 2, 2, 0, 0, "dset", "b52:bf @fcmp48 @bool45 b47:cc d b43:neg b54:abs a b53:neg b44:abs b P39" },
	/* conversions; widths of D and B follow from bits 11:8 */
	ALU2(OP_I2I, 0xe0, FORM_I, 1, 0, 1, "i2i", "@idst8 @isrc10 b50:sat b47:cc d @byte41 b45:neg b49:abs b"),
	ALU2(OP_I2F, 0xb8, FORM_I, 1, 0, 1, "i2f", "@fsz8 @isrc10 @rnd39 b47:cc d b45:neg b49:abs @byte41 b"),
	ALU2(OP_F2I, 0xb0, FORM_F, 1, 0, 1, "f2i", "b44:ftz @idst8 @fsz10 @irnd39 b47:cc d b45:neg b49:abs b"),
	ALU2(OP_F2F, 0xa8, FORM_F, 1, 0, 1, "f2f", "b44:ftz @fsz10 @fsz8 @f2f39 b50:sat b47:cc d b45:neg b49:abs b"),
	/* across lanes */
	{ 0xef10, 0xfff8, OP_SHFL, FORM_NONE, 1, 1, 0, 0, 0, "shfl", "@shfl30 p48 d a shfl" },
	{ 0x50d8, 0xfff8, OP_VOTE, FORM_NONE, 1, 0, 0, 0, 0, "vote", "@vote48 d p45 P39" },
	/* machine state */
	{ 0xf0c8, 0xfff8, OP_S2R, FORM_NONE, 1, 0, 0, 0, 0, "mov", "d sys" },
	{ 0x50c8, 0xfff8, OP_CS2R, FORM_NONE, 1, 0, 0, 0, 0, "cs2r", "d sys" },
	{ 0x50d0, 0xfff8, OP_LEPC, FORM_NONE, 1, 0, 0, 0, 0, "lepc", "d" },
	{ 0xf0b8, 0xfff8, OP_B2R, FORM_NONE, 1, 0, 0, 0, 0, "b2r", "d u8@8" },
	/* memory */
	MEM(OP_LDC, 0xef90, 0xfff8, "ld", "@ldc44 @size48 d ca"),
	MEM(OP_LD, 0x8000, 0xe000, "ld", "b52:e @ldc56 @size53 d g32 p58"),
	MEM(OP_ST, 0xa000, 0xe000, "st", "b52:e @stc56 @size53 g32 d p58"),
	MEM(OP_LDG, 0xeed0, 0xfff8, "ldg", "b45:e @ldc46 @size48 d n24"),
	MEM(OP_STG, 0xeed8, 0xfff8, "stg", "b45:e @stc46 @size48 n24 d"),
	MEM(OP_LDL, 0xef40, 0xfff8, "ld", "@ldlc44 @size48 d l24"),
	MEM(OP_STL, 0xef50, 0xfff8, "st", "@stc44 @size48 l24 d"),
	MEM(OP_LDS, 0xef48, 0xfff8, "ld", "b44:u @size48 d s24"),
	MEM(OP_STS, 0xef58, 0xfff8, "st", "@size48 s24 d"),
	MEM(OP_ATOM, 0xed00, 0xff00, "atom", "@atom52 b48:e @aty49 d g20 r20"),
	MEM(OP_ATOM_CAS, 0xeef0, 0xfff0, "atom", "=cas b48:e @sz49 d g20 r20"),
	MEM(OP_RED, 0xebf8, 0xfff8, "red", "@red23 b48:e @aty20 g20 d"),
	MEM(OP_ATOMS, 0xec00, 0xff00, "atoms", "@atom52 @asty28 d s22 r20"),
	MEM(OP_ATOMS_CAS, 0xee00, 0xff80, "atoms", "@ascas53 @sz52 d s22 r20"),
	MEM(OP_MEMBAR, 0xef98, 0xfff8, "membar", "@mbar8 @mbiv0"),
	MEM(OP_CCTL, 0xef60, 0xffe0, "cctl", "b52:e @cctlc4 @cctl0 g30"),
	MEM(OP_CCTLL, 0xef80, 0xffe0, "cctll", "@cctl0 l22"),
	MEM(OP_CCTLT, 0xebf0, 0xfff9, "cctlt", ""),
	/* control */
	CTL(OP_NOP, 0x50b0, 0xfff8, "nop", "b13:trig @cc8 u16@20"),
	CTL(OP_DEPBAR, 0xf0f0, 0xfff8, "depbar", "b29:le u3@26 u6@20 u6@0"),
	CTL(OP_VOTE_VTG, 0x50e0, 0xfff8, "vote", "=vtg"),
	CTL(OP_BAR, 0xf0a8, 0xfff8, "bar", "@bar32 barsrc P39"),
	CTL(OP_BRA, 0xe240, 0xfff0, "bra", "b7:u b6:lmt @flow0 target"),
	CTL(OP_BRX, 0xe250, 0xfff0, "brx", "b6:lmt @flow0 brx"),
	CTL(OP_JMP, 0xe210, 0xfff0, "jmp", "b7:u b6:lmt @flow0 abs"),
	CTL(OP_JMX, 0xe200, 0xfff0, "jmx", "b6:lmt @flow0 a abs"),
	CTL(OP_SSY, 0xe290, 0xfff0, "ssy", "target"),
	CTL(OP_SYNC, 0xf0f8, 0xfff8, "sync", "@flow0"),
	CTL(OP_PBK, 0xe2a0, 0xfff0, "pbk", "target"),
	CTL(OP_BRK, 0xe340, 0xfff0, "brk", "@flow0"),
	CTL(OP_PCNT, 0xe2b0, 0xfff0, "pcnt", "target"),
	CTL(OP_CONT, 0xe350, 0xfff0, "cont", "@flow0"),
	CTL(OP_PRET, 0xe270, 0xfff0, "pret", "z6:noinc target"),
	CTL(OP_RET, 0xe320, 0xfff0, "ret", "@flow0"),
	CTL(OP_CAL, 0xe260, 0xfff0, "cal", "z6:noinc target"),
	CTL(OP_JCAL, 0xe220, 0xfff0, "jcal", "b6:noinc abs"),
	CTL(OP_EXIT, 0xe300, 0xfff0, "exit", "b5:keeprefcount @flow0"),
	CTL(OP_KIL, 0xe330, 0xfff0, "kil", "@flow0"),
	CTL(OP_BPT, 0xe3a0, 0xfff0, "bpt", "u20@20"),
};
/* clang-format on */
#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* By bits 63:51: row number + 1.  Rows further up win; cctlt's lower mask bit is dropped. */
static uint8_t row_index[8192];
static pthread_once_t row_once = PTHREAD_ONCE_INIT;

static void row_index_make(void)
{
	for (unsigned int k = 0; k < 8192; k++) {
		for (size_t r = 0; r < NR_ROWS; r++) {
			if (((k << 3) & rows[r].mask) == (rows[r].match & 0xfff8)) {
				row_index[k] = r + 1;
				break;
			}
		}
	}
}

_Static_assert(NR_ROWS < 255, "row_index is 8 bits");

const struct sm_row *sm_rows(size_t *n)
{
	*n = NR_ROWS;
	return rows;
}

const struct sm_row *sm_row_of(uint64_t word)
{
	unsigned int r;

	pthread_once(&row_once, row_index_make);
	r = row_index[word >> 51];
	return r ? &rows[r - 1] : NULL;
}

static void note_reg(struct sm_insn *i, unsigned int reg, unsigned int n)
{
	if (!n || reg == SM_RZ)
		return;
	if (reg & (n - 1))
		i->badreg = true;
	if (reg + n - 1 > i->maxreg)
		i->maxreg = reg + n - 1 > 254 ? 254 : reg + n - 1;
}

static unsigned int mem_regs(unsigned int size)
{
	return size == 5 ? 2 : size == 6 || size == 7 ? 4 : 1;
}

/* Registers of the memory operations: data width and address width by opcode. */
static void decode_mem(struct sm_insn *i)
{
	uint64_t w = i->word;
	unsigned int data = 1, addr = 1;

	i->rd = sm_bits(w, 0, 8);
	i->ra = sm_bits(w, 8, 8);
	i->rb = sm_bits(w, 20, 8);
	switch (i->op) {
	case OP_LD: case OP_ST:
		data = mem_regs(sm_bits(w, 53, 3));
		addr = 1 + SM_BIT(i, 52);
		i->imm = sm_bits(w, 20, 32);
		break;
	case OP_LDG: case OP_STG:
		addr = 1 + SM_BIT(i, 45);
		/* fall through */
	case OP_LDL: case OP_STL: case OP_LDS: case OP_STS:
		data = mem_regs(sm_bits(w, 48, 3));
		i->imm = (uint32_t)sm_sbits(w, 20, 24);
		break;
	case OP_LDC:
		data = mem_regs(sm_bits(w, 48, 3));
		i->cb = sm_bits(w, 36, 5);
		i->imm = (uint32_t)sm_sbits(w, 20, 16);
		break;
	case OP_ATOM: {
		unsigned int t = sm_bits(w, 49, 3);

		data = t == 2 || t == 5 ? 2 : 1;
		addr = 1 + SM_BIT(i, 48);
		i->imm = (uint32_t)sm_sbits(w, 28, 20);
		note_reg(i, i->rb, data);
		break;
	}
	case OP_ATOM_CAS:
		data = 1 + SM_BIT(i, 49);
		addr = 1 + SM_BIT(i, 48);
		i->imm = (uint32_t)sm_sbits(w, 28, 20);
		note_reg(i, i->rb, data * 2);
		break;
	case OP_RED: {
		unsigned int t = sm_bits(w, 20, 3);

		data = t == 2 || t == 5 ? 2 : 1;
		addr = 1 + SM_BIT(i, 48);
		i->imm = (uint32_t)sm_sbits(w, 28, 20);
		break;
	}
	case OP_ATOMS:
		data = sm_bits(w, 28, 2) >= 2 ? 2 : 1;
		i->imm = (uint32_t)sm_sbits(w, 30, 22) << 2;
		note_reg(i, i->rb, data);
		break;
	case OP_ATOMS_CAS:
		data = 1 + SM_BIT(i, 52);
		i->imm = (uint32_t)sm_sbits(w, 30, 22) << 2;
		note_reg(i, i->rb, data * 2);
		break;
	default:
		return;
	}
	i->nd = data;
	i->na = addr;
	note_reg(i, i->rd, data);
	note_reg(i, i->ra, addr);
}

/*
 * Modifiers that envydis names and no public text explains.  No compiler of Mesa's
 * sets them; to ignore them would give wrong results in silence.
 */
static bool odd_modifier(const struct sm_insn *i)
{
	uint64_t w = i->word;

	switch (i->op) {
	case OP_SHL: case OP_LOP:
		return SM_BIT(i, 43);
	case OP_SHR:
		return SM_BIT(i, 44);
	case OP_SHF_L:
		return sm_bits(w, 48, 2) != 0;	/* .HI too: the hardware refuses it (nak/sm50.rs) */
	case OP_SHF_R:
		return SM_BIT(i, 49);
	case OP_LOP32I:
		return SM_BIT(i, 57);
	case OP_LOP3:
		return i->form == FORM_R ? SM_BIT(i, 38) : i->form == FORM_C && SM_BIT(i, 56);
	case OP_LEA: case OP_LEA_HI:
		return sm_bits(w, 48, 3) != SM_PT && i->form != FORM_C;
	case OP_PRMT:
		return sm_bits(w, 48, 4) > 6;
	case OP_MUFU:
		return sm_bits(w, 20, 4) > 8;
	case OP_FSWZADD:
		return SM_BIT(i, 38);
	case OP_VOTE:
		return sm_bits(w, 48, 2) == 3;
	case OP_I2F:
		return sm_bits(w, 8, 2) == 0;
	case OP_F2I:
		return sm_bits(w, 10, 2) == 0;
	case OP_F2F:
		return sm_bits(w, 8, 2) == 0 || sm_bits(w, 10, 2) == 0;
	case OP_I2I:
		return sm_bits(w, 8, 2) == 3 || sm_bits(w, 10, 2) == 3;
	case OP_PSETP: case OP_PSET:
		return sm_bits(w, 24, 2) == 3 || sm_bits(w, 45, 2) == 3;
	case OP_ISETP: case OP_ISET: case OP_FSETP: case OP_FSET: case OP_DSETP: case OP_DSET:
	case OP_CSETP: case OP_CSET:
		return sm_bits(w, 45, 2) == 3;
	}
	return false;
}

void sm_decode(uint64_t w, const sm_alu_fn *alu, struct sm_insn *i)
{
	const struct sm_row *r = sm_row_of(w);

	memset(i, 0, sizeof(*i));
	i->word = w;
	i->valid = true;
	i->pred = SM_PT;
	i->rd = i->ra = i->rb = i->rc = SM_RZ;
	if (!r) {
		i->op = OP_ILLEGAL;
		return;
	}
	i->op = r->op;
	i->form = r->form;
	i->pred = sm_bits(w, 16, 3);
	i->pred_not = SM_BIT(i, 19);
	if (r->op >= OP_SSY && r->op <= OP_JCAL && r->op != OP_SYNC && r->op != OP_BRK &&
	    r->op != OP_CONT && r->op != OP_RET) {
		/* pushes have no guard; compilers leave the field 0 or PT */
		i->pred = SM_PT;
		i->pred_not = false;
	}
	if (alu && r->op <= OP_ALU_LAST)
		i->fn = alu[r->op];
	if (r->op >= OP_LDC && r->op <= OP_ATOMS_CAS) {
		decode_mem(i);
		return;
	}
	i->nd = r->nd;
	i->na = r->na;
	i->nb = r->nb;
	i->nc = r->nc;
	switch (r->op) {
	case OP_I2I: case OP_I2F: case OP_F2I: case OP_F2F:
		i->nd = sm_bits(w, 8, 2) == 3 ? 2 : 1;
		i->nb = sm_bits(w, 10, 2) == 3 ? 2 : 1;
		if (i->form == FORM_F && i->nb == 2)
			i->form = FORM_D;
		break;
	case OP_BRX: case OP_JMX:
		i->na = 1;
		break;
	}
	if (i->nd)
		i->rd = sm_bits(w, 0, 8);
	if (i->na)
		i->ra = sm_bits(w, 8, 8);
	if (i->nc)
		i->rc = sm_bits(w, r->cbit, 8);
	switch (i->form) {
	case FORM_R:
		i->rb = sm_bits(w, 20, 8);
		break;
	case FORM_C:
	case FORM_RC:
		i->cb = sm_bits(w, 34, 5);
		i->cb_off = sm_bits(w, 20, 14) << 2;
		if (i->form == FORM_RC) {
			i->rb = sm_bits(w, 39, 8);
			i->rc = SM_RZ;
		}
		break;
	case FORM_I:
		i->imm = sm_bits(w, 20, 19) | (SM_BIT(i, 56) ? 0xfff80000u : 0);
		/* these two give bit 56 to something else */
		if (r->op == OP_SHF_L || r->op == OP_SHF_R)
			i->imm = sm_bits(w, 20, 6);
		break;
	case FORM_F:
	case FORM_D:
		i->imm = (uint32_t)sm_bits(w, 20, 19) << 12 | (uint32_t)SM_BIT(i, 56) << 31;
		break;
	case FORM_L:
		i->imm = sm_bits(w, 20, 32);
		break;
	case FORM_U16:
		i->imm = sm_bits(w, 20, 16);
		break;
	}
	i->odd = odd_modifier(i);
	note_reg(i, i->rd, i->nd);
	note_reg(i, i->ra, i->na);
	note_reg(i, i->rb, i->nb);
	note_reg(i, i->rc, i->nc);
	if (r->op == OP_BAR) {
		if (!SM_BIT(i, 44))
			note_reg(i, sm_bits(w, 8, 8), 1);
		if (!SM_BIT(i, 43))
			note_reg(i, sm_bits(w, 20, 8), 1);
	}
	if (r->op == OP_SHFL) {
		if (!SM_BIT(i, 28))
			note_reg(i, i->rb = sm_bits(w, 20, 8), 1);
		if (!SM_BIT(i, 29))
			note_reg(i, i->rc = sm_bits(w, 39, 8), 1);
	}
}
