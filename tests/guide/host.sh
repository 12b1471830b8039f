#!/bin/sh
# Makes a host of the bench a machine with places of its own, then does what comes by ssh. HOST.sh DIRECTORY PORT LATIDO
set -eu
PLAY=@PLAY@
dir=$1 port=$2 latido=$3
me=$(uname -n)

mkdir -p "$dir"
mount -t tmpfs -o mode=755 machine "$dir"
cp -a /etc "$dir/etc"
# An empty machine: what this one has of a cluster, and starts at boot, is not there.
rm -rf "$dir"/etc/ha.d "$dir"/etc/rc[0-6].d "$dir"/etc/systemd/system "$dir/etc/asterisk" "$dir/etc/drbd.d" "$dir/etc/drbd.conf"
mkdir -p "$dir/etc/drbd.d" "$dir/etc/ha.d" "$dir/etc/network/interfaces.d" "$dir/etc/init.d"
for level in 2 3 4 5; do mkdir -p "$dir/etc/rc$level.d"; done
# Who lives here is what the machine's own files say.
rm -f "$dir/etc/drbd.d"/* "$dir/etc/network/interfaces.d"/*
mkdir -p "$dir/lib" "$dir/spool" "$dir/log" "$dir/srv" "$dir/root" "$dir/sbin" "$dir/dev"
cp "$latido" "$dir/sbin/latido"
cp "$PLAY/machine" "$dir/sbin/machine"
chmod 755 "$dir/sbin/latido" "$dir/sbin/machine"
for name in apt drbdadm mount systemctl ssh scp make wget asterisk mkfs.ext4 hostnamectl ifup ufw dpkg-statoverride \
    ssh-keygen modprobe ipmitool; do
    ln -s machine "$dir/sbin/$name"
done

# A few devices, a serial port that is one end of the null-modem cable, and the block device of DRBD.
for node in null zero full random urandom tty ptmx ttyS0; do : >"$dir/dev/$node"; done
for node in null zero full random urandom tty ptmx; do mount --bind "/dev/$node" "$dir/dev/$node"; done
mkdir "$dir/dev/pts" "$dir/dev/shm"
mount --bind /dev/pts "$dir/dev/pts"
mount -t tmpfs shm "$dir/dev/shm"
mount --bind "$port" "$dir/dev/ttyS0"
mknod "$dir/dev/drbd0" b 147 0

for place in etc dev srv root; do mount --rbind "$dir/$place" "/$place"; done
for place in lib spool log; do mount --bind "$dir/$place" "/var/$place"; done
mount --bind "$dir/sbin" /usr/local/sbin
mount -t tmpfs -o mode=755 run /run
# The serial port is nobody's console.
echo quiet >"$dir/cmdline"
mount --bind "$dir/cmdline" /proc/cmdline
mkdir /run/lock
chmod 1777 /run/lock

mkdir -p "$PLAY/ssh/$me"
echo ready
exec >/dev/null
while [ -d "$PLAY/ssh/$me" ]; do
    for job in "$PLAY/ssh/$me"/job.*; do
        [ -e "$job/script" ] || continue
        mv "$job/script" "$job/taken"
        (
            code=0
            cd /root && PATH=/usr/local/sbin:$PATH sh "$job/taken" >"$job/out" 2>"$job/err" </dev/null || code=$?
            echo $code >"$job/done"
        ) &
    done
    sleep 0.1
done
