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

check-debug: ## not there yet: the debug kernel comes with the driver
	@echo 'check-debug: the debug kernel comes with the driver; nothing was tested' >&2; exit 1

check-series: ## the patch series for the kernel, into build/series/
	@vm/series

clean: ## removes build/; the cache stays (see README.md)
	rm -rf build
