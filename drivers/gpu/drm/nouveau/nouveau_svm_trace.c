// SPDX-License-Identifier: MIT
#include "nouveau_svm_vm.h"

#define CREATE_TRACE_POINTS
#include "nouveau_svm_trace.h"
