#!/bin/sh
# What an administrator copies from the README or the manual is what the tests run with real MTAs: the lines that lose mail, or let a
# sender in, when they are a little different. Each example is run by a test, and what is measured says how.
here=$PWD
. "$here/tests/e2e/tap.sh"

# stand FILE LINE...: each line stands in the file, whatever white space is around it; troff's \e is a backslash
stand() {
	file=$1
	shift
	sed 's/\\e/\\/g; s/\\(dq/"/g' "$here/$file" | tr -s ' \t\n' '   ' >text
	for line; do
		ok "$file: $line" grep -qF -e "$line" text
	done
}
# line PATTERN FILE: from an example, joined with the lines that continue it
line() { tr -s ' \t\n' '   ' <"$here/examples/$2" | grep -o -e "$1" | head -n 1; }

postfix=$(line 'mailbox_command = .* || exit 75' postfix/main.cf)
exim=$(line 'environment = ORIGINAL[^}]*}{[^}]*}}' exim/transport)
smtpd=$(line '"local" mda .* || exit 75' opensmtpd/smtpd.conf)
forward=$(cat "$here/examples/forward/forward")
ok 'the examples have them all' test -n "$postfix" -a -n "$exim" -a -n "$smtpd" -a -n "$forward"
stand README.md "$postfix" "$exim" "$forward"
stand man/dedup-lda.8 "$postfix"
stand man/dedup-lda-mta.7 "$postfix" "$exim" "$forward" "-m \\\"\\\$EXTENSION\\\" || exit 75"

# Links within the documentation lead somewhere; an anchor is a heading in small letters, with - for blanks and without other signs.
anchors() { sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'; }
pages="README.md HACKING.md $(cd "$here" && echo docs/*.md)"
for file in $pages; do
	grep -o '](\([^):]*\))' "$here/$file" | sed 's/^](//; s/)$//' | sort -u >links
	bad=
	while IFS= read -r link; do
		to=$here/$file
		[ "${link%%#*}" = '' ] || to=$here/$(dirname "$file")/${link%%#*}
		[ -e "$to" ] || bad="$bad $link"
		case $link in *'#'*) anchors "$to" | grep -qxF -e "${link#*#}" || bad="$bad $link" ;; esac
	done <links
	is "$bad" '' "$file: every link leads somewhere"
done

# Which script runs an example: with a real MTA, but for those that this one tries below.
cat >runs <<'END'
dedup-lda.conf			e2e/debian.t
demo				e2e/docs.t
demo.eml			e2e/docs.t
gap				e2e/gap.t
dovecot/dedup-lda-dovecot.conf	mta/dovecot.t
dovecot/dovecot.conf		mta/dovecot.t
dovecot/main.cf			mta/dovecot.t
dovecot/master.cf		mta/dovecot.t
exim/main			mta/exim.t
exim/router			mta/exim.t
exim/transport			mta/exim.t
forward/forward			mta/mta.sh
forward/README			e2e/docs.t
lmtp/dedup-lmtpd-dovecot.conf	mta/lmtp-dovecot.t
lmtp/dedup-lmtpd.conf		mta/lmtp-postfix.t
lmtp/dedup-lmtpd.service	e2e/units.t
lmtp/dedup-lmtpd.socket		e2e/units.t
lmtp/exim.router		mta/lmtp-exim.t
lmtp/exim.transport		mta/lmtp-exim.t
lmtp/main.cf			mta/lmtp-postfix.t
lmtp/smtpd.conf			mta/lmtp-opensmtpd.t
lmtp/users.conf			e2e/units.t
maildrop/mailfilter		mta/filters.t
opensmtpd/smtpd.conf		mta/opensmtpd.t
postfix/main.cf			mta/postfix.t
procmail/procmailrc		mta/filters.t
redis/dedup-lda.conf		e2e/redis_examples.t
redis/redis.conf		e2e/redis_examples.t
redis/sentinel.conf		e2e/redis_examples.t
redis/stunnel-client.conf	e2e/redis_examples.t
redis/stunnel-server.conf	e2e/redis_examples.t
redis/users.acl			e2e/redis_examples.t
sendmail/dedup-lda.mc		mta/sendmail.t
virtual/dedup-lda-virtual.conf	mta/virtual.t
virtual/main.cf			mta/virtual.t
virtual/master.cf		mta/virtual.t
END
(cd "$here/examples" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort) >files
sed 's/	.*//' runs | LC_ALL=C sort >listed
same files listed 'each example is run by a test'
while read -r file script; do
	folder=examples/${file%/*}
	[ "$file" != "${file#*/}" ] || folder=examples/$file
	ok "examples/$file: $script" grep -qF -e "$folder" "$here/tests/$script"
done <runs

message 1 >m
for file in dedup-lda.conf dovecot/dedup-lda-dovecot.conf lmtp/dedup-lmtpd.conf virtual/dedup-lda-virtual.conf; do
	exits 0 "examples/$file is a configuration" -n -c "$here/examples/$file" -a joe@example.org <m
done
(cd "$here" && sh examples/demo) >out 2>&1	# examples/demo.eml, into the folder joe
ok 'the demo' test $? -eq 0 || diag "$(cat out)"
rm -rf "$here/joe"
printf '%s\n' "$(grep -o '"|/bin/sh -c [^"]*"' "$here/examples/forward/README")" | sed 's/^"|//; s/"$//; s,/usr/local/bin/dedup-lda,& -n,' >forward
is "$(sed "s,/usr/local/bin/dedup-lda,$BUILD/dedup-lda," forward >try && message 1 | sh try 2>&1 | grep -c '^would deliver')" 1 \
	'examples/forward/README: the line of a folder is a command'

# --- what these pages name is there

cat >paths.py <<'END'
import re
import sys

FOLDERS = "tests|tools|examples|docs|man|debian|include|dedupdb|lda|completion|\\.ci"
for file in sys.argv[1:]:
    for path in re.findall(rf"(?<![\w/~.-])(?:{FOLDERS})/[\w./-]*\w(?![\w*{{-]|[./]\w)", open(file, encoding="utf-8").read()):
        if "NAME" not in path:
            print(path)
END
# shellcheck disable=SC2086 # several pages
(cd "$here" && python3 "$D/paths.py" $pages) | sort -u >paths
missing=
while read -r path; do
	[ -e "$here/$path" ] || [ -n "$(find "$here/${path%/*}" -name "${path##*/}.*" 2>/dev/null | head -n 1)" ] || missing="$missing $path"
done <paths
is "$missing" '' 'the pages: paths'
ok 'there are some' test "$(lines paths)" -ge 60
sed -n 's/^\.PHONY://p' "$here/Makefile" | tr ' ' '\n' >targets
# shellcheck disable=SC2086
(cd "$here" && grep -ohE '(`|^    |^)([A-Z_]+=[^ ]* )*make [a-z-]+' $pages) | sed 's/.*make //' | sort -u >made
is "$(grep -vxFf targets made | tr '\n' ' ')" '' 'the pages: targets of make'
ok 'there are some' test "$(lines made)" -ge 15

# What is measured says how: a paragraph, list or table with a figure has a command, or follows one that has in its section.
cat >figures.py <<'END'
import re
import sys

FIGURE = re.compile(r"\d (ms|s|MiB|GiB)\b|\d[\d,]* (points|cases|states|kills|deliveries|messages|records)\b|messages/s|kill points \|")
COMMAND = re.compile(r"`[^`]*(make [a-z-]+|tests/\w+|dedupdb |smtp-gap|dedup-lda )[^`]*`|^    \$? ?(make|dedupdb|smtp-gap)", re.M)
text = open(sys.argv[1], encoding="utf-8").read()
text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
bad = 0
for section in re.split(r"^##+ ", text, flags=re.M)[1:]:
    title, _, rest = section.partition("\n")
    known = False
    for paragraph in re.split(r"\n\n+", rest):
        known = known or COMMAND.search(paragraph) is not None
        if FIGURE.search(paragraph) and not known:
            print(f"{title}: {paragraph.splitlines()[0]}")
            bad += 1
sys.exit(bad > 0)
END
for file in README.md docs/measurements.md docs/big-sites.md docs/gaps.md; do
	python3 figures.py "$here/$file" >unsaid
	is "$(cat unsaid)" '' "$file: what is measured says how"
done
printf '## Speed\n\nA delivery takes 2 ms.\n' >wrong.md
python3 figures.py wrong.md >unsaid
is $? 1 'the control: a figure without a command'
plan
