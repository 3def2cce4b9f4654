/* SPDX-License-Identifier: MIT */
/* The one header that IGT tests include. */
#ifndef IGT_H
#define IGT_H

#include "drmtest.h"
#include "igt_core.h"

#endif
