#!/bin/sh
# Exim as the receiver, in Debian's split configuration. To be sourced after mta.sh.

# shellcheck disable=SC2034 # the script that sources this reads it
log=$D/receiver/var/log/exim4/mainlog
conf=$D/receiver/etc/exim4
empty() { [ "$(at receiver exim4 -bpc)" -eq 0 ]; }
flush() { at receiver exim4 -qff; }
exim_start() {
	sed -i -e "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='internet'/" \
		-e "s/^dc_use_split_config=.*/dc_use_split_config='true'/" \
		-e "s/^dc_other_hostnames=.*/dc_other_hostnames='meadow.example'/" -e "s/^dc_minimaldns=.*/dc_minimaldns='true'/" \
		-e "s/^dc_local_interfaces=.*/dc_local_interfaces='127.0.0.1'/" "$conf/update-exim4.conf.conf"
	echo meadow.example >"$D/receiver/etc/mailname"
	at receiver update-exim4.conf
	install -d -o "$(at receiver id -u Debian-exim)" "$D/receiver/run/exim4"
	at receiver sh -c 'exim4 -bd; true'	# a child of process 1 would stay in the foreground
}
