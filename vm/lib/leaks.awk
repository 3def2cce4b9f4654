# SPDX-License-Identifier: MIT
# What kmemleak has found, but for what is known to be others': T1 of Documentation/defects.rst, TTM's.

function flush()
{
	if (record !~ /ttm_pool_type_init/)
		printf "%s", record
	record = ""
}

/^unreferenced object/ { flush() }
{ record = record $0 "\n" }
END { flush() }
