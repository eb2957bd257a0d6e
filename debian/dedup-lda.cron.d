# Finish mail deliveries that were interrupted: at boot and every hour. Where systemd runs, its timers do that.
PATH=/usr/sbin:/usr/bin:/sbin:/bin

@reboot    root  [ -d /run/systemd/system ] || [ ! -x /usr/sbin/dedupdb ] || dedupdb -A recover >/dev/null
7 * * * *  root  [ -d /run/systemd/system ] || [ ! -x /usr/sbin/dedupdb ] || dedupdb -A recover >/dev/null
23 3 * * * root  [ -d /run/systemd/system ] || [ ! -x /usr/sbin/dedupdb ] || dedupdb -A prune >/dev/null
