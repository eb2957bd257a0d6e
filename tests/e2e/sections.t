#!/bin/sh
# Long work of dedupdb beside deliveries: what it does while it has the ledger's lock is little, and the disk is waited for without it. And
# what it makes free is used again.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
MOST=130	# pages of the database that a section may write: all that the cache holds are 150
FEW=16		# and before it syncs the database
# records N SEED AGE: an export of N records
records() {
	python3 - "$@" <<-'END'
		import hashlib, sys, time
		n, seed, age = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
		then = int(time.time()) - age
		print('{"format":"dedup-lda ledger","version":1}')
		for i in range(n):
		    fp = hashlib.sha256(f"{seed} {i}".encode()).hexdigest()
		    print(f'{{"fingerprint":"{fp}","state":"delivered","first":{then},"decided":{then},"flags":0}}')
		print(f'{{"records":{n}}}')
	END
}
# sections NAME: judge the last trace
sections() {
	set -- "$1" "$(awk -v few=$FEW '
		/lock>, F_OFD_SETLK, .*F_WRLCK.* = 0$/ { held = 1; wrote = 0; n++ }
		/lock>, F_OFD_SETLK, .*F_UNLCK/ { held = 0 }
		/^pwrite64.*\/env\/ledger.db>/ { total++; if (held && ++wrote > most) most = wrote; if (!held) astray++ }
		/^f(data)?sync.*\/env\/ledger.db>/ { if (!held) outside++; else if (wrote > few) large++ }
		END { print n + 0, total + 0, most + 0, outside + 0, large + 0, astray + 0 }' trace.out)"
	diag "$1: sections, pages written, most in one, syncs without the lock, syncs of many pages with it, pages without it: $2"
	work=$1
	# shellcheck disable=SC2086 # the numbers
	set -- $2
	ok "$work: it works in sections" [ "$1" -gt 5 ]
	ok "$work: and writes much" [ "$2" -gt 100 ]
	ok "$work: no section writes more than $MOST pages" [ "$3" -le $MOST ]
	ok "$work: pages are synced without the lock" [ "$4" -gt 0 ]
	is "$5 $6" '0 0' "$work: with it no more than $FEW pages are, and pages are written with it only"
}
pages() { echo $(($(stat -c %s L/env/ledger.db) / 4096)); }
traced() {	# traced NAME COMMAND...
	what=$1
	shift
	run="strace -y -o trace.out -e trace=$FCNTL,pwrite64,fsync,fdatasync,unlink"
	db 0 "$what" "$@"
	run=
	sections "$what"
	is "$(grep -c '^unlink.*/env/log\..*ENOENT' trace.out)" 0 "$what: no log file is removed that is not there"
}

fresh
records 4000 one 0 >a
records 4000 two 0 >b
if can_trace; then
	traced 'restore' restore a
	traced 'restore beside others' restore b
	traced 'prune' prune --older-than 0s
	python3 - <<-'END' >box
		for i in range(2000):
		    print(f"From o@x Thu Nov 19 12:00:00 2026\nMessage-ID: <{i}@example.org>\nDate: Thu, 19 Nov 2026 12:00:00 +0000\n\nText {i}\n")
	END
	db 0 'something to import beside' restore a
	traced 'import' -o window=5000w import box
else
	skip 'sections' 'strace can not trace here'
fi

# Free pages are used again: the file stays as large as the first filling made it, whatever comes and goes.
fresh
db 0 'the first filling' restore a
first=$(pages)
ok 'it has some pages' [ "$first" -gt 60 ]
for seed in 1 2 3; do
	records 4000 $seed 0 >f
	sleep 1
	db 0 "prune $seed" prune --older-than 0s
	prints '^4000 records deleted$' "prune $seed: all"
	db 0 "filling $seed" restore f
done
ok "the file did not grow: $first pages, now $(pages)" [ "$(pages)" -le $((first + first / 5)) ]
plan
