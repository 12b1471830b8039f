#!/bin/sh
# Over a running daemon that holds a group: it goes on with the new program and moves nothing; a package whose program cannot
# be run is installed all the same, says so, and the daemon goes on; removal releases the group.
# shellcheck disable=SC2015 # `fail` ends the script
set -eu
fail() { echo "FAILED: $*"; cat /var/log/ha-log 2>/dev/null; exit 1; }
deb=$(echo /packages/latido_*.deb)
install() { dpkg -i "$1" 2>&1; }
calls() { grep -c "$1" /calls || true; }

install "$deb"
hostname alpha
ip link set lo up
ip link add eth0 type veth peer name far
ip addr add 10.9.1.1/24 dev eth0
ip link set eth0 up
ip link set far up
printf 'keepalive 100ms\ndeadtime 1\nwarntime 500ms\ninitdead 1\nucast eth0 10.9.1.2\nauto_failback on\nlogfile /var/log/ha-log\nnode alpha beta\n' > /etc/ha.d/ha.cf
echo 'alpha noted' > /etc/ha.d/haresources
printf 'auth 1\n1 sha1 a-key-of-the-tests-and-of-nothing-else\n' > /etc/ha.d/authkeys
chmod 600 /etc/ha.d/authkeys
cat > /etc/ha.d/resource.d/noted <<'END'
#!/bin/sh
[ "$1" = status ] || echo "$1" >> /calls
case $1 in start) : > /run/noted ;; stop) rm -f /run/noted ;; status) [ -e /run/noted ] && echo running || echo stopped ;; esac
END
chmod 755 /etc/ha.d/resource.d/noted
: > /calls

latido start
for _ in $(seq 300); do
    [ "$(calls start)" -eq 0 ] || break
    sleep 0.1
done
[ "$(calls start)" -eq 1 ] || fail "the group was not started"
pid=$(tr -d ' ' < /run/heartbeat.pid)
: > /calls

install "$deb" > /said || fail "$(cat /said)"
cat /said
grep -q 'runs the program installed now; nothing moved' /said || fail "the daemon was not exchanged"
kill -0 "$pid" || fail "the daemon is gone"
[ ! -s /calls ] || fail "the group moved: $(cat /calls)"

dpkg-deb -R "$deb" /broken
echo 'no program' > /broken/usr/sbin/latido
dpkg-deb --root-owner-group -b /broken /broken.deb >/dev/null
install /broken.deb > /said || fail "a program that cannot be run keeps dpkg from finishing: $(cat /said)"
cat /said
grep -q 'was not exchanged' /said || fail "nothing was said"
kill -0 "$pid" || fail "the daemon is gone"
[ ! -s /calls ] || fail "the group moved: $(cat /calls)"

install "$deb" > /said || fail "$(cat /said)"
grep -q 'nothing moved' /said || fail "the mended program was not taken"
[ ! -s /calls ] || fail "the group moved: $(cat /calls)"
dpkg -r latido
[ "$(calls stop)" -eq 1 ] && [ ! -e /run/noted ] || fail "removal did not release the group"
! kill -0 "$pid" 2>/dev/null || fail "the daemon runs on"
echo WELL
