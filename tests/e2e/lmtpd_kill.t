#!/bin/sh
# The master of the LMTP server under kill -9, at any time: nothing is lost, nothing comes twice. And a worker alone waits for nobody.
# tests/crash/lmtpd_kill kills workers at their system calls.
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/lmtp.sh
. "$here/lmtp.sh"

sleep 30 &
if can_trace && timeout 5 strace -p $! -o trace.out -e 'inject=all:signal=KILL:when=1' 2>strace.err; [ ! -s strace.err ] || grep -q attached strace.err; then
	attach=yes
fi
kill $! 2>strace.err

# Long work of dedupdb gives way to deliveries. A worker keeps its ledger open as that does, and has nobody to give way to.
serve -w 1
if [ -z "${attach:-}" ]; then
	skip 'a worker alone waits for nobody' 'strace can not attach here'
else
	worker=$(pgrep -P "$server")
	strace -p "$worker" -o sleeps.out -e trace=clock_nanosleep 2>strace.err &
	tracer=$!
	wait_for grep -q attached strace.err
	is "$(python3 "$talk" crowd "$D/s" 1 150 2>err)" 150 '150 messages on one connection'
	kill $tracer
	wait $tracer 2>err
	is "$(grep -c nanosleep sleeps.out)" 0 'a worker alone waits for nobody' || diag "$(head -n 3 sleeps.out)"
fi
stop_server
rm -rf vmail L

# The master is killed while eight clients send, and comes back; what was not answered is sent again.
rounds=3
[ "${CRASH:-}" != full ] || rounds=30
for round in $(seq $rounds); do
	serve
	python3 "$talk" crowd "$D/s" 8 4 >crowd.out 2>crowd.err &
	crowd=$!
	sleep "0.$((round * 7 % 10))"
	kill -9 "$server"
	wait $crowd
	server=
	serve
	python3 "$talk" crowd "$D/s" 8 4 >crowd.out 2>crowd.err || diag "$(cat crowd.err)"
	good=$(cat crowd.out)
	there=$(find vmail -path '*/box[0-7]@*/new/*' | wc -l)
	is "$good $there" '32 32' "round $round, the master killed: 32 messages, each once"
	rm -rf vmail/box* L
done
plan
