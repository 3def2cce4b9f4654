// SPDX-License-Identifier: MIT
/* Lane arithmetic for any x86-64 host.  Owns its table only; no locks. */
#define SM_ALU_TABLE sm_alu_base
#include "sm/alu_impl.h"
