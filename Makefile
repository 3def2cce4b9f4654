# SPDX-License-Identifier: MIT
#
# The doors. Everything is built and run inside trees that vm/setup makes on first use.

DRIVER ?= ours
export DRIVER

.DEFAULT_GOAL := help
.PHONY: help setup demo check check-full check-debug check-series bench modules model unit series clean

help: ## lists these
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo '  vm/run -- COMMAND     runs COMMAND in the guest (vm/run --help)'
	@echo '  vm/tools -- COMMAND   runs COMMAND where all tools are; vm/guest: among the guest'"'"'s libraries'

setup: ## the tools tree and the guest tree (all else does this when it is needed)
	@vm/setup

demo: ## boots the guest, runs OpenCL on malloc'd memory, shows what moved where
	@vm/demo

check: ## builds and tests all, 60 minutes at most from nothing; ends with N passed, N failed, N skipped
	@vm/check

check-full: ## check, and the long tests: full matrices, fuzzing, soaks
	@vm/check --full

check-debug: ## the tests on kernels with KASAN, lockdep, kmemleak and more, and with KCSAN
	@vm/check --debug

check-series: ## the patch series, step by step: builds, checkpatch, sparse, Kconfig, documents
	@vm/check --series

bench: ## the table of ratios and hardware-event counts
	@if [ -x bench/run ]; then bench/run; else \
		echo 'bench: there is no benchmark yet' >&2; exit 1; fi

modules: ## nouveau.ko for Debian's kernel; DRIVER=ours (default) or upstream
	@vm/modules "$(DRIVER)"

model: ## the GPU model, build/gpu-model/gpu-model, and its stand-in firmware
	@vm/tools -- $(MAKE) --no-print-directory -C gpu-model

unit: ## the GPU model's unit tests
	@vm/tools -- $(MAKE) --no-print-directory -C gpu-model check

series: ## the patch series for the kernel, into build/series/
	@vm/series

clean: ## removes build/; the cache stays (see README.md)
	rm -rf build
