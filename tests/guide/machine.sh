#!/bin/sh
# Stand-ins for what the chapter "Asterisk and DRBD from nothing" calls: each is a link to this file. They do as much as the
# rest of the chapter needs, fail where the real one would, and note every call. PLAY is a directory that both hosts share.
set -eu
PLAY=@PLAY@
me=$(uname -n)
name=${0##*/}
echo "$me: $name $*" >>"$PLAY/calls"

complain() {
    echo "$name: $*" >&2
    exit 1
}

# The last word.
last() {
    for word; do :; done
    echo "$word"
}

apt_() {
    [ "$1" = install ] || return 0
    case "$*" in
    *latido_*)
        # Its own files, as the package brings them; hacluster and haclient, where the machine does not have them.
        mkdir -p /etc/ha.d/resource.d
        cp "$PLAY/asterisk" /etc/ha.d/resource.d/asterisk
        chmod 755 /etc/ha.d/resource.d/asterisk
        grep -q ^haclient: /etc/group || echo haclient:x:990: >>/etc/group
        grep -q ^hacluster: /etc/passwd || echo hacluster:x:990:990::/var/lib/heartbeat:/usr/sbin/nologin >>/etc/passwd
        ;;
    esac
}

drbdadm_() {
    resource=$(last "$@")
    grep -q "^resource $resource {" /etc/drbd.d/*.res || complain "$resource: not defined in your config"
    roles=$PLAY/drbd
    mkdir -p "$roles" 2>/dev/null || true
    case "$*" in
    create-md*) touch "$roles/md-$me" ;;
    role*)
        if [ -e "$roles/primary-$me" ]; then echo Primary/Secondary; else echo Secondary/Secondary; fi
        ;;
    primary*)
        [ -e "$roles/up-$me" ] || complain "the unit drbd was not started"
        [ -e "$roles/synced" ] || case "$*" in *--force*) touch "$roles/synced" ;; *) complain "no up to date disk" ;; esac
        [ ! -e "$roles/outdated-$me" ] || complain "the copy is outdated"
        for other in "$roles"/primary-*; do
            [ ! -e "$other" ] || [ "$other" = "$roles/primary-$me" ] || complain "Multiple primaries not allowed by config"
        done
        touch "$roles/primary-$me"
        ;;
    secondary*)
        ! grep -q " /srv/asterisk " /proc/self/mountinfo || complain "Device is held open by someone"
        rm -f "$roles/primary-$me"
        ;;
    outdate*) touch "$roles/outdated-$me" ;;
    *) complain "a command that is not played: $*" ;;
    esac
}

mount_() {
    device=
    for word; do [ "$word" = /dev/drbd0 ] && device=$word; done
    [ -n "$device" ] || exec /bin/mount "$@"
    [ -e "$PLAY/drbd/primary-$me" ] || complain "/dev/drbd0: Wrong medium type"
    [ -e "$PLAY/drbd/ext4" ] || complain "/dev/drbd0: wrong fs type, bad superblock"
    mkdir -p "$PLAY/disk"
    exec /bin/mount --bind "$PLAY/disk" "$(last "$@")"
}

systemctl_() {
    case "$*" in
    enable*)
        mkdir -p /etc/systemd/system/multi-user.target.wants
        ln -sf "/lib/systemd/system/$(last "$@").service" /etc/systemd/system/multi-user.target.wants/
        ;;
    esac
    case "$*" in
    "enable --now latido") (setsid latido daemon </dev/null >/var/log/latido.out 2>&1 &) ;;
    "stop latido") latido stop ;;
    "enable --now drbd")
        [ -e "$PLAY/drbd/md-$me" ] || complain "drbd: No valid meta data found"
        touch "$PLAY/drbd/up-$me"
        ;;
    "disable --now asterisk")
        rm -f /etc/rc[2-5].d/S??asterisk
        /etc/init.d/asterisk stop
        ;;
    *) complain "a unit that is not played: $*" ;;
    esac
}

# The host at the far end runs what it finds in its directory (host.sh).
ssh_() {
    while [ $# -gt 1 ]; do
        case $1 in
        -o) shift ;;
        --) ;;
        -*) ;;
        *) break ;;
        esac
        shift
    done
    host=${1#*@}
    shift
    [ -d "$PLAY/ssh/$host" ] || complain "Could not resolve hostname $host"
    job=$(mktemp -d "$PLAY/ssh/$host/job.XXXXXX")
    mkfifo "$job/done"
    printf '%s\n' "$*" >"$job/new"
    mv "$job/new" "$job/script"
    read -r code <"$job/done"
    cat "$job/out"
    cat "$job/err" >&2
    rm -rf "$job"
    exit "$code"
}

scp_() {
    while [ "$1" != -- ]; do shift; done
    shift
    target=$(last "$@")
    arrivals=$(mktemp -d "$PLAY/scp.XXXXXX")
    while [ $# -gt 1 ]; do
        cp -p "$1" "$arrivals/"
        shift
    done
    "${0%/*}/ssh" "${target%%:*}" "cp -p $arrivals/* ${target#*:}"
    rm -rf "$arrivals"
}

# What is built from source: the directories, the sample files, the init script, which starts it at boot.
make_() {
    case ${1:-} in
    install) mkdir -p /etc/asterisk /var/lib/asterisk /var/spool/asterisk /var/log/asterisk ;;
    samples) printf '[transport-udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n' >/etc/asterisk/pjsip.conf ;;
    config)
        cp "$PLAY/asterisk.init" /etc/init.d/asterisk
        chmod 755 /etc/init.d/asterisk
        for level in 2 3 4 5; do ln -sf ../init.d/asterisk "/etc/rc$level.d/S01asterisk"; done
        ;;
    esac
}

wget_() {
    made=$(mktemp -d)
    mkdir -p "$made/asterisk-20.1.0/contrib/scripts"
    printf '#!/bin/sh\n' >"$made/asterisk-20.1.0/configure"
    cp "$made/asterisk-20.1.0/configure" "$made/asterisk-20.1.0/contrib/scripts/install_prereq"
    chmod 755 "$made/asterisk-20.1.0/configure" "$made/asterisk-20.1.0/contrib/scripts/install_prereq"
    tar -C "$made" -czf "${1##*/}" asterisk-20.1.0
    rm -rf "$made"
}

# asterisk -rx COMMAND
asterisk_() {
    { read -r pid </run/asterisk/asterisk.pid && kill -0 "$pid"; } 2>/dev/null ||
        complain "Unable to connect to remote asterisk (does /run/asterisk/asterisk.ctl exist?)"
    case $2 in
    "core show uptime") echo "System uptime: 1 second" ;;
    "core stop now") /etc/init.d/asterisk stop ;;
    esac
}

# The remote controls of both machines.
ipmitool_() {
    case "$*" in
    *"-H 192.168.1.21 "*) node=alpha ;;
    *"-H 192.168.1.22 "*) node=beta ;;
    *) complain "no BMC there: $*" ;;
    esac
    [ -r /root/ipmi-password ] || complain "no password file"
    case "$*" in
    *"chassis power off")
        touch "$PLAY/off-$node"
        rm -f "$PLAY/drbd/primary-$node"
        ;;
    *"chassis power status") if [ -e "$PLAY/off-$node" ]; then echo "Chassis Power is off"; else echo "Chassis Power is on"; fi ;;
    *) complain "not played: $*" ;;
    esac
}

case $name in
apt) apt_ "$@" ;;
drbdadm) drbdadm_ "$@" ;;
mount) mount_ "$@" ;;
systemctl) systemctl_ "$@" ;;
ssh) ssh_ "$@" ;;
scp) scp_ "$@" ;;
make) make_ "$@" ;;
wget) wget_ "$@" ;;
asterisk) asterisk_ "$@" ;;
ipmitool) ipmitool_ "$@" ;;
mkfs.ext4)
    [ -e "$PLAY/drbd/primary-$me" ] || complain "$1: Read-only file system"
    touch "$PLAY/drbd/ext4"
    ;;
hostnamectl) [ "$2" = "$me" ] || complain "this host is $me" ;;
ifup) grep -q "^iface $1 " /etc/network/interfaces.d/* || complain "unknown interface $1" ;;
ufw) [ "$1" = allow ] || [ "$2" = enable ] || complain "not played: $*" ;;
dpkg-statoverride) getent group "$4" >/dev/null || complain "group '$4' does not exist" ;;
ssh-keygen) mkdir -p /root/.ssh && echo "ssh-ed25519 AAAA root@$me" >/root/.ssh/id_ed25519.pub ;;
modprobe) [ "$1" = drbd ] || complain "not played: $*" ;;
*) complain "no stand-in" ;;
esac
