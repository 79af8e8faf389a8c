# SPDX-License-Identifier: Apache-2.0
# awk -f headers.awk TEMPLATE HEADER...: the template, with what the headers say in the place of the line @headers@, in mdoc(7): each declaration as it
# stands, the comment above it behind it. Bodies of inline functions, and what is only for the compiler, are left out.

# Free text: nothing in it may be taken for a request or an escape.
function text(line) {
	gsub(/\\/, "\\e", line)
	gsub(/\t/, "        ", line)
	if (line ~ /^[.']/) line = "\\&" line
	return line
}

# A comment's lines; those that are indented are figures, lists or code, and stay as they are.
function say(comment, indented,    lines, n, i, line, literal) {
	n = split(comment, lines, "\n")
	if (indented) print ".Bd -filled -offset indent"
	for (i = 1; i <= n; i++) {
		line = lines[i]
		if (line == "") {
			if (!literal) { if (i < n && i > 1) print ".Pp" }
			else if (i < n && lines[i + 1] ~ /^[ \t]/) print ""
			continue
		}
		if ((line ~ /^[ \t]/) && !literal) { print ".Bd -literal"; literal = 1 }
		if ((line !~ /^[ \t]/) && literal) { print ".Ed"; literal = 0 }
		print text(line)
	}
	if (literal) print ".Ed"
	if (indented) print ".Ed"
}

function declare(declaration,    lines, n, i) {
	print ".Bd -literal"
	n = split(declaration, lines, "\n")
	for (i = 1; i <= n; i++) print text(lines[i])
	print ".Ed"
	if (comment != "") say(comment, 1)
	comment = ""
}

# A comment that belongs to nothing, or to all that follows.
function settle() {
	if (comment != "") { print ".Pp"; say(comment, 0) }
	comment = ""
}

function without_comments(line) {
	gsub(/\/\*[^*]*\*\//, "", line)
	sub(/\/\*.*/, "", line)
	return line
}

function begin(file,    name) {
	name = file
	sub(/.*\/weir\//, "weir/", name)
	print ".Sh " toupper(name)
	comment = declaration = ""
	depth = inside = body = 0
}

function header(line,    bare) {
	if (inside) { # a comment of several lines
		if (line ~ /\*\//) { inside = 0; sub(/[ \t]*\*\/.*/, "", line); sub(/^[ \t]*\*? ?/, "", line); if (line != "") comment = comment "\n" line; return }
		sub(/^[ \t]*\* ?/, "", line)
		comment = comment == "" ? line : comment "\n" line
		return
	}
	if (declaration == "" && !body) {
		if (line ~ /SPDX/) return
		if (line == "") { settle(); return }
		if (line ~ /^\/\*.*\*\/$/) {
			sub(/^\/\* ?/, "", line); sub(/ ?\*\/$/, "", line)
			settle(); comment = line; return
		}
		if (line ~ /^\/\*/) { settle(); inside = 1; sub(/^\/\* ?/, "", line); comment = line; return }
		if (line ~ /^#define/) { define = 1 }
		else if (line ~ /^#/ || line ~ /^extern "C"/ || line ~ /^}$/) return
	}
	if (define) {
		declaration = declaration == "" ? line : declaration "\n" line
		if (line !~ /\\$/) { define = 0; declare(declaration); declaration = "" }
		return
	}
	bare = without_comments(line)
	depth += gsub(/{/, "{", bare) - gsub(/}/, "}", bare)
	if (body) { if (depth == 0) body = 0; return }
	if (declaration ~ /(^|\n)static inline/ && line ~ /^{/) { # the signature is whole
		declare(declaration ";"); declaration = ""
		body = depth > 0
		return
	}
	declaration = declaration == "" ? line : declaration "\n" line
	if (depth == 0 && bare ~ /;[ \t]*$/) { declare(declaration); declaration = "" }
}

FNR == 1 && NR != 1 { exit } # what follows the template is read below
{ lines[++n_lines] = $0 }

END {
	for (l = 1; l <= n_lines; l++) {
		if (lines[l] != "@headers@") { print lines[l]; continue }
		for (a = 2; a < ARGC; a++) {
			begin(ARGV[a])
			while ((getline line < ARGV[a]) > 0) header(line)
			close(ARGV[a])
			settle()
			if (declaration != "" || depth != 0) { print ARGV[a] ": a declaration has no end: " declaration >"/dev/stderr"; failed = 1 }
		}
	}
	exit failed
}
