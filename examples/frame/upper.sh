#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program in frame mode (docs/frame.md) in plain sh: each item in capitals. It starts a process or two for each byte count it reads, so it is
# slow, and it has one item at a time; it is here to show how little the protocol asks for. For work in the shell take `mode: line`.
set -eu

# bytes N: the next N bytes from weir as numbers, one after the other in $bytes; the end of the stream ends this program
bytes() {
	bytes=$(dd bs=1 count="$1" status=none <&"$WEIR_FRAME_IN" | od -An -v -tu1 | tr -s ' \n' ' ')
	[ -n "$bytes" ] || exit 0
}

# out FORMAT: bytes, written as octal escapes, to weir
out() {
	printf "$1" >&"$WEIR_FRAME_OUT"
}

# octal N...: each byte as an escape
octal() {
	for byte; do printf '\\%03o' "$byte"; done
}

# big COUNT N: N in so many bytes, big-endian, as escapes
big() {
	shift_by=$((($1 - 1) * 8))
	while [ "$shift_by" -ge 0 ]; do
		octal $((($2 >> shift_by) & 255))
		shift_by=$((shift_by - 8))
	done
}

# send BODY SIZE: a frame
send() {
	out "$(big 4 "$2")$1"
}

# number BYTES...: a msgpack number from 0 up; how many bytes it took in $taken
number() {
	case $1 in
	204) taken=2 value=$2 ;;
	205) taken=3 value=$(($2 << 8 | $3)) ;;
	206) taken=5 value=$(($2 << 24 | $3 << 16 | $4 << 8 | $5)) ;;
	207) taken=9 value=$(($2 << 56 | $3 << 48 | $4 << 40 | $5 << 32 | $6 << 24 | $7 << 16 | $8 << 8 | $9)) ;;
	*) taken=1 value=$1 ;;
	esac
}

# answer ID BYTES...: ["answer", id, [data in capitals]]; what stands behind the data is passed over
answer() {
	id=$1
	shift
	case $1 in # bin 8, 16, 32
	196) n=$2 head=2 ;;
	197) n=$(($2 << 8 | $3)) head=3 ;;
	198) n=$(($2 << 24 | $3 << 16 | $4 << 8 | $5)) head=5 ;;
	*) echo "upper.sh wants items: bytes" >&2 && exit 1 ;;
	esac
	shift "$head"
	data=
	i=0
	while [ "$i" -lt "$n" ]; do
		[ "$1" -lt 97 ] || [ "$1" -gt 122 ] && data=$data$(octal "$1") || data=$data$(octal $(($1 - 32)))
		shift
		i=$((i + 1))
	done
	# array of 3, "answer", id as 64 bits, array of 1, bin 32
	send "\\223\\246answer\\317$(big 8 "$id")\\221\\306$(big 4 "$n")$data" $((8 + 9 + 1 + 5 + n))
}

while :; do
	bytes 4
	set -- $bytes
	bytes $(($1 << 24 | $2 << 16 | $3 << 8 | $4))
	set -- $bytes
	shift # the array's head
	case $1:$2:$3:$4:${5-} in
	165:104:101:108:108) send '\223\245ready\001\001' 9 ;;   # "hello": ready, version 1, one at a time
	164:105:116:101:109)                                      # "item"
		shift 5
		number "$@"
		shift "$taken"
		answer "$value" "$@"
		;;
	163:101:110:100:*) exit 0 ;;                              # "end"
	*) ;;                                                     # cancel: it is done before that could be read
	esac
done
