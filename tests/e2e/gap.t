#!/bin/sh
# examples/gap: the connection is broken after the final dot, and the copy is discarded, explained and reported. With an agent that keeps no
# ledger, or refuses, it says so.
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
script=$here/examples/gap
gap() { rm -rf gap && python3 "$script" -w 0.1 "$@" >out 2>err; }
copies() { find gap/Maildir/new -type f | wc -l | tr -d ' '; }
export BUILD

gap -n 2
is $? 0 'two lost replies: all is well'
is "$(cat err)" '' 'nothing on standard error'
is "$(grep -c 'X------  250 2.0.0 Ok' out)" 2 'it shows what got lost'
is "$(grep -c 'sender    \.$' out)" 3 'three times it sent the final dot'
is "$(copies)" 1 'one copy in the mailbox'
is "$(grep -c ' action=delivered ' gap/log; grep -c ' action=duplicate .* hop=harbour.example->meadow.example .* sure=yes' gap/log)" '1
2' 'one was delivered, and the hop of the others is proved'
matches "$(cat out)" '^    [0-9T:+-]+ duplicate: another copy came .* harbour.example' 'explained: dedupdb why'
matches "$(cat out)" '^ +2 .* harbour.example -> meadow.example$' 'reported: dedupdb gaps'
is "$(tail -n 1 out)" 'The message was accepted 3 times, and it is in the mailbox once.' 'and the sum of it'

# What is wrong on purpose: it must not be content.
real=$BUILD
BUILD=$D/wrong
mkdir "$BUILD"
ln -s "$real/dedupdb" "$BUILD/dedupdb"
printf '#!/bin/sh\nexec %s/dedup-lda -o ledger=none "$@"\n' "$real" >"$BUILD/dedup-lda"
chmod 755 "$BUILD/dedup-lda"
# it would wait for the events that don't come
sed 's/^DELIVERY_MAX = .*/DELIVERY_MAX = 0/' "$here/examples/gap" >hasty
script=hasty
gap
is $? 1 'an agent without a ledger: exit 1'
is "$(copies)" 2 'it delivered both copies'
matches "$(tail -n 1 out)" '^That went wrong: of 2 copies' 'which it says'
printf '#!/bin/sh\nexit 75\n' >"$BUILD/dedup-lda"
gap
is $? 69 'an agent that defers: exit 69'
matches "$(tail -n 1 out)" 'did not take the message: 451 4.3.0 dedup-lda: exit 75' 'with the reply of the receiver'
mkdir -p gap
python3 "$script" -w 0.1 >out 2>err
is "$? $(lines out)" '1 0' 'a folder of that name: exit 1'
says '^gap: .*/gap is there already: remove it' 'a folder of that name: it says so'
gap -s 127.0.0.1:1
is $? 2 'a server without a recipient: how to use it'
gap -s 127.0.0.1:1 joe@meadow.example
is $? 69 'no server there: exit 69'
plan
