#!/bin/sh
# The files in examples/redis do what they say: a server with them keeps a ledger, its users may do what they need and no more, stunnel
# puts TLS between, and sentinels with theirs promote a replica.
here=$(cd "${0%/*}" && pwd)
examples=$(cd "$here/../../examples/redis" && pwd)
# shellcheck source=tests/e2e/tap.sh
. "$here/tap.sh"
# shellcheck source=tests/e2e/redis.sh
. "$here/redis.sh"
need_redis 'examples/redis'
mkdir M

# A password is given as its SHA-256. Those of the example are none, so that a server does not start with it as it is.
hash() { printf '%s' "$1" | sha256sum | cut -d ' ' -f 1; }
sed "s/HASH-OF-ADMIN/$(hash admin)/; s/HASH-OF-DEDUP-LDA/$(hash dedup-lda)/; s/HASH-OF-REPLICA/$(hash change-me)/; s/HASH-OF-SENTINEL/$(hash change-me)/" \
    "$examples/users.acl" >users.acl
as='admin'
cli() {
	to=$1
	shift
	redis-cli --no-auth-warning --user $as --pass $as -h 127.0.0.1 -p "$(port "$to")" "$@"
}
# example NAME [MASTER]: a server with the example's configuration, but for where it is; a replica of this one, with the line for that
example() {
	mkdir -p "$R/$1"
	# shellcheck disable=SC2046 # two words
	node=$1 && set_ports $(free_ports 2)
	master=s/x/x/
	[ $# -eq 1 ] || master="s/^# replicaof 10\.0\.0\.1 6379\$/replicaof 127.0.0.1 $(port "$2")/"
	sed -e "s/^bind .*/bind 127.0.0.1/; s/^port .*/port $first/; s|^dir .*|dir $R/$node|; s/^logfile .*/logfile \"\"/" \
	    -e "s|/etc/redis/users.acl|$D/users.acl|" -e "$master" "$examples/redis.conf" >"$R/$node/conf"
	launch "$node"
}
ok 'users.acl as it is starts no server' not redis-server --port 0 --aclfile "$examples/users.acl" --dir "$D" --logfile refused
is "$(sed -n '/^user dedup-lda on/,/^\.Ed/p' "$here/../../man/dedup-lda-cluster.7" | grep -v '^\.' | tr '\n' ' ' | sed 's/ $//')" \
    "$(grep '^user dedup-lda ' "$examples/users.acl")" 'dedup-lda-cluster(7) has the same rights as users.acl'
example one
is "$(cli one config get appendfsync | tail -n 1)" always 'a server with redis.conf'
printf 'dedup-lda\n' >password
chmod 600 password
conf() {	# conf LEDGER: the example's configuration with this ledger
	sed -e "s|^ledger = .*|ledger = \"$1\"|" -e "s|^mailbox = .*|mailbox = maildir:$D/M|" -e "s|/etc/dedup-lda.password|$D/password|" \
	    "$examples/dedup-lda.conf" >conf
	chmod 600 conf
}
# with the configuration alone
agent() { "$BUILD/dedup-lda" -c "$D/conf" -o "log=file:$D/log" "$@" >out 2>err; }
tool() { "$BUILD/dedupdb" -c "$D/conf" "$@" >out 2>err; }
delivers() {	# delivers ACTION NAME ID
	: >log
	message "$3" >m
	agent <m
	is "$? $(grep -o 'action=[a-z]*' log)" "0 action=$1" "$2" || diag "$(cat err out log)"
}
# What is commented out is valid, too. (The addresses are others: a test talks to nobody but this machine.)
for number in 1 2; do
	grep '^# ledger' "$examples/dedup-lda.conf" | sed -n "${number}s/^# //p" | sed 's/10\.0\.0\.[0-9]/127.0.0.1/g' >conf
	chmod 600 conf
	message commented >m
	"$BUILD/dedup-lda" -c "$D/conf" -n -o ledger-timeout=1s -o "mailbox=maildir:$D/M" <m >out 2>&1
	ok "dedup-lda.conf: $(cat conf)" not grep -q "$D/conf" out || diag "$(cat out)"
done
conf "redis://dedup-lda@127.0.0.1:$(port one)/0"
delivers delivered 'dedup-lda.conf: a message' one
delivers duplicate 'dedup-lda.conf: its copy' one

# Everything that the agent and dedupdb ever ask of a server. What is refused is in the server's list of refusals.
refusals() { cli one acl log | grep -c '^ *[0-9]*) *1) "count"\|reason'; }
everything() {
	cli one acl log reset >acl.out
	cli one script flush >acl.out
	cli one config resetstat >acl.out
	message all >m
	agent <m
	agent <m
	if can_trace; then
		message allkilled >m
		strace -o trace.out -e trace=renameat,renameat2 -e inject=renameat,renameat2:signal=KILL:when=1 \
		    "$BUILD/dedup-lda" -c "$D/conf" -o "log=file:$D/log" <m >out 2>err
	fi
	tool recover
	for command in stat list 'list --pending' verify prune gaps 'why <one@example.org>' check; do
		# shellcheck disable=SC2086 # several words
		tool $command <m
	done
	tool show m
	tool export && cp out dump && tool restore <dump
	tool forget "$(tail -n 2 dump | sed -n 's/^{"fingerprint":"\([0-9a-f]*\)".*/\1/p')"
	tool restore <dump
}
everything
is "$(refusals)" 0 'all that the agent and dedupdb do is allowed' || diag "$(cli one acl log)"
# Virtual users: what a crash left in their mailboxes is finished by the example's line for cron.
if can_trace; then
	mkdir -p srv/meadow.example
	sed "s|^mailbox = .*|mailbox = maildir:$D/srv/%d/%n|" conf >virtual
	chmod 600 virtual
	message interrupted >m
	strace -o trace.out -e trace=renameat,renameat2 -e inject=renameat,renameat2:signal=KILL:when=1 \
	    "$BUILD/dedup-lda" -c "$D/virtual" -a joe@meadow.example -o "log=file:$D/log" <m >out 2>err
	cron=$(sed -n "s|^# *7 \* .* root *||; s|/usr/local/sbin/dedupdb -d vmail|$BUILD/dedupdb -c $D/virtual|; s|/srv/mail|$D/srv|; s|>/dev/null|>out|p" \
	    "$examples/dedup-lda.conf")
	ok 'cron: the command of dedup-lda.conf' sh -c "$cron" || diag "$cron: $(cat out)"
	is "$(sed 's/,.*//' out) $(find srv/meadow.example/joe/new -type f | wc -l)" '1 settled 1' 'cron: the message is there'
else
	skip 'cron: the command of dedup-lda.conf' 'nothing can be traced here'
fi
# Nor may it do more: each right was used. (Those for a cluster are in redis_cluster.t.)
cli one info commandstats | sed -n 's/^cmdstat_\([^:]*\):.*/+\1/p' >used
for right in $(grep '^user dedup-lda ' users.acl | tr ' ' '\n' | grep '^+' | grep -v -e '^+cluster' -e '^+asking'); do
	ok "$right is needed" grep -qxF -e "$right" used
done
as=dedup-lda
for command in 'get other' 'set other x' 'keys x' flushall flushdb 'config set appendfsync no' 'config rewrite' shutdown \
    'acl list' 'replicaof no one' monitor 'client list' 'subscribe x' 'publish x y' 'module list' 'script flush'; do
	# shellcheck disable=SC2086
	matches "$(cli one $command 2>&1)" 'NOPERM' "its user may not: $command"
done
matches "$(cli one eval 'return redis.call("get", KEYS[1])' 1 other 2>&1)" 'NOPERM|ACL|permission' 'nor in a script'
as='admin'

# The user of a replica, and of a sentinel, by the passwords that the files have.
example two one
ok 'a replica logs in' wait_for follows two
mkdir "$R/s1"
# shellcheck disable=SC2046
node=s1 && set_ports $(free_ports 2)
sed -e "s/^bind .*/bind 127.0.0.1/; s/^port .*/port $first/; s|^dir .*|dir $R/s1|; s/^logfile .*/logfile \"\"/" \
    -e "s/monitor mail 10\.0\.0\.1 6379 2\$/monitor mail 127.0.0.1 $(port one) 1/; s/\(down-after-milliseconds mail\) .*/\1 500/" "$examples/sentinel.conf" >"$R/s1/conf"
sentinel() { redis-cli -h 127.0.0.1 -p "$(port s1)" "$@"; }
setpriv --pdeathsig KILL redis-server "$R/s1/conf" --sentinel >>"$R/s1/out" 2>&1 &
echo $! >"$R/s1/pid"
sees() { sentinel info sentinel | tr -d '\r' | grep -q 'master0:name=mail,status=ok,.*,slaves=1'; }
ok 'a sentinel with sentinel.conf sees both' wait_for sees || diag "$(tail "$R/s1/out")"
conf "redis+sentinel://dedup-lda@127.0.0.1:$(port s1)/mail"
delivers duplicate 'through it: a copy' one
crash one
ok 'it promotes the replica' wait_for promoted two || diag "$(tail "$R/s1/out")"
delivers duplicate 'and the copy is known there' one
delivers delivered 'and a new message is taken' afterwards
stop_servers

# TLS.
if command -v stunnel >/dev/null && command -v openssl >/dev/null; then
	rm -rf "${R:?}"/*
	example one
	pki() {	# pki NAME COMMON-NAME: a key and a certificate of our CA
		openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -subj "/CN=$2" -out "$1.csr" 2>openssl.err &&
		    printf 'subjectAltName=DNS:%s\n' "$2" >ext &&
		    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile ext -out "$1.pem" 2>>openssl.err
	}
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=ca -days 1 -out ca.pem 2>openssl.err
	pki redis redis.example.org && pki host host1.example.org
	# shellcheck disable=SC2046
	set -- $(free_ports 2)
	tls=$1 plain=$2
	# tunnel NAME EXPRESSION...: stunnel with the example of this name
	tunnel() {
		name=$1
		shift
		mkdir -p "$R/stunnel-$name"
		{
			echo 'foreground = yes'
			sed -e '/^foreground/d; /^pid/d' -e "s|/etc/stunnel|$D|" "$@" "$examples/stunnel-$name.conf" | sed '1,/^$/{/^$/d}'
		} >"stunnel-$name.conf"
		sed -i "1i pid = $D/stunnel-$name.pid" "stunnel-$name.conf"
		setpriv --pdeathsig KILL stunnel "stunnel-$name.conf" >"stunnel-$name.out" 2>&1 &
		echo $! >"$R/stunnel-$name/pid"
	}
	untunnel() { kill "$(cat "$R/stunnel-$1/pid")" && wait "$(cat "$R/stunnel-$1/pid")"; rm "$R/stunnel-$1/pid"; }
	listens() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $1))"; }
	tunnel server -e "s/^accept = .*/accept = 127.0.0.1:$tls/; s/^connect = .*/connect = 127.0.0.1:$(port one)/"
	tunnel client -e "s/^accept = .*/accept = 127.0.0.1:$plain/; s/^connect = .*/connect = 127.0.0.1:$tls/"
	ok 'stunnel, both ends' wait_for listens "$plain" || diag "$(cat stunnel-*.out)"
	wait_for listens "$tls"
	conf "redis://dedup-lda@127.0.0.1:$plain/0"
	delivers delivered 'through TLS: a message' tls
	delivers duplicate 'through TLS: its copy' tls
	untunnel client
	tunnel client -e "s/^accept = .*/accept = 127.0.0.1:$plain/; s/^connect = .*/connect = 127.0.0.1:$tls/; s/^checkHost.*/checkHost = other.example.org/"
	wait_for listens "$plain"
	message tls2 >m
	agent -o ledger-timeout=2s <m
	is $? 75 'a server with another name is not spoken to'
	untunnel client
	tunnel client -e "s/^accept = .*/accept = 127.0.0.1:$plain/; s/^connect = .*/connect = 127.0.0.1:$tls/; /^cert/d; /^key/d"
	wait_for listens "$plain"
	agent -o ledger-timeout=2s <m
	is $? 75 'a host without a certificate gets nowhere'
else
	skip 'stunnel' 'stunnel or openssl is not installed'
fi
plan
