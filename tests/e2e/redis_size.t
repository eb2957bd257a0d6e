#!/bin/sh
# How large a ledger in Redis gets is what dedup-lda-cluster(7) says, within a tenth.
here=$(cd "${0%/*}" && pwd)
page=$(cd "$here/../../man" && pwd)/dedup-lda-cluster.7
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'the size of a ledger in Redis'
N=20000
server one 'appendfsync everysec'
cli one config set appendfsync always >config.out
ledger=redis://127.0.0.1:$(port one)/0
# records HOPS: that many, each with a trace of so many Received fields
records() {
	python3 - "$1" $N <<-'PYTHON'
	import base64, hashlib, json, struct, sys, time
	hops, n = int(sys.argv[1]), int(sys.argv[2])
	now = int(time.time())
	print(json.dumps({'format': 'dedup-lda ledger', 'version': 1, 'program': '0', 'created': '2026-11-26T00:00:00Z',
	                  'ledger': 'bdb:/', 'scope': 'maildir:/', 'window': 604800}))
	for i in range(n):
	    key = hashlib.sha256(b'%d of %d' % (i, hops)).digest()
	    trace = struct.pack('>BBHH', 1, 0, hops, 1) + key * hops
	    print(json.dumps({'fingerprint': key.hex(), 'state': 'delivered', 'first': now, 'decided': now, 'flags': 0,
	                      'trace': base64.b64encode(trace).decode()}))
	print(json.dumps({'records': n}))
	PYTHON
}
value() { cli one info "$1" | tr -d '\r' | sed -n "s/^$2:\([0-9]*\)\$/\1/p"; }	# value SECTION NAME
near() {	# near GOT SAID NAME: within a tenth
	ok "$3: $1, and the page says $2" test "$(($1 * 10))" -ge "$((${2:-0} * 9))" -a "$(($1 * 10))" -le "$((${2:-0} * 11))"
}
# The row of a table in the page, whose first column is this.
row() { sed -n "s/^\.It $1 Ta //p" "$page" | tr -d ,; }

for hops in 2 4 8; do
	cli one flushall >flush.out
	cli one memory purge >flush.out
	before=$(value memory used_memory)
	records $hops >dump
	db 0 "restore $N records" restore <dump
	near $((($(value memory used_memory) - before) / N)) "$(row "$hops Received fields")" "bytes of a record, $hops Received fields"
done

# A delivery of a new message, by a process of its own, with four Received fields.
received() {
	for hop in 1 2 3 4; do
		printf 'Received: from h%s.example.net (h%s.example.net [192.0.2.%s]) by h%s.example.net with ESMTPS id Q%s; Fri, 20 Nov 2026 12:00:0%s +0000\n' \
		    "$hop" "$hop" "$hop" "$((hop - 1))" "$1$hop" "$hop"
	done
}
cost() {	# cost: what 100 deliveries and 100 duplicates cost the server
	for v in total_net_input_bytes total_net_output_bytes total_commands_processed total_connections_received; do value stats $v; done | tr '\n' ' '
	value persistence aof_current_size
}
mkdir M
{ received w; message warm; } >m
lda <m
run=
measure() {	# measure ACTION: 100 messages; bytes in, out, commands, connections, bytes of the log, for each
	# shellcheck disable=SC2046 # five numbers
	set -- "$1" $(cost)
	for i in $(seq 100); do
		{ received "$i"; message "cost$i"; } >m
		lda -o on-ledger-failure=defer <m
	done
	is "$(tail -n 100 log | grep -c "action=$1")" 100 "100 messages, $1"
	# shellcheck disable=SC2046
	set -- "$@" $(cost)
	echo "$((($7 - $2) / 100)) $((($8 - $3) / 100)) $((($9 - $4) / 100)) $(((${10} - $5) / 100)) $(((${11} - $6) / 100))" >"cost.$1"
}
measure delivered
measure duplicate
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"
trap 'stop_server; stop_servers; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT
serve -w 1 -o "ledger=$ledger" -o on-ledger-failure=defer
letters() {	# letters FROM TO: a session that delivers these
	printf 'LHLO here.example\n'
	for i in $(seq "$1" "$2"); do
		printf 'MAIL FROM:<sender@example.net>\nRCPT TO:<a@example.org>\nDATA\n'
		received "$i"
		printf 'Message-ID: <kept%s@example.net>\nDate: today\n\nText.\n.\n' "$i"
	done
	printf 'QUIT\n'
}
letters 1 10 | talk
# shellcheck disable=SC2046
set -- $(cost)
letters 11 110 | talk
is "$(box a@example.org)" 110 '100 messages to dedup-lmtpd'
# shellcheck disable=SC2046
set -- "$@" $(cost)
echo "$((($6 - $1) / 100)) $((($7 - $2) / 100)) $((($8 - $3) / 100)) $((($9 - $4) / 100)) $(((${10} - $5) / 100))" >cost.kept
for action in delivered duplicate kept; do
	read -r in out commands connections aof <"cost.$action"
	echo "# $action: $in bytes to the server, $out from it, $commands commands, $connections connections, $aof bytes of its log"
	near "$in" "$(row "$action, bytes to the server")" "$action, bytes to the server"
	near "$out" "$(row "$action, bytes from it")" "$action, bytes from it"
	near "$aof" "$(row "$action, bytes of its log")" "$action, bytes of its log"
	is "$commands" "$(row "$action, commands")" "$action, commands"
done
plan
