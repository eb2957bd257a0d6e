#!/bin/sh
# dedupdb, command by command, against ledgers that dedup-lda wrote.
#
# Run by an unprivileged user: the agent refuses to be root, and root could write into a folder without permission.

BUILD=${BUILD:-build}
D=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$D"; rm -rf "$D"' EXIT
unset TZ

n=0
ok() {	# ok STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$D/out" "$D/err" 2>/dev/null
	fi
}

deliver() { "$BUILD/dedup-lda" -o "mailbox=maildir:$D/M/" -o "ledger=bdb:$D/L" -o "log=file:$D/log" <"$1" >>"$D/agent" 2>&1; }
db() { "$BUILD/dedupdb" -o "mailbox=maildir:$D/M/" -o "ledger=bdb:$D/L" "$@" >"$D/out" 2>"$D/err"; }
# exits CODE NAME ARGUMENT...
exits() {
	want=$1 name=$2
	shift 2
	db "$@"
	rc=$?
	echo "exit $rc" >>"$D/err"
	[ "$rc" -eq "$want" ]
	ok $? "$name: exit $want"
}
says() { grep -q -e "$1" "$D/out"; ok $? "$2"; }
complains() { grep -q -e "$1" "$D/err"; ok $? "$2"; }
silent() { [ ! -s "$D/out" ]; ok $? "$1"; }
# json EXPRESSIONS WANTED NAME: expressions of the object d, as print() shows them
json() { [ "$(python3 -c "import json,sys; d=json.load(open('$D/out')); print($1)" 2>>"$D/err")" = "$2" ]; ok $? "$3"; }
is_json() { python3 -m json.tool "$D/out" >/dev/null 2>>"$D/err"; ok $? "$1"; }
is_json_lines() { python3 -m json.tool --json-lines "$D/out" >/dev/null 2>>"$D/err"; ok $? "$1"; }
copies() { find "$D/M/new" -type f | wc -l | tr -d ' '; }

message() {	# message NUMBER
	printf 'From: a@example.org\nTo: b@example.org\nDate: Fri, 20 Nov 2026 12:00:0%s +0000\n' "$1"
	printf 'Message-ID: <%s@example.org>\nSubject: number %s\n\nThe body of %s.\n' "$1" "$1" "$1"
}
for i in 1 2 3 4; do
	message $i >"$D/m$i"
done
printf 'Subject: nothing\n\nnobody\n' >"$D/anon"
printf 'Message-ID: <bad\033[31m\377@example.org>\nDate: \302\233now\n\nx\n' >"$D/evil"

# the command line
exits 64 'no command'
complains 'try .dedupdb --help' 'it hints at the help'
exits 64 'unknown command' frobnicate
complains "unknown command 'frobnicate'" 'it is named'
exits 64 'unknown option' --frobnicate stat
complains "unknown option '--frobnicate'" 'it is named'
exits 64 'unknown option of a command' list --frobnicate
complains "try 'dedupdb list --help'" 'it hints at the help of that command'
exits 64 'option without its value' list --since
complains 'needs a value' 'it says so'
[ "$(wc -l <"$D/err")" -eq 2 ]
ok $? 'an error is one line'
exits 64 'unknown option, short' -x stat
complains "unknown option '-x'" 'it is named'
exits 64 'option that takes no value' list --pending=yes
complains "option '--pending=yes' takes no value" 'it says so'
for c in stat prune recover list verify export; do
	exits 64 "$c takes no arguments" $c m1
done
exits 75 'check takes one file' check "$D/m1" "$D/m2"
exits 0 'help, the word' help
says '^usage: dedupdb' 'a synopsis'
exits 0 'help' --help
says '^usage: dedupdb' 'a synopsis'
for c in stat list show check prune forget recover verify export restore; do
	says "^  $c " "the help names $c"
done
for c in stat list show check prune forget recover verify export restore; do
	exits 0 "help for $c" $c --help
	says "^usage: dedupdb .*$c" "synopsis of $c"
done
exits 0 'help without a usable configuration' -o nonsense=1 list --help
exits 0 'help for list, short' list -h
exits 0 'version' -V
says 'dedup-lda) [0-9]' 'a number'
exits 0 'version, long' --version
echo 'window = never' >"$D/conf"
exits 78 'a wrong configuration file' -c "$D/conf" stat
complains "$D/conf:1: " 'it is named'
exits 78 'wrong configuration' -o nonsense=1 stat
exits 78 'unknown ledger' -l frob:x stat
exits 77 'somebody else without being root' -d root stat

# without a ledger
exits 0 'stat of a missing ledger' stat
says '^records *0$' 'no records'
says 'no ledger yet' 'it says that there is none'
exits 0 'list of a missing ledger' list
silent 'nothing to list'
exits 0 'check with a missing ledger: new' check "$D/m1"
exits 0 'prune of a missing ledger' prune
exits 0 'recover of a missing ledger' recover
exits 1 'forget in a missing ledger' forget 0123456789abcdef
exits 1 'show of an unknown fingerprint' show 0123456789abcdef
[ ! -e "$D/L" ] && [ ! -e "$D/M" ]
ok $? 'asking made nothing'
exits 0 'stat without any ledger' -l none stat
says 'ledger = none' 'it says so'
exits 69 'forget without any ledger' -l none forget 0123456789abcdef

# records
for i in 1 2 2; do
	deliver "$D/m$i" || echo "# agent: exit $?"
done
[ "$(copies)" -eq 2 ]
ok $? 'two messages were delivered'
exits 0 'stat' stat
says '^records *2$' 'two records'
says '^pending *0$' 'none pending'
says '^duplicates *1$' 'one duplicate'
says '^window *7d$' 'the window'
says '^health *healthy$' 'healthy'
says '^oldest *20[0-9-]*T[0-9:]*[+-][0-9:]* (.* ago)$' 'ISO time and age of the oldest'
exits 0 'stat --json' stat --json
is_json 'it is JSON'
json 'd["records"], d["pending"], d["duplicates"], d["window"], d["health"]' '2 0 1 604800 healthy' 'the same numbers'
exits 0 'stat --prometheus' stat --prometheus
says '^dedup_lda_records{user="[^"]*"} 2$' 'two records'
says '^dedup_lda_duplicates_total{user="[^"]*"} 1$' 'one duplicate'
python3 - "$D/out" <<'END'
import re, sys
metric, seen = None, set()
for line in open(sys.argv[1]):
    if words := re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)\n", line):
        if words[1] == "HELP":
            metric = words[2]
            assert metric not in seen, "twice"
            seen.add(metric)
        else:
            assert words[2] == metric and words[3] == ("counter" if metric.endswith("_total") else "gauge"), line
    else:
        words = re.fullmatch(r'(\w+)\{user="[^"\\]*"\} (\d+)\n', line)
        assert words and words[1] == metric, line
assert len(seen) == 13, seen
END
ok $? 'it is in the text format of Prometheus'
chmod 770 "$D/L"
exits 69 'stat --prometheus, a ledger that can not be used' stat --prometheus
[ "$(grep -v '^#' "$D/out" | sed 's/user="[^"]*"//')" = 'dedup_lda_ledger_healthy{} 0' ]
ok $? 'says that it is not healthy, and nothing else'
chmod 700 "$D/L"
exits 64 'two formats' stat --prometheus --json
exits 0 '--json before the command' --json stat
is_json 'it is JSON as well'

exits 0 'list' list
[ "$(wc -l <"$D/out")" -eq 2 ]
ok $? 'one line each'
[ "$(grep -Ec '^[0-9a-f]{16}	delivered	20[^	]*	[0-9]+[smh][^	]*	counts$' "$D/out")" -eq 2 ]
ok $? 'fingerprint, state, time, age, whether it counts'
exits 0 'list --json' list --json
is_json_lines 'it is JSON lines'
[ "$(grep -Ec '"fingerprint":"[0-9a-f]{64}"' "$D/out")" -eq 2 ]
ok $? 'whole fingerprints'
exits 0 'list --sort' list --sort
[ "$(wc -l <"$D/out")" -eq 2 ]
ok $? 'all of them'
exits 0 'list --since, an age' list --since 1h
[ "$(wc -l <"$D/out")" -eq 2 ]
ok $? 'both are younger'
for t in 2020-01-01 2020-01-01T12:00 2020-01-01T12:00:00Z 2020-01-01T12:00:00+05:30 @1577836800; do
	exits 0 "list --until $t" list --until $t
	silent 'none is older'
done
exits 0 'list --since the future' list --since 2999-01-01
silent 'none'
for t in yesterday 2026-02-31 2026-13-01 2026 2026-11-20T25:00 2026-11-20Q '' 5y; do
	exits 64 "list --since '$t'" list --since "$t"
done
exits 0 'list --pending' list --pending
silent 'none'
exits 64 'list takes no arguments' list x
"$BUILD/dedupdb" -l "bdb:$D/L" list 2>"$D/err" >/dev/full
[ $? -eq 74 ]
ok $? 'a full disk for the output: exit 74'
i=0
while [ $i -lt 10 ]; do
	"$BUILD/dedupdb" -l "bdb:$D/L" list --json 2>"$D/err" | true
	i=$((i + 1))
done
[ ! -s "$D/err" ]
ok $? 'a reader that goes away is no cause for words'

# show and check
exits 0 'show FILE' show "$D/m1"
says '^verdict *duplicate$' 'a duplicate'
says 'message-id *<1@example.org>' 'its Message-ID'
says 'base64 *[A-Za-z0-9+/]*=$' 'the body hash as base64'
says 'hex *[0-9a-f]\{64\}$' 'and as hex'
says '  state *delivered' 'the record'
exits 0 'show --json FILE' show --json "$D/m1"
is_json 'it is JSON'
json 'd["verdict"], d["fingerprint"] == d["record"]["fingerprint"], d["inputs"][2]["value"]' \
    'duplicate True <1@example.org>' 'fingerprint, record and inputs'
f1=$(python3 -c "import json; print(json.load(open('$D/out'))['fingerprint'])")
bh=$(python3 -c "import hashlib,base64; print(base64.b64encode(hashlib.sha256(b'The body of 1.\r\n').digest()).decode())")
json 'd["inputs"][-1]["value"]["base64"]' "$bh" 'the body hash is that of RFC 6376'
db list
grep -q "^$(printf '%.16s' "$f1")	" "$D/out"
ok $? "the message's fingerprint is the record's"
for f in "$D"/M/new/*; do
	grep -q '<1@' "$f" && exits 0 'show of the delivered file' show --json "$f"
done
json 'd["fingerprint"]' "$f1" 'what was added on delivery does not count'
tr '\n' '\r' <"$D/m1" | sed 's/\r/\r\n/g' >"$D/crlf"
exits 0 'show of the message with CRLF' show --json "$D/crlf"
json 'd["fingerprint"]' "$f1" 'line ends do not count'
{ echo 'From a@example.org Fri Nov 20 12:00:00 2026' && cat "$D/m1"; } >"$D/from"
exits 0 'show of the message with a From_ line' show --json "$D/from"
json 'd["fingerprint"]' "$f1" 'it does not count'
{ message 5 && yes 'a line of a large message' | head -n 50000; } >"$D/large"
exits 0 'show of a large message' show --json "$D/large"
json 'd["size"]' "$(wc -c <"$D/large")" 'its size'
db show - <"$D/m1"
ok $? 'show - reads standard input'
says "$f1" 'the same fingerprint'
exits 0 'show FINGERPRINT' show "$f1"
says "^fingerprint *$f1$" 'the record'
exits 0 'show of a prefix in upper case' show "$(printf '%.20s' "$f1" | tr a-f A-F)"
says "^fingerprint *$f1$" 'the same record'
exits 0 'show --json FINGERPRINT' show --json "$f1"
json 'len(d["records"]), d["records"][0]["state"], d["records"][0]["expired"]' '1 delivered False' 'one record'
exits 66 'more digits than a fingerprint has are a file that is not there' show "${f1}0"
exits 66 'a prefix that is too short is a file that is not there' show 0123456789abcde
exits 66 'show of a missing file' show "$D/nothing"
exits 64 'show of nothing' show
exits 0 'show FILE without a ledger' -l none show "$D/m1"
says "^fingerprint *$f1$" 'the fingerprint'
says '^verdict *unknown' 'no verdict'
exits 69 'show FINGERPRINT without a ledger' -l none show "$f1"
exits 0 'show of a message that nothing identifies' show "$D/anon"
says '^fingerprint *none$' 'no fingerprint'
says 'neither Message-ID nor Date' 'why'
exits 0 'show of a hostile message' show "$D/evil"
says 'bad\\x1b\[31m\\xff@' 'its bytes are escaped'
[ -z "$(LC_ALL=C tr -d '\n -~' <"$D/out")" ]
ok $? 'nothing but printable ASCII is printed'
exits 0 'show --json of a hostile message' show --json "$D/evil"
is_json 'it is JSON'
json '__import__("base64").b64decode(d["inputs"][2]["value_base64"])' "b'<bad\\x1b[31m\\xff@example.org>'" 'with the exact bytes'

exits 1 'check of a duplicate' check "$D/m1"
silent 'prints nothing'
exits 0 'check of a new message' check "$D/m3"
silent 'prints nothing'
exits 0 'check again' check "$D/m3"
db check <"$D/m1"
[ $? -eq 1 ]
ok $? 'check reads standard input'
exits 1 'check -v' check -v "$D/m1"
says '^duplicate: ' 'says so'
exits 1 'check --json' check --json "$D/m1"
json 'd["verdict"]' duplicate 'the verdict'
exits 0 'check of a message that nothing identifies: new' check "$D/anon"
exits 75 'check of a missing file' check "$D/nothing"
exits 75 'check with a wrong option' check --frobnicate "$D/m1"
exits 75 'check without a ledger' -l none check "$D/m1"
exits 75 'check with a wrong configuration' -o nonsense=1 check "$D/m1"
"$BUILD/dedupdb" -o "mailbox=maildir:$D/M/" -l "bdb:$D/L" check -v "$D/m1" 2>"$D/err" >/dev/full
[ $? -eq 75 ]
ok $? 'check can not say: exit 75'

# time zones
sleep 1
TZ=EST5
export TZ
db show --json "$D/m1"
json 'd["record"]["first"][-1]' Z 'JSON has UTC'
db list --until "$(date +%Y-%m-%dT%H:%M:%S)"
[ "$(wc -l <"$D/out")" -eq 2 ]
ok $? 'a time without a zone is local'
db list --until "$(date +%Y-%m-%dT%H:%M:%SZ)"
silent 'a time with Z is not'
db list
says 'T[0-9:]*-05:00	' 'text has local time with its offset'
unset TZ

# alias-copies = each
exits 0 'on-duplicate = tag' -o on-duplicate=tag show "$D/m1"
says 'another one is delivered with a tag' 'what becomes of the next copy'
exits 0 'on-duplicate = folder' -o on-duplicate=folder:copies show "$D/m1"
says 'another one is filed in the folder for duplicates' 'what becomes of the next copy'
exits 64 'show with alias-copies = each needs the address' -o alias-copies=each show "$D/m1"
exits 0 'show -a' -o alias-copies=each show -a Sales@Example.org "$D/m1"
says 'sales@example.org' 'the address is in the scope'
says '^verdict *new$' 'another fingerprint'

# forget
exits 64 'forget of nothing' forget
exits 64 'forget of something else' forget xyz
exits 64 'forget of too few digits' forget "$(printf '%.15s' "$f1")"
exits 1 'forget of an unknown one' forget 0123456789abcdef
complains 'no record' 'it says so'
exits 1 'forget of a known and an unknown one' forget 0123456789abcdef "$(printf '%.16s' "$f1")"
says "^forgot $f1$" 'the known one is gone'
exits 0 'check: new again' check "$D/m1"
deliver "$D/m1"
ok $? 'the next copy is taken'
[ "$(copies)" -eq 3 ]
ok $? 'and delivered'
exits 0 'forget --json' forget --json "$f1"
is_json 'it is JSON'
json 'd["forgotten"][0]["fingerprint"]' "$f1" 'the fingerprint'

# a publication that did not happen
chmod 500 "$D/M/new"
deliver "$D/m3"
[ $? -eq 75 ]
ok $? 'no permission for new/: exit 75'
exits 0 'list --pending' list --pending
says "	pending	.*	$D/M" 'the pending record and its mailbox'
exits 0 'list --pending --json' list --pending --json
json 'd["state"], d["mailbox"], d["kind"]' "pending $D/M maildir" 'the same'
exits 0 'stat' stat
says '^pending *1$' 'one pending'
exits 0 'check: the next copy finishes it' check "$D/m3"
exits 0 'show' show "$D/m3"
says '^verdict *pending$' 'pending'
touch -t 202001010000 "$D"/M/tmp/*
exits 75 'recover, still without permission' recover
[ "$(find "$D/M/tmp" -type f | wc -l)" -eq 1 ]
ok $? 'the staged file is kept, however old'
complains 'stays pending' 'it says why'
exits 75 'recover --json' recover --json
json 'd["settled"], d["failed"]' '0 1' 'one failed'
chmod 700 "$D/M/new"
exits 0 'recover' recover
says '^1 settled' 'one settled'
grep -rq '<3@example.org>' "$D/M/new"
ok $? 'the message is there'
exits 1 'check: a duplicate now' check "$D/m3"
touch -t 202001010000 "$D/M/tmp/1577836800.M000001P1R01234567.host" "$D/M/tmp/1577836800.somebody.else"
exits 0 'recover of a left-over stage' recover --json
json 'd["swept"]' 1 'it is removed'
[ -e "$D/M/tmp/1577836800.somebody.else" ]
ok $? "somebody else's file is not"
exits 0 'recover again' recover --json
json 'd["settled"], d["failed"], d["left"], d["dropped"]' '0 0 0 0' 'nothing to do'
chmod 500 "$D/M/new"
deliver "$D/m4"
chmod 700 "$D/M/new"
db list --pending
exits 0 'forget of a pending record' forget "$(cut -c 1-16 "$D/out")"
complains 'may come again' 'it warns'

# prune
exits 0 'prune inside the window' prune
says '^0 records deleted$' 'nothing is old enough'
exits 64 'prune with a wrong age' prune --older-than soon
sleep 2
exits 0 'list with a short window' -o window=1s list
says '	expired$' 'expired'
exits 0 'check with a short window: new' -o window=1s check "$D/m2"
exits 0 'prune --json with a short window' -o window=1s prune --json
json 'd["deleted"], d["older_than"]' '2 1' 'two deleted'
exits 0 'list' list
silent 'none are left'
deliver "$D/m1"
sleep 2
exits 0 'prune --older-than' prune --older-than 1s
says '^1 record deleted$' 'one deleted'
complains 'younger than the window' 'it says what that means'

# health
deliver "$D/m4"
: >"$D/L/lock"
exits 0 'stat when a process died' stat
says '^health *a process died' 'it says so'
exits 0 'stat again' stat
says '^health *healthy$' 'counting repaired it'
chmod 000 "$D/L"
for c in stat list recover prune "show $f1" "show $D/m4" "forget $f1"; do
	# shellcheck disable=SC2086 # several words
	exits 69 "a ledger that can not be opened: $c" $c
	complains "$D/L: Permission denied" 'it says why'
done
exits 75 'check with it' check "$D/m4"
chmod 700 "$D/L"

echo "1..$n"
