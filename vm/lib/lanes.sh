# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Lanes: what a stage does at the same time, as far as vm/run's queue lets the machines in them. A lane's output is
# kept until it is shown, so that the results of two don't mix. A plain "wait" would lose how a lane ended: one that
# breaks off before its time has passed nothing, and is a failure.
# Sourced, never run. Needs $NVSVM_STAGE_DIR.

declare -A lane_pids=()
lane_names=()

# lane NAME COMMAND...: starts COMMAND, a function too, in the background.
lane() {
	local name=$1
	shift
	("$@") >"$NVSVM_STAGE_DIR/$name.lane" 2>&1 &
	lane_pids[$name]=$!
	lane_names+=("$name")
}

# lanes_end PREFIX: waits for each lane in the order of their start and shows what it said; the names of failures
# begin with PREFIX.
lanes_end() {
	local name status
	for name in "${lane_names[@]}"; do
		status=0
		wait "${lane_pids[$name]}" || status=$?
		cat "$NVSVM_STAGE_DIR/$name.lane"
		if ((status)); then
			echo "FAIL $1/$name: ended early, status $status"
		fi
	done
	lane_names=()
}
