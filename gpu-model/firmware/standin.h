/* SPDX-License-Identifier: MIT */
/*
 * Stand-in firmware: files in the containers that nouveau expects, holding
 * none of NVIDIA's code.  The code section of each begins with one of these
 * 16-byte names; the model's falcons act by the name.  What nouveau takes from
 * the files (sizes, offsets, tags) is real, the rest is filler.
 */
#ifndef STANDIN_H
#define STANDIN_H

#define STANDIN_NAME_SIZE 16

#define STANDIN_BOOTLOADER "standin/boot   "	/* loads the image that its descriptor names */
#define STANDIN_ACR_LOAD "standin/acr    "	/* protects memory, loads signed firmware */
#define STANDIN_ACR_UNLOAD "standin/unacr  "	/* undoes that */
#define STANDIN_RTOS "standin/rtos   "	/* SEC2's light-secure services */
#define STANDIN_FECS "standin/fecs   "
#define STANDIN_GPCCS "standin/gpccs  "
#define STANDIN_SCRUBBER "standin/scrub  "
#define STANDIN_DEVINIT "standin/devinit"	/* in the VBIOS: sets the board up */

/* Where the parts of an ACR image are: nvfw_hs_load_header */
#define STANDIN_ACR_CODE 0x100u		/* secure code (application 0) */
#define STANDIN_ACR_DATA 0x200u		/* flcn_acr_desc, filled in by nouveau */
#define STANDIN_ACR_DATA_SIZE 0x400u

#endif
