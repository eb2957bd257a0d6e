#!/bin/sh
# What dedupdb says of itself: --help of each command names what the command accepts and nothing else, and mistakes hint at it.
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

tool() { "$BUILD/dedupdb" "$@" >out 2>err </dev/null; }
# The options that a help text in `out` names, short ones and long ones, one in each line.
named() {
	sed -n '/^Options:/,/^$/s/^ \{2,6\}\(-[^ ,]*\(, --[^ ]*\)*\).*/\1/p' out | tr -s ', ' '\n' | sed 's/=.*//; /^$/d' | sort -u
}
unknown() { grep -Fq "unknown option '$1'" err; }
letters='a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z'
# Every option that a command takes is found by trying: each letter, and each letter that a long one may begin with. What has the same
# beginning as another one is told by the program.
accepted() {
	for letter in $letters; do
		tool "$@" "-$letter=v" --help
		if [ -s err ]; then unknown "-$letter" || printf -- '-%s\n' "$letter"; else printf -- '-%s\n' "$letter"; fi
		tool "$@" "--$letter=v" --help
		if ! [ -s err ]; then
			echo "--$letter"
		elif grep -q "' may be --" err; then
			sed "s/.*' may be //; s/;.*//; s/, /\n/g" err
		elif ! unknown "--$letter=v"; then
			echo "--$letter"
		fi
	done | sort -u
}
# shellcheck disable=SC2013 # options have no blanks
# Is each accepted one named, and does nothing else begin so?
covers() {
	wrong=
	for option in $(cat accepted.txt); do
		case $option in
		--?) [ "$(grep -c -- "^$option" named.txt)" -eq 1 ] || wrong="$wrong $option" ;;
		*) grep -qx -- "$option" named.txt || wrong="$wrong $option" ;;
		esac
	done
	for option in $(cat named.txt); do
		grep -qx -- "$option" accepted.txt || grep -qx -- "$(expr "x$option" : 'x\(--.\)')" accepted.txt || wrong="$wrong $option"
	done
	[ -z "$wrong" ] || diag "named or accepted, but not both:$wrong"
	[ -z "$wrong" ]
}

tool --help
is "$? $(lines err)" '0 0' 'help: exit 0, nothing on standard error'
cp out help
named >named.txt
accepted >accepted.txt
ok 'it names every option that comes before a command' covers
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help | grep -vx help)
ok 'it names the commands' test "$(echo "$commands" | wc -l)" -ge 13
for command in $commands; do
	tool "$command" --help
	is "$? $(lines err)" '0 0' "$command --help: exit 0, nothing on standard error"
	matches "$(head -n 1 out)" "^usage: dedupdb \[options\] $command( |\$)" "$command --help: how it is called"
	ok "$command --help: exit codes and the page that has all" grep -q 'dedupdb --help\|dedupdb(8)' out
	cp out expected
	named >named.txt
	accepted "$command" >accepted.txt
	ok "$command --help names every option that it takes" covers
	for way in "$command -h" "help $command"; do
		# shellcheck disable=SC2086 # two words
		tool $way
		ok "$way: the same" cmp expected out
	done
	tool "$command" --wrong
	code=$?
	[ "$command" = check ] && want=75 || want=64	# for check every trouble is 75
	is "$code" "$want" "$command with a wrong option: exit $want"
	is "$(cat err)" "dedupdb: unknown option '--wrong'; try 'dedupdb $command --help'" "$command with a wrong option: what to do"
	is "$(lines out)" 0 "$command with a wrong option: nothing on standard output"
	ok "the manual has $command" grep -Eq "^\.It (Xo )?Cm $command( |\$)" "$here/man/dedupdb.8"
	# shellcheck disable=SC2013
	for option in $(grep -e '^--' named.txt); do
		case $option in --json | --help) continue ;; esac
		ok "the manual has $command $option" grep -q "Fl -${option#--}\( \|\$\|=\)" "$here/man/dedupdb.8"
	done
done

# What is wrong is said with what to do.
usage() {	# usage PATTERN ARGUMENT...
	pattern=$1
	shift
	tool "$@"
	is "$? $(lines out) $(lines err)" '64 0 1' "$*: exit 64, one line"
	matches "$(cat err)" "$pattern" "$*: says what to do"
}
usage "^dedupdb: no command; try 'dedupdb --help'" -l none
usage "unknown command 'lst'; try 'dedupdb --help'" lst
usage "there is no command 'lst' to help with; try 'dedupdb --help'" help lst
usage "'--s' may be --since, --sort; try 'dedupdb list --help'" list --s
usage "option '--since' needs a value; try 'dedupdb list --help'" list --since
usage "'x' is no time: 2026-11-20, .* two hours ago; try 'dedupdb list --help'" list --since=x
usage "'x' is no time: 2026-11-20, .* two hours ago; try 'dedupdb dedupe --help'" dedupe --since=x M
usage "option '--sort=x' takes no value; try 'dedupdb list --help'" list --sort=x
usage "forget takes one fingerprint or more; 'dedupdb list' shows them; try" forget
usage 'why takes one Message-ID, in quotes for the shell' why a b
usage '--json another: choose one' stat --json --prometheus
tool -l none forget 0123456789abcdef
is "$? $(cat err)" '69 dedupdb: there is no ledger (ledger = none) to forget anything in; -l names one' 'without a ledger: what to do'
tool -l "bdb:$D/L" forget 0123456789abcdef
is "$?" 1 'a record that is not there: exit 1'
matches "$(cat err)" "no record .* 0123456789abcdef; 'dedupdb list' shows those that there are" 'a record that is not there: what to do'

# The keys are those of the example, each default is one that -o takes.
tool help keys
is "$? $(lines err)" '0 0' 'help keys: exit 0'
sed -n 's/^  \([a-z-]*\)=.*/\1/p' out | sort >keys
sed -n 's/^#\{0,1\}\([a-z-]*\) = .*/\1/p' "$here/examples/dedup-lda.conf" | sort -u >example
same keys example 'help keys: those of the example'
sed -n '/^  [a-z-]*=/p' out | cut -c 3-39 | sed 's/ *$//' >defaults
is "$(lines defaults)" "$(lines keys)" 'help keys: each has a default'
while read -r assignment; do
	tool -o "$assignment" -l none stat
	is "$? $(cat err)" '0 ' "the default can be given: $assignment"
done <defaults
tool -o no-such-key=1 stat
is "$?" 78 'an unknown key: exit 78'
ok 'an unknown key: where they are listed' grep -q "'dedupdb help keys'" err
plan
