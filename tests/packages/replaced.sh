#!/bin/sh
# The deb in the place of Debian's heartbeat, with files that were changed, and the way back.
set -eu
fail() { echo "FAILED: $*"; exit 1; }
deb=$(echo /packages/latido_*.deb)
install() { apt-get -o APT::Sandbox::User=root install -y --no-install-recommends "$@" 2>&1; }

printf 'node alpha beta\nbcast eth0\n' > /etc/ha.d/ha.cf
echo 'alpha 10.0.0.1' > /etc/ha.d/haresources
(umask 077; echo 'auth 1' > /etc/ha.d/authkeys)
for file in harc resource.d/IPaddr rc.d/status; do echo '# changed here' >> "/etc/ha.d/$file"; done
echo '# changed here' >> /etc/init.d/heartbeat
echo 41 > /var/lib/heartbeat/hb_generation
look() {
    find /etc/ha.d /var/lib/heartbeat -type f ! -path /etc/ha.d/rc.d/README ! -path /etc/ha.d/resource.d/asterisk \
        -printf '%m %u:%g %p ' -exec md5sum {} \; | sort -k3
}
look > /before
md5sum /etc/init.d/heartbeat /etc/logrotate.d/heartbeat > /scripts

install "$deb"
look | diff /before - || fail "files were changed"
! dpkg -s heartbeat 2>/dev/null | grep -q '^Status: install ok' || fail "heartbeat is still installed"
grep -q Latido /etc/init.d/heartbeat || fail "/etc/init.d/heartbeat is not ours"
[ ! -L /etc/systemd/system/multi-user.target.wants/heartbeat.service ] || fail "started at boot under the old name"
[ "$(readlink -f /usr/libexec/heartbeat/ipfail)" = /usr/sbin/latido ] || fail "ipfail is not ours"
[ "$(readlink -f /usr/libexec/heartbeat/send_arp)" != /usr/sbin/latido ] || fail "send_arp of resource-agents was replaced"

install heartbeat
look | diff /before - || fail "files were changed on the way back"
md5sum --check --quiet /scripts || fail "heartbeat has not got its scripts back"
dpkg -s heartbeat | grep -q '^Status: install ok installed' || fail "heartbeat is not installed"
[ -L /etc/systemd/system/multi-user.target.wants/heartbeat.service ] || fail "heartbeat is not started at boot any more"
[ ! -e /usr/sbin/latido ] || fail "latido is still installed"
echo WELL
