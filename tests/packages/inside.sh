#!/bin/sh
# Runs SCRIPT as root in a Debian system whose files are those of ROOT until the end: what is written is kept in memory and
# gone with the namespaces. The packages are in /packages.
#   inside.sh ROOT PACKAGES SCRIPT
set -eu
root=$1 packages=$2 script=$3
if [ "${4-}" != inside ]; then
    exec unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation private sh "$0" "$root" "$packages" "$script" inside
fi
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
root=/mnt/root
mkdir "$root/packages"
mount --bind "$packages" "$root/packages"
cp "$script" "$root/script"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/lock"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for node in null zero full random urandom tty; do
    : > "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
in_it() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C chroot "$root" sh /script "$@" </dev/null; }
case $script in
*/rpm.sh)
    # Debian's rpm knows no package of the system: what the package asks for is looked at elsewhere.
    rpm --root "$root" --dbpath /var/lib/rpm --nodeps -i "$packages"/latido-*.rpm
    in_it installed
    rpm --root "$root" --dbpath /var/lib/rpm --nodeps -e latido
    in_it erased
    ;;
*) in_it ;;
esac
