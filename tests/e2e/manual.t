#!/bin/sh
# The manual is true, and it is whole: what it names the programs know, and what they know it names. tests/e2e/manual.py reads the pages.
# help.t has compared dedupdb's --help with what dedupdb takes, so here --help stands for that.
# shellcheck disable=SC2013,SC2034,SC2094 # words without blanks; loops that only count; files that are read alone
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
if ! command -v python3 >/dev/null; then
	echo '1..0 # SKIP needs python3'
	exit 0
fi
fact() {	# fact NAME PAGE...
	what=$1
	shift
	(cd "$here/man" && python3 "$here/tests/e2e/manual.py" "$what" "$@")
}
# alike NAME: the lines of `manual` and of `program`
alike() {
	sort -u manual >manual.sorted
	sort -u program >program.sorted
	is "manual: $(comm -23 manual.sorted program.sorted | tr '\n' ' ')program: $(comm -13 manual.sorted program.sorted | tr '\n' ' ')" \
	    'manual: program: ' "$1: what is in one alone"
	ok "$1: there are some" test -s manual.sorted
}

message 1 >m

# --- options

# What a program with getopt takes is found by trying: the version, or the help, is printed unless the option is unknown or takes -V for its
# value.
letters='a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 0 1 2 3 4 5 6 7 8 9'
version() { HOME=$D/elsewhere "$BUILD/$program" "$@" -V <m >out 2>err && head -n 1 out | grep -q "^$program .*[0-9]\|^usage: $program "; }
takes() {	# takes PROGRAM VALUE...: one of these values is fit for each option
	program=$1
	shift
	for letter in $letters; do
		version "-$letter" && printf -- '-%s\n' "$letter" && continue
		for value; do
			version "-$letter" "$value" && printf -- '-%s=\n' "$letter" && break
		done
	done
}
for program in dedup-lda dedup-lmtpd smtp-gap; do
	fact options $program.8 | tr ' ' '\n' | grep -v '^--' >manual
	takes $program 1 1K a@example.org /x >program
	alike "$program: options"
done
long() { sed -n "s/.*{ \"\([a-z0-9-]*\)\", no_argument.*/--\1/p; s/.*{ \"\([a-z0-9-]*\)\", required_argument.*/--\1=/p"; }
fact options smtp-gap.8 | tr ' ' '\n' | grep '^--' >manual
sed 's/{ "/\n{ "/g' "$here/tools/smtp_gap_options.c" | long >program
alike 'smtp-gap: long options'
named() {	# the options that a help text names, with = if they take a value
	sed -n '/^Options:/,/^$/s/^ \{2,6\}\(-[^ ,]*\(, --[^ ]*\)*\).*/\1/p' | sed 's/=[^ ]*/=/; s/^\(-.\), \(--.*\)=/\1=, \2=/' | tr -s ', ' '\n' |
	    sed '/^$/d'
}
fact options dedupdb.8 | tr ' ' '\n' >manual
"$BUILD/dedupdb" --help | named >program
alike 'dedupdb: options'
for program in dedup-lda dedup-lmtpd smtp-gap dedupdb; do
	fact synopsis $program.8 >synopsis
	fact options $program.8 >options
	missing=
	while read -r names; do
		# shellcheck disable=SC2086 # several names of one option
		printf '%s\n' $names | grep -qxFf synopsis || missing="$missing $names"
	done <options
	is "$missing" '' "$program: the synopsis has every option"
	tr ' ' '\n' <options >names
	is "$(grep -vxFf names synopsis | tr '\n' ' ')" '' "$program: and no other"
done

# --- commands of dedupdb and their options

"$BUILD/dedupdb" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' >program
fact commands dedupdb.8 >manual
alike 'dedupdb: commands'
for command in $(grep -vx help program.sorted); do
	"$BUILD/dedupdb" "$command" --help | named | grep -vx -e --json -e --help -e -h | tr -d = | sort -u >program
	"$BUILD/dedupdb" --help | named | tr -d = >global
	fact command dedupdb.8 | sed -n "s/^$command	//p" | tr -d = | sort -u >manual
	is "$(comm -13 manual program | tr '\n' ' ')" '' "dedupdb $command: the manual has every option"
	is "$(comm -23 manual program | grep -vxFf global | tr '\n' ' ')" '' "dedupdb $command: and no other"
done

# --- keys

"$BUILD/dedupdb" help keys | sed -n '/^  [a-z-]*=/p' | cut -c 3-39 | sed 's/ *$//; s/=/	/' >program
fact keys dedup-lda.conf.5 >keys
tr -d '{}"' <keys >manual
alike 'keys and their defaults'
sed 's/	/ = /' keys >defaults.conf
accepts() { "$BUILD/dedupdb" -l none -o "$1" stat >out 2>err </dev/null; }	# accepts KEY=VALUE
fits() { accepts "$1" || [ $? -eq 69 ]; }	# a ledger's server need not be there
: >nothing.conf
dry() { "$BUILD/dedup-lda" -n -a joe+work@example.org -f mary@example.org "$@" <m >out 2>&1 || diag "$(cat out)"; }
dry -c nothing.conf
cp out plain
dry -c defaults.conf
same out plain 'all defaults in a file: the same as none'
while IFS='	' read -r key default; do
	dry -c nothing.conf -o "$key=$(printf %s "$default" | tr -d '{}"')"
	same out plain "-o $key=$default: the same as without"
done <keys
dry -c nothing.conf -o body=simple
ok 'the control: another value is another result' not cmp -s out plain
accepts no-such-key=1
is $? 78 'a key that is not there is refused'

# What a key may be: words as they are, and words with a colon that something follows.
"$BUILD/dedupdb" help keys | sed -n 's/^  \([a-z-]*\)=.*/\1/p' | while read -r key; do
	"$BUILD/dedupdb" help keys | grep "^  $key=" | cut -c 41- | sed 's/([^)]*)//' | sed 's/, or /, /; s/, /\n/g' >allowed
	# a sentence is no list of values
	head -n 1 allowed | grep -qxE '[a-z-]+|[a-z+]+:[^ ]+' || continue
	grep -oxE '[a-z-]+|[a-z+]+:[^ ]+' allowed | sed 's/[][A-Z].*//; s,///$,//,' | sort -u | sed "s/^/$key	/"
done >program
{
	fact values dedup-lda.conf.5
	sed 's/[{}"]//g; s/, /,/' keys | awk -F '	' '{ n = split($2, word, ","); for (i = 1; i <= n; i++) print $1 "\t" word[i] }'
} | sort -u >said
sort -u program >may
is "$(comm -13 said may | tr '\t\n' '= ')" '' 'the manual has every value of a list'
ok 'there are some' test "$(lines may)" -ge 35
{
	fact values dedup-lda.conf.5
	fact settings dedup-lda.8 dedupdb.8 dedup-lda.conf.5 dedup-lmtpd.8 dedup-lda-mta.7 dedup-lda-cluster.7 smtp-gap.8 | grep -v '^control	'	# OpenSMTPD's
} | sort -u >values
cut -f 1 keys >names
is "$(cut -f 1 values | grep -vxFf names | tr '\n' ' ')" '' 'what the manual sets is a key'
while IFS='	' read -r key value; do
	grep -qx -e "$value" names && continue	# the item speaks of another key
	grep -qE "^[a-z-]+	$value\$" values && cut -f 2 values | grep -qx "$value:" && value=$value:	# a kind, by its name
	case $value in
	*unix:) set -- "$value/x" ;;
	*//*) set -- "${value}localhost" "${value}localhost/x" "$value/x" ;;
	*:) set -- "${value}x:24" "$value/x" ;;
	*) set -- "$value" ;;
	esac
	[ "$key" = ledger ] && [ "$value" = redis ] && continue	# how addresses begin
	for form; do
		fits "$key=$form" && break
	done
	ok "$key = $value is accepted" fits "$key=$form" || diag "$(cat err)"
done <values
while IFS='	' read -r key value; do
	grep -qE "^$key	[a-z-]+\$" may || continue
	grep -qE "^$key	.*:\$" may && [ "$key" = mailbox ] && continue	# any path is one
	accepts "$key=no-such-value"
	is $? 78 "$key = no-such-value is refused"
done <keys

# --- exit codes

# Each is seen here, but for those of which the table at the end says where.
seen() { echo "$?" >>codes; }
code() {	# code PROGRAM ARGUMENT... <input: note its exit code
	program=$1
	shift
	"$BUILD/$program" "$@" >out 2>err
	echo "$?" >>codes
}
: >codes
code dedup-lda -n -o ledger=none <m
code dedup-lda -x <m
for last in 67:unknown-user 69:on-refusal 77:over-quota; do
	code dedup-lda -o ledger=none -o "mailbox=pipe:sh -c \"exit ${last%:*}\"" -o "${last#*:}=reject" <m
done
sort -u codes >program
fact exits dedup-lda.8 >manual
alike 'dedup-lda: exit codes'
sed -n 's/^#define EXIT_[A-Z_]* \([0-9]*\).*/\1/p' "$here/lda/exit.h" >program
alike 'dedup-lda: exit codes of lda/exit.h'

: >codes
ledger=bdb:$D/L
lda <m
code dedup-lmtpd -V
code dedup-lmtpd -x
code dedup-lmtpd -F -o no-such-key=1 -l "unix:$D/s"
code dedup-lmtpd -F -o "mailbox=maildir:$D/%n/" -o ledger=none -l "unix:$D/no/folder"
sort -u codes >program
fact exits dedup-lmtpd.8 >manual
alike 'dedup-lmtpd: exit codes'

: >codes
code dedupdb -V
code dedupdb -o "mailbox=$mailbox" -l "$ledger" check m
code dedupdb stat --wrong
"$BUILD/dedupdb" -l "$ledger" export >e
head -n 1 e >part
code dedupdb -l "bdb:$D/R" restore part
code dedupdb -l none show no-such-file
code dedupdb -l none forget 0123456789abcdef
code dedupdb -l "$ledger" gaps "--html=$D/no/folder"
{ "$BUILD/dedupdb" -l "$ledger" stat >/dev/full; } 2>err
seen
code dedupdb -l none check no-such-file
code dedupdb -d root stat
code dedupdb -l none -o no-such-key=1 stat
echo 67 >>codes	# of root alone: tests/root/users.t
ok 'dedupdb: 67 is seen elsewhere' grep -q '^alone 67 ' "$here/tests/root/users.t"
sort -u codes >program
fact exits dedupdb.8 >manual
alike 'dedupdb: exit codes'
# number NAME...: of sysexits.h
number() {
	sed 's/^EX_OK$/0/; s/^EX_USAGE$/64/; s/^EX_DATAERR$/65/; s/^EX_NOINPUT$/66/; s/^EX_NOUSER$/67/; s/^EX_NOHOST$/68/
		s/^EX_UNAVAILABLE$/69/; s/^EX_SOFTWARE$/70/; s/^EX_OSERR$/71/; s/^EX_OSFILE$/72/; s/^EX_CANTCREAT$/73/; s/^EX_IOERR$/74/
		s/^EX_TEMPFAIL$/75/; s/^EX_PROTOCOL$/76/; s/^EX_NOPERM$/77/; s/^EX_CONFIG$/78/; s/^EXIT_UNKNOWN$/1/'
}
find "$here/tools" -name '*.c' ! -name 'smtp_gap*' -exec grep -ohE '\<(EX_[A-Z]+|EXIT_UNKNOWN)\>' {} + | sort -u | number >program
alike 'dedupdb: exit codes of tools/'
for command in $("$BUILD/dedupdb" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help); do
	"$BUILD/dedupdb" "$command" --help | sed -n '/^Exit codes:/,/^$/p' | sed 's/([^)]*)//g' | grep -oE '\<[0-9]{1,2}\>' | sort -u >program
	is "$(grep -vxFf manual program | tr '\n' ' ')" '' "dedupdb $command --help: no exit code that the manual lacks"
done
{
	grep -ohE '\<EX_[A-Z]+\>' "$here"/tools/smtp_gap*.c
	echo 1	# who was asked said no
} | sort -u | number >program
fact exits smtp-gap.8 >manual
alike 'smtp-gap: exit codes of tools/smtp_gap*.c'
for last in $(grep -vx 71 manual); do
	ok "smtp-gap: exit $last is seen" grep -qE "(^|[^0-9.])$last([^0-9.]|\$)" "$here/tests/e2e/smtp_gap.t"
done

# --- the log

grep -ohE 'log_(add|add_bytes|add_number|time)\(&?[a-z]+, "[a-z_]+"' "$here"/lda/*.c | sed 's/.*"\(.*\)"/\1/' >program
fact log dedup-lda.8 dedup-lmtpd.8 >manual
alike 'fields of the log'
sort -u manual >fields
fresh
: >seen.log
keep() { cat log >>seen.log; : >log; }
for i in 1 2; do
	lda -m work -a joe@example.org <m
done
keep
lda -o on-duplicate=tag <m
lda -o on-duplicate=folder:Copies -o create-folders=yes <m
keep
chmod 500 M/new
message 2 >m2
lda <m2
chmod 700 M/new
lda <m2
keep
lda -o "mailbox=pipe:sh -c \"exit 69\"" -o on-refusal=reject <m2
for try in 1 2; do
	lda -o "mailbox=pipe:sh -c \"test -e $D/go\"" <m2
	: >go
done
keep
{ printf 'Received: from a.example (a.example [192.0.2.1]) by mx.example with ESMTP id 1; Fri, 20 Nov 2026 12:00:00 +0000\nDelivered-To: joe@example.org\n' &&
	message 3; } >m3
lda -a joe@example.org <m3
lda -a joe@example.org <m3
keep
: >L.no
lda -o "ledger=bdb:$D/L.no" <m3
keep
grep -oE '(^| )[a-z_]+=' seen.log | tr -d ' =' | sort -u >program
fact log dedup-lda.8 >manual
alike 'the log has each field of dedup-lda(8)'
grep -o ' action=[a-z]*' seen.log | sed 's/.*=//' | sort -u >program
fact actions dedup-lda.8 >manual
alike 'and each action'
plan
