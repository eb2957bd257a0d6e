#!/bin/sh
# What scripts that test dedup-lmtpd share. To be sourced after tap.sh.
#
#	$server		the process that `serve` has started
#	$D/replies	what `talk` got, without CR
#	$talk		tests/e2e/lmtp_client.py

# shellcheck disable=SC2154 # $here is set by who sources this
talk=$here/lmtp_client.py
server=
stop_server() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
	server=
}
trap 'stop_server; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT

# serve OPTION...: a server at $D/s; maildirs $D/vmail/USER@DOMAIN, and ledgers in $D/L
serve() {
	stop_server
	mkdir -p "$D/vmail" "$D/L"
	# shellcheck disable=SC2086 # $run is several words
	$run "$BUILD/dedup-lmtpd" -F -l "unix:$D/s" -o "mailbox=maildir:$D/vmail/%u" -o "ledger=bdb:$D/L/%d" -o "log=file:$D/log" "$@" 2>server.err &
	server=$!
	wait_for python3 "$talk" ready "$D/s" || diag "$(cat server.err)"
}
# talk: a session, sent at once; each line of standard input gets CRLF. Its replies, until the server closes
talk() { sed 's/$/\r/' | talk_raw; }
talk_raw() { python3 "$talk" talk "$D/s" >"$D/replies"; }	# as it stands
codes() { cut -c 1-9 "$D/replies" | grep -v '^250-' | sed 's/^220.*/220/; s/^354.*/354/; s/^250 SIZE.*/250/' | tr '\n' ' ' | sed 's/ *$//'; }
# said NAME WANTED <session: the codes of all replies, each line of LHLO's reply but the last left out
said() {
	talk
	is "$(codes)" "$2" "$1" || diag "$(cat "$D/replies")"
}
letter() {	# letter ADDRESS ID: a session that delivers one message
	printf 'LHLO here.example\nMAIL FROM:<sender@example.net>\nRCPT TO:<%s>\nDATA\nMessage-ID: <%s@example.net>\nDate: today\n\nText.\n.\nQUIT\n' "$1" "$2"
}
box() { copies_in "$D/vmail/$1"; }
sample() {	# sample NAME: of the statistics
	sed -n "s/^dedup_lmtpd_$1 //p" "$D/stats"
}
