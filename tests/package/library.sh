# SPDX-License-Identifier: Apache-2.0
# What tests/package/run looks at, and how it uses what is unpacked.

deb() { echo "$packages/$1"_*.deb; }

# In a subshell.
fail_in() {
	echo "tests/package/run: $*" >&2
	: >"$work/failed"
}

# same NAME GOT WANTED: two texts
same() { diff <(echo "$3") <(echo "$2") >"$work/diff" || { fail "$1 (< expected, > found):"; cat "$work/diff" >&2; }; }

# The files of a package, but those that there are many of: documents, headers and examples count as their folders.
contents() {
	dpkg-deb --fsys-tarfile "$(deb "$1")" | tar -tf - | sed -e 's,^\.,,' -e "s,/$(gcc -print-multiarch)/,/MULTIARCH/,g" |
		grep -v '/$' | sed -E -e 's,^(/usr/include/weir)/.*,\1/,' -e 's,^(/usr/share/doc/weir/(docs|examples))/.*,\1/,' | sort -u
}

field() { dpkg-deb --field "$(deb "$1")" "$2"; }

# Libraries that a worker loads at run time are no dependencies that dpkg-shlibdeps finds: each has to be recommended or suggested.
loaded_libraries() {
	local soname package wanted
	wanted=$(field weir Recommends),$(field weir Suggests)
	for soname in $(grep -rhoE '^#define SONAME "[^"]*"' worker | sed 's/.*"\(.*\)"/\1/'); do
		package=$(dpkg-query --search "*/$soname" 2>/dev/null | head -n 1 | cut -d : -f 1)
		[ -n "$package" ] || { fail "no package here has $soname, which a worker loads"; continue; }
		case ", $wanted," in
		*[\ ,]"$package",*) ;;
		*) fail "a worker loads $soname, and the package weir neither recommends nor suggests $package" ;;
		esac
	done
	[ -n "${package-}" ] || fail "no worker loads a library: is it not said by '#define SONAME' any more?"
}

look_at_packages() {
	local package script
	for package in weir libweir-dev weir-doc; do
		same "contents of $package" "$(contents $package)" "$(cat "tests/package/$package.list")"
		[ "$(dpkg-deb --fsys-tarfile "$(deb $package)" | tar -tvf - | awk '{ print $2 }' | sort -u)" = root/root ] || fail "$package: files of others than root"
	done
	dpkg-deb --control "$(deb weir)" "$work/control"
	same "control files of weir" "$(ls "$work/control")" "$(printf '%s\n' conffiles control md5sums postinst postrm prerm shlibs triggers)"
	same "conffiles of weir" "$(cat "$work/control/conffiles")" "$(contents weir | grep ^/etc/)"
	for script in postinst postrm prerm; do
		cmp "$work/control/$script" packaging/debian/$script || fail "$script is not that of packaging/debian, which scenario p04 tests"
		[ -x "$work/control/$script" ] || fail "$script can not be run"
	done
	same "version" "$(field weir Version)" "$(zcat -f packaging/debian/changelog | sed -n '1s/.*(\(.*\)).*/\1/p')"
	for package in libc6 libsystemd0 libzmq5 libfyaml0 libmsgpackc2 systemd; do
		[[ ", $(field weir Depends)" == *" $package"* ]] || fail "weir does not depend on $package"
	done
	loaded_libraries
	lintian --fail-on error,warning --allow-root "$packages"/*.deb || fail "lintian finds errors or warnings"
}

# The three packages in one folder. Programs there find their library as those of /usr do, by the loader's path.
use_unpacked() {
	local package run
	for package in weir libweir-dev weir-doc; do dpkg-deb --extract "$(deb $package)" "$work/root"; done
	export LD_LIBRARY_PATH=$work/root/usr/lib/$(gcc -print-multiarch) PATH=$work/root/usr/bin:$PATH WEIR_RUN_DIR=$work/run WEIR_STATE_DIR=$work/state
	export PKG_CONFIG_PATH=$LD_LIBRARY_PATH/pkgconfig
	mkdir -m 0700 "$WEIR_RUN_DIR" "$WEIR_STATE_DIR"
	[ "$(weir run "$work/root/usr/share/doc/weir/examples/hello.yaml" 2>"$work/said" | head -n 1)" = "HELLO 1" ] || fail "hello.yaml: $(cat "$work/said")"
	weir check "$work/root/etc/weir/hello.yaml" >"$work/said" 2>&1 || fail "/etc/weir/hello.yaml: $(cat "$work/said")"
	[ "$(weir run --set stages.count.count=1 "$work/root/etc/weir/hello.yaml" 2>"$work/said")" = "HELLO 1" ] || fail "/etc/weir/hello.yaml: $(cat "$work/said")"
	[ "$(pkg-config --modversion weir)" = "$(field weir Version)" ] || fail "pkg-config --modversion weir"
	# shellcheck disable=SC2046
	gcc -std=c11 -shared -fPIC -Wall -Wextra -Werror -o "$work/number.so" examples/plugin/number.c $(pkg-config --cflags --libs weir) || fail "a plugin does not build"
	run=$(cd "$work" && WEIR_TRUSTED_OWNERS=0,$(id -u) weir run --quiet "$source_folder/examples/plugin/number.yaml" | tail -n 1)
	[ "$run" = "1099: item" ] || fail "the plugin says '$run'"
	manual_pages "$work/root/usr/share/man"
	new_projects || failed=1
}

# Projects as they are begun: they pass their own test, with nothing but what is unpacked.
new_projects() (
	cd "$work" || return
	# The paths of weir.pc are taken from where it lies; what it lacks is the loader's.
	export WEIR_TRUSTED_OWNERS=0,$(id -u)
	{ weir new pipeline first-one && first-one/test; } >said 2>&1 || fail_in "weir new pipeline: $(cat said)"
	{ weir new plugin first_stage && make -C first_stage CFLAGS='-O2 -Wall -Wextra -Wconversion -Wpedantic -Werror' test; } >said 2>&1 ||
		fail_in "weir new plugin: $(cat said)"
	grep -q 'first_stage: as expected' said || fail_in "make test of a plugin says: $(cat said)"
	weir stages first_stage/first_stage.so | grep -q 'puts a prefix before each item' || fail_in "weir stages of a new plugin"
	clang-format-14 --style=file:"$source_folder/.clang-format" --dry-run -Werror first_stage/first_stage.c 2>said || fail_in "a new plugin is not formatted: $(cat said)"
	[ ! -e failed ]
)

# manual_pages FOLDER: nothing to complain of, a page for each program, each function in libweir(3)
manual_pages() {
	local page program function said
	while read -r page; do
		said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
		[ -z "$said" ] || fail "${page#"$1"/}: $said"
	done < <(find "$1" -type f)
	zcat "$1/man3/libweir.3.gz" >"$work/libweir.3"
	# What the compiler sees in the headers, without comments.
	for function in $(cd "$1/../../include" && printf '#include <%s>\n' weir/*.h | gcc -E -P -I. -x c - | grep -o '\bweir_[a-z_0-9]*(' | tr -d '(' | sort -u); do
		grep -q -w "$function" "$work/libweir.3" || fail "libweir(3) lacks $function"
	done
	[ -n "${function-}" ] || fail "no function was looked for in libweir(3)"
	for program in weir weir-console weir-worker; do
		[ -e "$1/man1/$program.1.gz" ] || fail "no page for $program"
	done
}
