#!/bin/sh
# A ledger in Redis, and root who delivers for users: the agent that has the client is another program, which must be the same user, with
# the same name and home, and nothing of root.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
server=$(command -v redis-server || command -v redis-check-rdb)
if [ -z "$server" ] || [ ! -e "$BUILD/dedup-lda-redis" ]; then
	skip 'a ledger in Redis' 'there is no server, or no client'
	plan
	exit
fi
ln -s "$server" redis-server
./redis-server --port 0 --unixsocket "$D/socket" --unixsocketperm 777 --save '' --appendonly yes --appendfsync always --dir "$D" >redis.log 2>&1 &
wait_for test -S socket || diag "$(cat redis.log)"
echo "ledger = 'redis+unix://$D/socket'" >/etc/dedup-lda.conf

# Another name, and another home, for the number of joe.
uid=$(id -u joe)
echo "joey:x:$uid:$uid::/home/joey:/bin/sh" >>/etc/passwd
homes
install -d -o joe -g joe -m 755 /home/joey
message 1 >m
chmod 644 m
for name in joe joey ann; do
	for_user $name <m
	delivered /home/$name/Maildir "-d $name"
	for_user $name <m
	delivered /home/$name/Maildir "-d $name, again"
	is "$(stat -c %U "/home/$name/Maildir/new/"*)" "$(id -nu "$(id -u $name)")" "-d $name: whose file it is"
done
is "$("$BUILD/dedupdb" -l "redis+unix://$D/socket" --json list | wc -l)" 3 'each mailbox has a record of its own'

# %u is the name that was asked for, and what the caller's environment says of names does not count.
run='env DEDUP_LDA_USER=1:ann HOME=/home/ann USER=ann'
for_user joey -o 'mailbox=maildir:~/of-%u' -o on-ledger-failure=defer <m
delivered /home/joey/of-joey '-d joey, with variables in the environment'
is "$(find /home/ann -name 'of-*')" '' 'and nothing elsewhere'
run=

# What it is told after the change of programs, it has no rights for.
sed 's/dedup-lda-1/other/' m >m2
run='strace -f -e trace=execve,setresuid -o trace'
for_user joe <m2
run=
if [ -s trace ]; then
	ok 'it is the user before it is the other program' awk '/setresuid/ { gone = 1 } /execve.*dedup-lda-redis/ && !gone { exit 1 }' trace
	is "$(grep -c 'execve.*dedup-lda-redis.*= 0' trace)" 1 'it becomes the other program once'
fi
as joe sh -c "export DEDUP_LDA_USER=\$\$:ann; exec '$BUILD/dedup-lda-redis' -o 'mailbox=maildir:/home/%u/Maildir' -v" <m2 >out 2>err
is "$? $(find /home/ann/Maildir/new -type f | wc -l)" '75 1' 'a name that somebody contrives to tell it gives no rights'
as joe sh -c "DEDUP_LDA_USER=1:ann '$BUILD/dedup-lda' -d ann" <m2 >out 2>err
is "$? $(head -n 1 err)" '75 4.3.0 only root may use -d' 'nor does one in the environment'

# Where the other program is missing, the ledger has failed.
mv "$BUILD/dedup-lda-redis" away
sed 's/^Message-ID:.*/Message-ID: <third@x>/' m >m3
for_user joe -o on-ledger-failure=defer <m3
deferred 'dedup-lda-redis is not installed' 'without the other program, defer'
for_user joe <m3
is "$rc $(grep -l third@x /home/joe/Maildir/new/* | wc -l)" '0 1' 'without the other program, deliver'
mv away "$BUILD/dedup-lda-redis"

# The password of a ledger that everybody shares is no user's to read, so root may not be asked to.
install -m 600 /dev/null /etc/dedup-lda.password
echo secret >/etc/dedup-lda.password
echo "ledger-password-file = /etc/dedup-lda.password" >>/etc/dedup-lda.conf
for_user joe <m
deferred '/etc/dedup-lda.password: Permission denied' 'a password that the user may not read'
plan
