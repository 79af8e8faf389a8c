# SPDX-License-Identifier: Apache-2.0
# zsh -f zsh_complete.zsh FOLDER LINE: what a zsh with the completions of FOLDER offers behind LINE, one a line. A real zsh on a terminal of its
# own is typed at; what its completion would add is printed instead.
zmodload zsh/zpty || exit 77
folder=$1 line=$2
zpty z exec zsh -f -i
expect() { # PATTERN: reads until it comes; what came is in `heard`
	local more
	heard=
	while [[ $heard != $~1* ]]; do
		zpty -r z more || exit 1
		heard+=$more
	done
}
zpty -w z "PROMPT= RPROMPT=; stty -echo; unsetopt zle_bracketed_paste; fpath=($folder \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w z 'compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
	local -a hits
	builtin compadd -A hits "$@"
	(( $#hits )) && print -rl -- "offered:"$^hits
	builtin compadd "$@"
}
said() { print -r -- "the""-edge" }
compprefuncs=(said) comppostfuncs=(said exit)
bindkey "^I" complete-word
print rea""dy $$ !'
expect '*ready [0-9]* !*'
pid=${${heard##*ready }%% *}
zpty -w -n z "$line"$'\t'
expect '*the-edge*the-edge*'
for word in ${(M)${(f)${heard//$'\r'/}}:#*offered:*}; do
	print -r -- ${word##*offered:}
done
while zpty -r z more; do :; done # it ends by itself
zpty -d z
for ((i = 0; i < 1000; i++)); do
	kill -0 $pid 2>/dev/null || exit 0
	sleep 0.02
done
exit 1
