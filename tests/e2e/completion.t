#!/bin/sh
# Completion in bash and zsh offers what the programs take.
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
PATH=$BUILD:$PATH
export PATH

# --- bash: each line typed, and what its last word may become

cat >complete.bash <<'END'
. "$1"
while IFS= read -r line; do
	COMP_LINE=$line COMP_POINT=${#line} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:' COMPREPLY=()
	function=$(complete -p "${line%% *}" | sed 's/.*-F \([^ ]*\).*/\1/')
	"$function" "${line%% *}"
	printf '%s:%s\n' "$line" "$(printf ' %s' "${COMPREPLY[@]}" | sed 's/ *$//')"
done
END
offers() {	# offers LINE WORDS: exactly these, in their order
	printf '%s\n' "$1" | bash --norc complete.bash "$here/completion/dedup-lda.bash" >replies 2>&1
	is "$(cat replies)" "$1:${2:+ $2}" "bash: $1<Tab>"
}
has() {	# has LINE WORD...: these among others
	printf '%s\n' "$1" | bash --norc complete.bash "$here/completion/dedup-lda.bash" >replies 2>&1
	line=$1
	shift
	missing=
	for word; do
		case "$(cat replies) " in *" $word "*) ;; *) missing="$missing $word" ;; esac
	done
	is "$missing" '' "bash: $line<Tab> has $*" || diag "$(cat replies)"
}

if command -v bash >/dev/null; then
	touch message.eml
	mkdir folder
	dedupdb --help >help
	commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help | tr '\n' ' ' | sed 's/ $//')
	matches "$commands" '^stat list .* help$' 'bash: the help has commands'
	offers 'dedupdb ' "$commands"
	offers 'dedupdb -l none -o sync=auto --json ' "$commands"
	offers 'dedupdb help i' import
	offers 'dedupdb ver' verify
	offers 'dedupdb -' "$(sed -n '/^Options:/,/^$/s/^ \{2,6\}\(-[^ ,]*\(, --[^ ]*\)*\).*/\1/p' help | tr -s ', ' '\n' | sed 's/=.*/=/; /^$/d' |
	    tr '\n' ' ' | sed 's/ $//')"
	for command in ${commands% help}; do
		# what help.t has compared with what the command takes
		"$BUILD/dedupdb" "$command" --help | sed -n '/^Options:/,/^$/s/^ \{2,6\}\(-.*\)/\1/p' | grep -o -e '--[a-z-]*' >long
		# shellcheck disable=SC2046 # several words
		has "dedupdb $command --" $(sed 's/$/ /' long | while read -r o; do
			"$BUILD/dedupdb" "$command" --help | grep -q -e "$o=" && echo "$o=" || echo "$o"
		done | sort -u)
	done
	offers 'dedupdb list --s' '--since= --sort'
	offers 'dedupdb dedupe --folders=' 'each across inbox'
	offers 'dedupdb dedupe --folders=a' across
	offers 'dedupdb import mes' message.eml
	offers 'dedupdb show -a joe@example.org mes' message.eml
	offers 'dedupdb list mes' ''
	offers 'dedupdb no-such-command --' ''
	offers 'dedupdb -c mes' message.eml
	offers 'dedupdb --config=mes' message.eml
	offers 'dedupdb -l b' bdb:
	offers 'dedupdb -l redis+' 'redis+unix:// redis+sentinel:// redis+cluster://'
	offers 'dedupdb -l bdb:fol' folder
	offers 'dedupdb -d roo' root
	offers 'dedupdb -o sync=' 'auto strict'
	offers 'dedupdb --option=body=s' simple
	dedupdb help keys | sed -n 's/^  \([a-z-]*=\).*/\1/p' >keys.txt
	# shellcheck disable=SC2046
	has 'dedupdb -o ' $(cat keys.txt)
	# shellcheck disable=SC2046
	has 'dedup-lda -o ' $(cat keys.txt)
	offers 'dedup-lda -o log-format=' 'text json'
	offers 'dedup-lda -d roo' root
	offers 'dedup-lda -f ' ''
	offers 'smtp-gap --tls=' 'may off require verify'
	offers 'smtp-gap --ti' --timeout=
	offers 'smtp-gap -4 --ver' '--verbose --version'
	offers 'smtp-gap -f ' ''
	# what the manual has
	grep '^\.It .*Fl ' "$here/man/smtp-gap.8" | grep -Eo 'Fl -[a-z0-9]+( Ns =)?' | sed 's/^Fl /-/; s/ Ns =/=/' | LC_ALL=C sort >long
	printf '%s\n' 'smtp-gap --' | bash --norc complete.bash "$here/completion/dedup-lda.bash" | tr ' ' '\n' | grep -e '^--[a-z]' | LC_ALL=C sort >replies
	same replies long 'bash: the options of smtp-gap are those of its manual'
	# the agent tells its options in one line
	dedup-lda -\? </dev/null >usage 2>&1
	{
		sed 's/[^[]*\[-\([a-zA-Z]*\)\].*/\1/' usage | sed 's/./-&\n/g'
		grep -o '\[-[a-z] ' usage | tr -d '[ '
	} | sed '/^$/d' | sort >options
	printf '%s\n' 'dedup-lda -' | bash --norc complete.bash "$here/completion/dedup-lda.bash" | tr ' ' '\n' | grep -x -e '-[a-zA-Z]' | sort >replies
	same replies options "bash: the agent's options are those of its usage line"
	sed -n "/^dedup-lda)/,/;;/s/'\*\{0,1\}\(-.\)[^']*'/\n\1\n/gp" "$here/completion/_dedup-lda" | grep -x -e '-[a-zA-Z]' | sort >zsh.options
	same zsh.options options "zsh: the agent's options are those of its usage line"
	bash -c 'PATH=/nowhere; . "$1"; COMP_LINE="dedupdb x" COMP_POINT=9; _dedupdb dedupdb; echo "${#COMPREPLY[@]}"' sh \
	    "$here/completion/dedup-lda.bash" >replies 2>err
	is "$(cat replies err | tr '\n' ' ')" '0 ' 'bash: without the program nothing is offered, and nothing said'
else
	skip 'bash' 'there is no bash'
fi

# --- zsh: what a person sees who types that and the tabulator

cat >complete.zsh <<'END'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1='> '; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; LISTMAX=1000; echo REA''DY"
zpty -r z seen '*READY*'
zpty -w -n z $2$'\t\t'
zpty -r z seen "*$3*"
END
sees() {	# sees LINE PATTERN NAME
	timeout 60 zsh -f complete.zsh "$here/completion" "$1" "$2" </dev/null >seen 2>&1
	result $? "zsh: $1<Tab> $3" || diag "$(cat seen)"
}
if command -v zsh >/dev/null; then
	ok 'zsh: its syntax' zsh -n "$here/completion/_dedup-lda"
	sees 'dedupdb ver' 'verify' 'is the command'
	sees 'dedupdb list --s' '--since*--sort' 'has both options'
	sees 'dedupdb dedupe --folders=' 'across*each*inbox' 'has the choices'
	sees 'dedupdb -o sync=' 'auto*strict' 'has the values'
	sees 'smtp-gap --tls=' 'may*off*require*verify' 'has the choices'
	sees 'smtp-gap --ver' '--verbose*--version' 'has both options'
	sees 'dedup-lda -o log-f' 'json*text' 'has key and values'
else
	skip 'zsh' 'there is no zsh'
fi
plan
