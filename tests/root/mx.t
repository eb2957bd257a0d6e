#!/bin/sh
# smtp-gap finds the server of a domain: MX by preference, then A and AAAA. In a network of its own, with a name server of its own.
if [ -z "${1:-}" ] && [ "$(id -u)" -eq 0 ] && unshare --net true 2>/dev/null; then
	exec unshare --net "$0" own-network
fi
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
[ -z "$(ip route)" ] || skip_all 'can not make a network of its own'

ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 192.0.2.2/32 dev lo
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n' >/etc/resolv.conf
echo 'hosts: files dns' >>/etc/nsswitch.conf
cat >zone <<'END'
one.example MX 10 mx1.example
two.example MX 20 mx2.example
two.example MX 10 mx1.example
down.example MX 10 nobody.example
down.example MX 20 mx2.example
lost.example MX 10 nowhere.example
lost.example MX 20 mx2.example
gone.example MX 10 nowhere.example
plain.example A 192.0.2.2
null.example MX 0 .
unknown.example NXDOMAIN
nowhere.example NXDOMAIN
broken.example SERVFAIL
junk.example JUNK
short.example SHORT
mx1.example A 192.0.2.1
mx2.example A 192.0.2.2
nobody.example A 192.0.2.3
END
# shellcheck disable=SC2154 # of root.sh
"$here/names" 127.0.0.1 "$D/zone" >names.out 2>names.err &
for i in 1 2; do
	mkdir "s$i"
	"$here/../e2e/smtp_server" --listen "192.0.2.$i:25" "$D/s$i" >"s$i.out" 2>"s$i.err" &
done
all_answer() { [ -e s1/port ] && [ -e s2/port ] && python3 -c 'import socket; socket.gethostbyname("mx1.example")'; }
wait_for all_answer

gap() {	# gap CODE NAME DOMAIN [OPTION...]
	want=$1 title=$2 domain=$3
	shift 3
	rm -f s1/log s2/log
	timeout -s KILL 60 "$BUILD/smtp-gap" -y -n 1 -S 1K --helo test.example "$@" "joe@$domain" >out 2>err </dev/null
	is $? "$want" "$title: exit $want" || diag "$(cat err)"
}
taken() {	# taken BY NAME: that server took the message, and the other one heard nothing
	is "$(cat s1/log s2/log 2>/dev/null | grep -c '^dot') $(ls s1/log s2/log 2>/dev/null)" "1 s$1/log" "$2: by server $1"
}
gap 0 'an MX' one.example
taken 1 'an MX'
prints '^mx1\.example \[192\.0\.2\.1\]:25' 'an MX: named in the report'
gap 0 'two' two.example
taken 1 'two: the lower preference'
matches "$(cat err)" 'by mx1\.example, else by mx2\.example, port 25' 'two: both are announced'
ip addr add 192.0.2.3/32 dev lo
gap 0 'the first one does not listen' down.example
taken 2 'the first one does not listen'
gap 0 'the first one is not known' lost.example
taken 2 'the first one is not known'
gap 68 'no MX is known' gone.example
gap 0 'no MX, but an address' plain.example
taken 2 'no MX, but an address'
gap 68 'the domain takes no mail' null.example
matches "$(cat err)" 'takes no mail' 'the domain takes no mail: says so'
gap 68 'an unknown domain' unknown.example
gap 75 'a broken name server' broken.example
gap 75 'an answer that is junk' junk.example
gap 75 'an answer that points at itself' short.example
gap 0 'an address literal' '[192.0.2.2]'
taken 2 'an address literal'
gap 68 'a literal of a name' '[mx1.example]'
gap 68 'IPv6 only, where there is none' plain.example -6
gap 0 'the server that is named' one.example -s mx2.example
taken 2 'the server that is named'
gap 0 'a named server on port 25' one.example -s 192.0.2.2
taken 2 'a named server on port 25'
touch s1/stop s2/stop
plan
