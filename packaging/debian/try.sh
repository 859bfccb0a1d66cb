#!/bin/sh
# Install a package in a copy of this system, use it, remove it, and show what it left: `try.sh PACKAGE DIRECTORY`.
#
# The copy is an overlay on / that only this mount namespace sees; DIRECTORY is empty. Run it as root, by
# `unshare --mount --net --pid --fork`, so that nothing of the machine is touched.
set -eu

package=$1 directory=$2
mount -t tmpfs none "$directory"
mkdir "$directory/new" "$directory/work" "$directory/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/new,workdir=$directory/work" "$directory/root"
root=$directory/root
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
for place in run tmp; do
    mount -t tmpfs none "$root/$place"
done
cp "$package" "$root/tmp/gpiomux.deb"
ip link set lo up

chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -eu <<'END'
dpkg --install /tmp/gpiomux.deb
gpiomux --version
gpiomuxd --version
getent group gpiomux
gpiomux validate /usr/share/doc/gpiomux/examples/three-modes.yaml
gpiomux completion bash | cmp - /usr/share/bash-completion/completions/gpiomux
gpiomux apply /usr/share/doc/gpiomux/examples/two-links.yaml
ping -c 3 -w 20 10.10.0.2
# A library that the user has added, as `gpiomux scope --png` advises, goes too.
mkdir /usr/lib/gpiomux/lib/added
# Removal takes the links down, and leaves no program, page, group or compiled file.
dpkg --purge gpiomux
ip -brief link
END

# What was written anew or differently: the books of dpkg and the last group file (groupdel) are no trace of ours.
echo "left behind:"
cd "$directory/new"
find . ! -type d ! -path './var/lib/dpkg/*' ! -path './var/cache/*' ! -path './var/log/*' ! -path './etc/*-' |
    while read -r path; do
        cmp --silent "$path" "/$path" || echo "$path"
    done
find . -name '*gpiomux*' ! -path './var/lib/dpkg/*'
