// SPDX-License-Identifier: MIT
/*
 * Lane arithmetic for hosts with AVX2 and FMA (x86-64-v3); sm_new() picks the
 * table at run time.  Owns its table only; no locks.
 */
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#pragma GCC target("avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c")
#define SM_ALU_TABLE sm_alu_v3
#include "sm/alu_impl.h"
