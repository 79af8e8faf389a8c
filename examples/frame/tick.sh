#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A source in frame mode (docs/frame.md) in plain sh: so many times what the clock says, one a second. It does not want to be told anything, and
# gives no positions: started again, it would begin anew. For more than that take Python, or `source: exec` without a mode.
#   tick.sh COUNT [SECONDS]
set -eu

# frame LENGTH BODY: less than 256 bytes; as escapes
frame() {
	printf "\\000\\000\\000\\$(printf %03o "$1")$2" >&"$WEIR_FRAME_OUT"
}

eval "exec $WEIR_FRAME_IN<&-" # what is written there and never read would fill the pipe in the end
frame 8 '\222\245ready\001' # ["ready", 1]
id=0
while [ "$id" -lt "$1" ]; do
	id=$((id + 1))
	now=$(date +%H:%M:%S)
	# ["item", id as 16 bits, "HH:MM:SS"]
	frame 18 "\\223\\244item\\315\\$(printf %03o $((id >> 8 & 255)))\\$(printf %03o $((id & 255)))\\250$now"
	[ "$id" = "$1" ] || sleep "${2-1}"
done
frame 5 '\221\243end' # ["end"]
