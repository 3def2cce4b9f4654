# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What every script of vm/ shares: where things are, how a tree's key is made, how to speak.
# Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
top_dir=$(dirname "$vm_dir")
cache_dir=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nouveau-svm
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# say TEXT: a line for the person who waits, on stderr so that a command's output stays its own.
say() {
	printf '%s: %s\n' "${script_name:-vm}" "$*" >&2
}

# die TEXT: the last line, exit status 1.
die() {
	say "error: $*"
	exit 1
}

# hash_files FILE...: one short key from contents.
hash_files() {
	cat -- "$@" | sha256sum | cut -c1-12
}

# tree_path NAME: where the tree NAME (tools, guest) stands once it is whole.
tree_path() {
	local inputs=("$vm_dir/lib/build-tree" "$vm_dir/packages/$1.list")
	if [[ -e $vm_dir/packages/$1.pref ]]; then
		inputs+=("$vm_dir/packages/$1.pref")
	fi
	printf '%s/%s-%s\n' "$cache_dir" "$1" "$(hash_files "${inputs[@]}")"
}

# need_tree NAME: prints the path of a whole tree, makes it first when it is not there.
need_tree() {
	local tree
	tree=$(tree_path "$1")
	if [[ ! -d $tree ]]; then
		# "set -e" does not reach into a command substitution
		"$vm_dir/setup" "$1" >&2 || exit
	fi
	printf '%s\n' "$tree"
}

# with_progress TEXT LOG COMMAND...: runs COMMAND with its output in LOG, a line every 20 seconds.
with_progress() {
	local text=$1 log=$2 start=$SECONDS pid ticks=0 status=0
	shift 2
	say "$text ..."
	# a process group of its own, so that an interrupt ends all of it
	setsid "$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064 # the pid of now is meant
	trap "kill -- -$pid 2>/dev/null || true; wait $pid 2>/dev/null || true; exit 130" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		ticks=$((ticks + 1))
		if ((ticks % 40 == 0)); then
			say "  $text: $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c1-80)"
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM HUP
	if ((status != 0)); then
		tail -n 25 "$log" >&2
		say "$text failed (status $status); the whole log: $log"
		return "$status"
	fi
	say "$text: done in $((SECONDS - start)) s"
}
