#!/bin/sh
# A root file system that may be written at will: this machine's, with a layer over it that is thrown away. To be sourced by root, in a
# mount namespace of its own, which takes the mounts away when its last process ends.

# root_mount FOLDER [IMAGE]: mount it there, with what IMAGE, of tests/mta/image, holds
root_mount() {
	mkdir -p "$1" "$1.layers"
	if ! root_overlay "$1" "${2:-}" 2>/dev/null; then	# the scratch folder is itself on an overlay, as in a container
		mount -t tmpfs tmpfs "$1.layers" && root_overlay "$1" "${2:-}" || return 1
	fi
	mount -t proc proc "$1/proc" && mount -t tmpfs -o mode=755 tmpfs "$1/dev" && mount -t tmpfs -o mode=755 tmpfs "$1/run" || return 1
	mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" || return 1
	for node in 'null 3' 'zero 5' 'full 7' 'random 8' 'urandom 9'; do
		mknod -m 666 "$1/dev/${node% *}" c 1 "${node#* }" || return 1
	done
	mknod -m 666 "$1/dev/tty" c 5 0 && mkdir -m 1777 "$1/dev/shm"
	ln -s /proc/self/fd "$1/dev/fd" && ln -s /proc/self/fd/0 "$1/dev/stdin" && ln -s /proc/self/fd/1 "$1/dev/stdout" &&
	    ln -s /proc/self/fd/2 "$1/dev/stderr" && mkdir -p "$1/run/lock"
}

root_overlay() {
	mkdir -p "$1.layers/upper" "$1.layers/work" || return 1
	[ -z "$2" ] || tar -C "$1.layers/upper" --xattrs --xattrs-include='*' -xf "$2" || return 1
	mount -t overlay overlay -o "lowerdir=/,upperdir=$1.layers/upper,workdir=$1.layers/work" "$1"
}

# root_save FOLDER: what has been written there, as a tar file on standard output
root_save() { tar -C "$1.layers/upper" --xattrs --xattrs-include='*' --sparse -cf - .; }
