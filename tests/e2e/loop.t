#!/bin/sh
# A message that was here before: Delivered-To fields, what they say of a loop, and that they change nothing but the log.
# shellcheck disable=SC2059 # $text is part of formats
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

text='Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\nSubject: s\n\nDelivered-To: joe@x\n'
old='Received: from harbour by meadow; Fri, 20 Nov 2026 12:00:00 +0000\n'
# The fields of `log`'s only line that tell: action, and loop if it is there.
told() { grep -o -e 'action=[a-z]*' -e 'loop=[a-z]*' log | tr '\n' ' '; }
loops() {	# loops yes|no NAME OPTION...: `in`, into a new mailbox
	tells='action=delivered ' what=$2
	[ "$1" = no ] || tells="${tells}loop=yes "
	shift 2
	fresh
	exits 0 "$what" "$@" <in
	is "$(told)" "$tells" "$what: $tells"
	is "$(copies)" 1 "$what: it is delivered"
}

printf "$old$text" >in
loops no 'no Delivered-To' -a joe@x
printf "${old}Delivered-To: joe@x\n$old$text" >in
loops yes 'one between Received fields' -a joe@x
is "$(grep -c '^Delivered-To: joe@x$' "$(only)")" 2 'it is not doubled: one in the header, one in the body'
loops yes 'in another case' -a JOE@X
loops yes 'address in brackets' -a '<joe@x>'
loops no 'of another recipient' -a ann@x
loops no 'without -a' -o add-headers=
loops no 'with an empty -a' -a ''
loops yes 'with add-headers = {}' -a joe@x -o 'add-headers={}'
printf "${old}Delivered-To: joe@x.example\nDelivered-To: xjoe@x\nX-Delivered-To: joe@x\n$old$text" >in
loops no 'fields that only look like it' -a joe@x
printf "${old}Delivered-To: ann@x\nDelivered-To:\n\tjoe@x \n$old$text" >in
loops yes 'the second of several, folded' -a joe@x

# The MTA's own of this delivery stands above the first Received.
printf "Return-Path: <s@y>\nX-Original-To: sales@x\nDelivered-To: joe@x\n$old$text" >in
loops no "the MTA's own" -a joe@x
loops no "the MTA's own, without -a"
loops no "the MTA's own, which is not the address: an alias" -a sales@x
printf "Delivered-To: joe@x\n${old}Delivered-To: joe@x\n$old$text" >in
loops yes "the MTA's own, and one from before" -a joe@x
loops yes "the MTA's own, and one from before, without -a"
loops yes "the MTA's own, and one from before, after an alias" -a sales@x
printf "Delivered-To: ann@x\n${old}Delivered-To: joe@x\n$old$text" >in
loops no 'forwarded from joe to ann here, when the MTA passes the original recipient' -a joe@x
printf "Delivered-To: joe@x\n$text" >in
loops no "the MTA's own, and no Received at all" -a joe@x
printf "Delivered-To: joe@x\nDelivered-To: JOE@x\n$text" >in
loops yes 'two of them, and no Received at all' -a joe@x
{ printf "${old}Delivered-To: joe@x\n$old$text" && yes 'a line' | head -c 300000; } >in
loops yes 'a large message' -a joe@x

# It is logged whatever becomes of the message.
printf "$old$text" >first
printf "${old}Delivered-To: joe@x\n$old$text" >in
fresh
lda -a joe@x <first
rm log
exits 0 'the first copy, come back' -a joe@x <in
is "$(told)" 'action=duplicate loop=yes ' 'a duplicate, and a loop'
is "$(copies)" 1 'one copy'
rm log
exits 0 'with a tag' -a joe@x -o on-duplicate=tag <in
is "$(told)" 'action=tagged loop=yes ' 'tagged, and a loop'
rm log
exits 0 'filed' -a joe@x -o on-duplicate=folder:Dup <in
is "$(told)" 'action=filed loop=yes ' 'filed, and a loop'
fresh
mkdir -p M/tmp M/new M/cur
chmod 500 M/tmp
defers 'create a file in tmp' 'deferred' -a joe@x <in
is "$(told)" 'action=deferred loop=yes ' 'deferred, and a loop'
chmod 700 M/tmp
if can_trace; then
	run=$(kill_at "$RENAME" 1)
	lda -a joe@x <in
	run=
	rm log
	exits 0 'the next copy of one that was killed' -a joe@x <in
	is "$(told)" 'action=helped loop=yes ' 'helped, and a loop'
else
	skip 'helped' 'strace can not trace here'
fi
rm -f log
exits 0 'into an mbox' -a joe@x -o "mailbox=mbox:$D/box" -o ledger=none <in
is "$(told)" 'action=delivered loop=yes ' 'delivered, and a loop'
exits 0 'as JSON' -a joe@x -o log-format=json -o "log=file:$D/log.json" <in
ok 'the same field' grep -q '"loop":"yes"' log.json
plan
