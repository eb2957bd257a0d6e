#!/bin/sh
# What scripts that need Redis share: servers, in the scratch folder, on free ports of the loopback. To be sourced after tap.sh.
#
#	server NAME [WORD...]	start one, with these lines of configuration as words; a folder $D/redis/NAME for its files
#	port NAME, cli NAME WORD...	its port; a command for it
#	crash NAME, halt NAME	kill it; let it save what it has and end
#	again NAME		start it once more, with what its folder holds
#	freeze NAME, thaw NAME	it does nothing, and goes on
#	forget_replicas NAME	it passes nothing on from now on
#	archive NAME		a server `old` of its own, with what NAME held when it was killed
#	proxy NAME, faults LINE	tests/e2e/redis_proxy.py before it, at the port of `proxy`; what it does
#	hole [full]		tests/e2e/redis_hole.py, at the port of `hole`
#	pair, watch N		`one` with its replica `two`; N sentinels s1, s2, ... that know it as `mail`
#	cluster			c1 to c6: three masters with a replica each
#
# They end with the script. If that is killed with -9 the kernel kills them: setpriv's pdeathsig.

# shellcheck disable=SC2154 # $D is tap.sh's
R=$D/redis
mkdir "$R" "$D/bin"
PATH=$D/bin:$PATH
trap 'stop_servers; cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT

need_redis() {	# need_redis WHAT: or the script ends, and says why
	# Debian's redis-tools has the program of the server as well, by another name, and starts no service.
	program=$(command -v redis-server || command -v redis-check-rdb)
	if [ ! -e "$BUILD/dedup-lda-redis" ]; then
		lacks='built without Redis'
	elif [ -z "$program" ] || ! command -v redis-cli >/dev/null; then
		lacks='no server of Redis is installed'
	else
		ln -s "$program" "$D/bin/redis-server"
		return
	fi
	skip "$1" "$lacks"
	plan
	exit 0
}
# free_ports N: ports that nobody listens on, and that nothing is given by itself
free_ports() {
	python3 - "$1" <<-'PYTHON'
	import random, socket, sys
	low, high = map(int, open('/proc/sys/net/ipv4/ip_local_port_range').read().split())
	ports = [p for p in range(10000, 60000) if not low <= p <= high] or range(10000, 60000)
	found = []
	while len(found) < int(sys.argv[1]):
	    port = random.choice(ports)
	    with socket.socket() as s:
	        try:
	            s.bind(('127.0.0.1', port))
	        except OSError:
	            continue
	    if port not in found:
	        found.append(port)
	print(*found)
	PYTHON
}
port() { cat "$R/$1/port"; }
pid() { cat "$R/$1/pid"; }
cli() {	# cli NAME WORD...
	to=$1
	shift
	redis-cli -h 127.0.0.1 -p "$(port "$to")" "$@"
}
answers() { [ "$(cli "$1" ping)" = PONG ]; }
has_begun() { answers "$1" || ! kill -0 "$(pid "$1")"; }	# or has ended
says_so() { cli "$1" info "$2" | tr -d '\r' | grep -qx -e "$3"; }	# says_so NAME SECTION LINE
# launch NAME [MODE]: redis-server with the configuration in its folder
launch() {
	# shellcheck disable=SC2086 # no mode is no word
	setpriv --pdeathsig KILL redis-server "$R/$1/conf" ${2:-} >>"$R/$1/out" 2>&1 &
	echo $! >"$R/$1/pid"
	{ wait_for has_begun "$1" && answers "$1"; } || diag "$1 does not start" "$(tail -n 5 "$R/$1/out")"
}
# Another process may take a port in between: then with another one.
server() {
	node=$1
	shift
	mkdir -p "$R/$node"
	for try in 1 2 3; do
		# shellcheck disable=SC2046 # two words
		set_ports $(free_ports 2)
		{
			printf '%s\n' "port $first" "cluster-port $second" 'bind 127.0.0.1' "dir $R/$node" 'save ""' 'appendonly yes' \
			    'appendfsync always' 'auto-aof-rewrite-percentage 0' 'repl-diskless-sync-delay 0' 'repl-timeout 5' 'always-show-logo no' "$@"
		} >"$R/$node/conf"
		launch "$node" && break
		[ $try -lt 3 ] || return 1
	done
}
set_ports() {
	first=$1 second=$2
	echo "$first" >"$R/$node/port"
}
again() { launch "$1" "$(cat "$R/$1/mode" 2>/dev/null)"; }
ended() {	# ended NAME: it has; and nobody is told by the shell
	wait "$(pid "$1")" 2>/dev/null
	rm -f "$R/$1/pid"
}
crash() {
	kill -KILL "$(pid "$1")" && ended "$1"
}
halt() {
	kill -TERM "$(pid "$1")" && ended "$1"
}
freeze() { kill -STOP "$(pid "$1")"; }
thaw() { kill -CONT "$(pid "$1")"; }
stop_servers() {
	for file in "$R"/*/pid; do
		[ ! -e "$file" ] || { kill -KILL "$(cat "$file")" && wait "$(cat "$file")"; } 2>/dev/null
		rm -f "$file"
	done
}

# A program in tests/e2e that listens on a port, and says when.
listener() {	# listener NAME PROGRAM WORD...: the port is its first argument
	node=$1 program=$2
	shift 2
	mkdir -p "$R/$node"
	# shellcheck disable=SC2046
	set_ports $(free_ports 2)
	: >"$R/$node/out"
	# shellcheck disable=SC2154 # $here is set by who sources this
	setpriv --pdeathsig KILL python3 "$here/$program" "$first" "$@" >>"$R/$node/out" 2>&1 &
	echo $! >"$R/$node/pid"
	wait_for grep -q ready "$R/$node/out" || diag "$node does not start" "$(cat "$R/$node/out")"
}
faults() { echo "$1" >"$R/faults.new" && mv "$R/faults.new" "$R/faults"; }
proxy() {
	faults pass
	listener proxy redis_proxy.py "$(port "$1")" "$R/faults"
}
hole() { listener hole redis_hole.py "$@"; }

# A master and its replica.
follows() { says_so "$1" replication 'master_link_status:up'; }
pair() {
	server one && server two "replicaof 127.0.0.1 $(port one)" && wait_for follows two
}
# A replica asks again when its connection ends, and is refused.
forget_replicas() {
	cli "$1" acl setuser default -psync -sync -replconf && cli "$1" client kill type replica
}
archive() {
	mkdir -p "$R/old" && cp -R "$R/$1/appendonlydir" "$R/old/" && server old
}
# Sentinels, of which most have to agree that the master is gone.
sees_replica() { says_so "$1" sentinel 'master0:name=mail,status=ok,.*,slaves=[1-9].*'; }
sees_sentinels() { says_so "$1" sentinel "master0:.*,sentinels=$2"; }
watch() {
	sentinels=
	for i in $(seq "$1"); do
		mkdir -p "$R/s$i"
		node=s$i
		# shellcheck disable=SC2046
		set_ports $(free_ports 2)
		printf '%s\n' "port $first" 'bind 127.0.0.1' "dir $R/s$i" "sentinel monitor mail 127.0.0.1 $(port one) $(($1 / 2 + 1))" \
		    'sentinel down-after-milliseconds mail 1000' 'sentinel failover-timeout mail 1000' >"$R/s$i/conf"
		echo --sentinel >"$R/s$i/mode"
		launch "s$i" --sentinel || return 1
		sentinels=$sentinels${sentinels:+,}127.0.0.1:$first
	done
	for i in $(seq "$1"); do
		wait_for sees_replica "s$i" && wait_for sees_sentinels "s$i" "$1" || return 1
	done
}
master_is() {	# master_is NAME: say the sentinels
	[ "$(cli s1 sentinel get-master-addr-by-name mail | tail -n 1)" = "$(port "$1")" ]
}
promoted() { says_so "$1" replication 'role:master'; }

# Three masters, c1 to c3, each with a third of the slots, and their replicas, c4 to c6.
id() { cli "$1" cluster myid; }
settled() { cli "$1" cluster info | tr -d '\r' | grep -qx -e 'cluster_state:ok'; }
knows_all() { [ "$(cli "$1" cluster nodes | grep -c -v -e fail -e handshake -e noaddr)" -eq 6 ]; }
slaves_ready() { for s in c4 c5 c6; do follows $s || return 1; done; }
cluster() {	# cluster [WORD...]: lines for all
	nodes=
	for c in c1 c2 c3 c4 c5 c6; do
		server $c 'cluster-enabled yes' 'cluster-config-file nodes' 'cluster-node-timeout 3000' 'cluster-replica-validity-factor 0' \
		    'cluster-allow-replica-migration no' "$@" || return 1
		[ $c = c1 ] || cli c1 cluster meet 127.0.0.1 "$(port $c)" "$(sed -n 's/^cluster-port //p' "$R/$c/conf")"
		nodes=$nodes${nodes:+,}127.0.0.1:$(port $c)
	done >"$R/cluster.out"
	for c in c1 c2 c3 c4 c5 c6; do wait_for knows_all $c || return 1; done
	{
		cli c1 cluster addslotsrange 0 5460
		cli c2 cluster addslotsrange 5461 10922
		cli c3 cluster addslotsrange 10923 16383
		cli c4 cluster replicate "$(id c1)"
		cli c5 cluster replicate "$(id c2)"
		cli c6 cluster replicate "$(id c3)"
	} >>"$R/cluster.out"
	for c in c1 c2 c3 c4 c5 c6; do wait_for settled $c || return 1; done
	wait_for slaves_ready
}
# Move a slot from one master to another, in the steps of redis-cli --cluster reshard, so that a test can stop between them.
slot_begin() {	# slot_begin SLOT FROM TO
	cli "$3" cluster setslot "$1" importing "$(id "$2")" && cli "$2" cluster setslot "$1" migrating "$(id "$3")"
}
slot_keys() {	# slot_keys SLOT FROM TO: those that are there
	while keys=$(cli "$2" cluster getkeysinslot "$1" 100) && [ -n "$keys" ]; do
		# shellcheck disable=SC2086 # our keys have no blanks
		cli "$2" migrate 127.0.0.1 "$(port "$3")" '' 0 5000 keys $keys >"$R/migrate.out" || return 1
		grep -qx -e OK -e NOKEY "$R/migrate.out" || return 1
	done
}
slot_end() {	# slot_end SLOT FROM TO
	for c in "$3" "$2"; do cli "$c" cluster setslot "$1" node "$(id "$3")" || return 1; done
}
