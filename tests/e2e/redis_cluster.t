#!/bin/sh
# A cluster of three masters with a replica each: records are on all of them, slots move to and fro, stay half-way, and a master is
# killed; known messages stay known.
here=$(cd "${0%/*}" && pwd)
examples=$(cd "$here/../../examples/redis" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'a ledger in a cluster of Redis'
mkdir M
arrived() { grep -rl "^Message-ID: <$1@" M/new M/cur | wc -l | tr -d ' '; }
agent() { lda -o on-ledger-failure=defer -o "ledger-password-file=$D/password" "$@"; }
# known NAME: the first twenty-four are duplicates; a pass over all of them
known() {
	wrong=
	for i in $(seq 24); do
		message "first$i" >m
		: >log
		agent <m
		[ "$rc $(grep -o 'action=[a-z]*' log)" = '0 action=duplicate' ] || wrong="$wrong first$i:$rc:$(tr '\n' ' ' <log)"
	done
	is "$wrong" '' "$1: twenty-four known messages are duplicates" || diag "$(cat err)"
}
# takes NAME: twenty-four new ones come, with the ledger, and are known then
lot=0
takes() {
	lot=$((lot + 1)) wrong=
	for i in $(seq 24); do
		message "lot$lot.$i" >m
		: >log
		agent <m && agent <m
		[ "$rc $(grep -o 'action=[a-z]*' log | tr '\n' ' ')" = '0 action=delivered action=duplicate ' ] ||
			wrong="$wrong lot$lot.$i:$rc:$(tr '\n' ' ' <log)"
	done
	is "$wrong" '' "$1: twenty-four new ones are delivered once" || diag "$(cat err)"
}
keys_of() { cli "$1" --scan --pattern 'dedup-lda:*'; }
slots() { for c in c1 c2 c3; do keys_of $c | sed 's/^/CLUSTER KEYSLOT /' | cli $c; done | sort -nu; }
holder() {	# holder SLOT: the one that has keys of it
	for c in c1 c2 c3; do [ "$(cli $c cluster countkeysinslot "$1")" -eq 0 ] || { echo $c; break; }; done
}
other() { case $1 in c1) echo c2 ;; c2) echo c3 ;; *) echo c1 ;; esac; }

# The agent's user has the rights that the example gives.
printf 'secret\n' >password
chmod 600 password
cluster "$(sed -n "/^user dedup-lda /s/HASH-OF-DEDUP-LDA/$(printf secret | sha256sum | cut -d ' ' -f 1)/p" "$examples/users.acl")"
seeds() { ledger=redis+cluster://dedup-lda@$1; }
seeds "127.0.0.1:$(port c1),127.0.0.1:$(port c2)"
wrong=
for i in $(seq 24); do
	message "first$i" >m
	agent <m
	[ "$rc" -eq 0 ] || wrong="$wrong $i"
done
is "$wrong $(copies)" ' 24' 'twenty-four messages' || diag "$(cat err)"
for c in c1 c2 c3; do ok "$c has records" test -n "$(keys_of $c)"; done
known 'a cluster'
seeds "127.0.0.1:$(free_ports 1 | cut -d ' ' -f 1),127.0.0.1:$(port c6)"
known 'one that is named first is not there, the other one is a replica'
seeds "127.0.0.1:$(port c3)"
db 0 'dedupdb list' -o "ledger-password-file=$D/password" list
is "$(lines out)" 24 'dedupdb list: all of them'
"$BUILD/dedupdb" -o "ledger-password-file=$D/password" -l "$ledger" export >dump
is "$(grep -c '"fingerprint"' dump)" 24 'dedupdb export: all of them'
db 0 'dedupdb stat' -o "ledger-password-file=$D/password" stat

# Equal ranges of slots, as `redis-cli --cluster create` makes them, have equal shares of the buckets.
for bucket in $(seq 0 255); do printf 'CLUSTER KEYSLOT {%03o}\n' "$bucket"; done | cli c1 >buckets
for masters in 3 16 64 256; do
	is "$(awk -v masters=$masters '{ n[int($1 * masters / 16384)]++ }
	    END { for (m = 0; m < masters; m++) if (n[m] < int(256 / masters) || n[m] > int((255 + masters) / masters)) print "not a share:", m, n[m] + 0 }' \
	    buckets)" '' "each of $masters masters has its share"
done

# Each slot that has keys is half-way: some of its keys have moved, and new ones go to the other node.
all=$(slots)
for slot in $all; do
	from=$(holder "$slot")
	slot_begin "$slot" "$from" "$(other "$from")"
	half=$(cli "$from" cluster getkeysinslot "$slot" 1000 | sort | sed -n 'p;n')
	# shellcheck disable=SC2086 # our keys have no blanks
	cli "$from" migrate 127.0.0.1 "$(port "$(other "$from")")" '' 0 5000 keys $half
	echo "$slot $from" >>moving
done >move.out 2>&1
echo "# $(lines moving) slots are half-way"
known 'slots that are half-way'
takes 'slots that are half-way'
db 0 'dedupdb list, slots half-way' -o "ledger-password-file=$D/password" list
is "$(lines out)" 48 'dedupdb list, slots half-way: all of them, once'
while read -r slot from; do
	slot_keys "$slot" "$from" "$(other "$from")"
	slot_end "$slot" "$from" "$(other "$from")"
done <moving >>move.out 2>&1
is "$(for slot in $all; do holder "$slot"; done | tr '\n' ' ')" "$(while read -r slot from; do other "$from"; done <moving | tr '\n' ' ')" 'they have moved'
known 'slots that have moved'
takes 'slots that have moved'
db 0 'dedupdb list, slots moved' -o "ledger-password-file=$D/password" list
is "$(lines out)" 72 'dedupdb list, slots moved: all of them'

# A server that lives on learns where the slots are now.
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"
trap 'stop_server; stop_servers; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT
serve -w 1 -o "ledger=$ledger" -o "ledger-password-file=$D/password" -o on-ledger-failure=defer
for i in $(seq 10); do letter a@example.org "long$i" | talk; done
while read -r slot from; do
	slot_begin "$slot" "$(other "$from")" "$from"
	slot_keys "$slot" "$(other "$from")" "$from"
	slot_end "$slot" "$(other "$from")" "$from"
done <moving >>move.out 2>&1
: >log
for i in $(seq 10); do letter a@example.org "long$i" | talk; done
is "$(count 'action=duplicate' log)" 10 'dedup-lmtpd: all slots have moved, and their copies are known' || diag "$(cat log server.err)"
is "$(box a@example.org)" 10 'dedup-lmtpd: ten messages, once'

# A master is killed. Its replica takes over; until then its slots wait, and the others do not.
wait_for slaves_ready
crash c2
: >log
message first1 >m
i=0
while [ $i -lt 24 ]; do
	i=$((i + 1))
	message "first$i" >m
	agent -o ledger-timeout=15s <m
	[ "$rc" -eq 0 ] || diag "first$i: exit $rc" "$(cat err)"
done
is "$(count 'action=duplicate' log)" 24 'a killed master: known messages wait for its replica'
ok 'its replica has taken over' promoted c5
takes 'a killed master'
: >log
for i in $(seq 10); do letter a@example.org "long$i" | talk; done
is "$(count 'action=duplicate' log) $(box a@example.org)" '10 10' 'dedup-lmtpd: their copies are known' || diag "$(cat log server.err)"
stop_server
is "$(for i in $(seq 24); do arrived "first$i"; done | sort | uniq -c | tr -s ' ')" ' 24 1' 'each of the first is there once'

# Two of three masters are gone, and no replica is left for one: this part of the ledger has failed.
crash c5
wrong=0 waits=0
for i in $(seq 8); do
	message "last$i" >m
	agent -o ledger-timeout=1s <m
	case $rc in 0) ;; 75) waits=$((waits + 1)) ;; *) wrong=$((wrong + 1)) ;; esac
done
ok 'a master without a replica is killed: some wait' test $waits -gt 0
is $wrong 0 'and nothing else happens'
again c5
wait_for settled c1
wrong=
for i in $(seq 8); do
	message "last$i" >m
	agent -o ledger-timeout=15s <m
	[ "$rc $(arrived "last$i")" = '0 1' ] || wrong="$wrong last$i:$rc:$(arrived "last$i")"
done
is "$wrong" '' 'it is back: each comes once' || diag "$(cat err)"

# The master of the first keys of all is gone for good: what the others have goes on.
for c in c1 c5; do cli $c config set cluster-require-full-coverage no >>moved.out; done
crash c6
crash c3
seeds "127.0.0.1:$(port c1),127.0.0.1:$(port c5)"
ok 'c3 had the first bucket' test "$(cli c1 cluster keyslot '{000}')" -gt 10922
took=0 waits=0 wrong=
for i in $(seq 24); do
	message "alone$i" >m
	: >log
	agent -o ledger-timeout=1s <m
	case $rc in
	0)
		took=$((took + 1))
		agent -o ledger-timeout=1s <m
		[ "$(grep -o 'action=[a-z]*' log | tr '\n' ' ')" = 'action=delivered action=duplicate ' ] || wrong="$wrong alone$i"
		;;
	75) waits=$((waits + 1)) ;;
	*) wrong="$wrong alone$i:$rc" ;;
	esac
done
ok 'a third of a cluster is gone: most go on, the others wait' test $took -gt 8 -a $waits -gt 0 || diag "$took took, $waits wait" "$(cat err)"
is "$wrong" '' 'and those that go on are known' || diag "$(cat log)"
plan
