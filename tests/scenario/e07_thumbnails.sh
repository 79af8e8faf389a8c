# SPDX-License-Identifier: Apache-2.0
# examples/thumbnails makes a small picture of each picture, once for each line, and lists what is none; also while its workers are killed.
# seconds: 240
# sanitizers: no, an example; its stages are in scenarios of their own
n=$(rounds 12 200)
cp "$WEIR_SOURCE"/examples/thumbnails/{shrink,thumbnails.yaml} .
mkdir -p photos/more
for ((i = 1; i <= n; i++)); do
	convert -size "$((100 + i * 10))x200" "gradient:#0$((i % 10))0-blue" "photos/more/$i.jpg"
done
echo "no picture" >photos/note.jpg
: >"photos/empty file.png"

echo "restart: {intensity: 100000, period: 10s, backoff: 1ms, backoff_max: 10ms}" >>thumbnails.yaml
for pace in calm killed; do
	rm -rf thumbnails done.txt bad.txt ended
	weir run --json --progress=never thumbnails.yaml 2>log &
	pipeline=$!
	[ "$pace" = calm ] || { kill_randomly thumbnails 200 4 >kills & killer=$!; }
	wait "$pipeline" || fail "$pace: exit code $?: $(tail -n 3 log | cut -c 1-300)"
	touch ended
	[ "$pace" = calm ] || wait "$killer"
	for ((i = 1; i <= n; i++)); do
		width=$((100 + i * 10))
		echo "thumbnails/photos_more_$i.jpg.png $(identify -format '%wx%h' "thumbnails/photos_more_$i.jpg.png")"
		[ "$(identify -format '%w' "thumbnails/photos_more_$i.jpg.png")" = "$((width < 200 ? (width * 96 + 100) / 200 : 96))" ] || fail "$pace: size of $i"
	done | LC_ALL=C sort >expected
	LC_ALL=C sort done.txt >got
	assert_file_equal got expected "$pace"
	assert_eq "$(wc -l <bad.txt) $(grep -c -e note.jpg -e 'empty file.png' bad.txt)" "2 2" "$pace: what is no picture"
	assert_eq "$(find thumbnails -name '*.png' | wc -l)" "$n" "$pace: files"
done
