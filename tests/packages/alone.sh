#!/bin/sh
# The deb on a machine that never had heartbeat: nothing starts, nothing is configured, removal and purge leave what people wrote.
# shellcheck disable=SC2015 # `fail` ends the script
set -eu
fail() { echo "FAILED: $*"; exit 1; }
deb=$(echo /packages/latido_*.deb)

apt-get -o APT::Sandbox::User=root install -y --no-install-recommends "$deb" 2>&1
latido --version | grep -q '^latido ' || fail "the program does not start"
[ ! -e /run/latido/latido.sock ] || fail "a daemon was started"
for file in ha.cf haresources authkeys latido.cf; do
    [ ! -e "/etc/ha.d/$file" ] || fail "/etc/ha.d/$file was written"
done
[ -x /etc/ha.d/harc ] && [ -e /etc/ha.d/shellfuncs ] && [ -x /etc/ha.d/resource.d/asterisk ] || fail "files of /etc/ha.d are missing"
[ ! -e /etc/systemd/system/multi-user.target.wants/latido.service ] || fail "enabled by being installed"
[ "$(systemctl is-enabled latido.service)" = disabled ] || fail "the unit is not disabled: $(systemctl is-enabled latido.service)"
getent passwd hacluster >/dev/null && getent group haclient >/dev/null || fail "no hacluster, no haclient"
for dir in lib lib64 libexec share; do
    [ -x "/usr/$dir/heartbeat/heartbeat" ] || fail "no /usr/$dir/heartbeat/heartbeat"
done
code=0
/usr/bin/cl_status hbstatus || code=$?
[ "$code" -ne 0 ] || fail "cl_status sees a daemon"
/usr/share/heartbeat/hb_addnode gamma 2>&1 | grep -q 'latido reload' || fail "hb_addnode does not say what to type"

/etc/init.d/heartbeat 2>&1 | grep -qF '{start|stop|status|restart|reload|force-reload}' || fail "the verbs of /etc/init.d/heartbeat"
code=0
/etc/init.d/heartbeat status >/dev/null 2>&1 || code=$?
[ "$code" -eq 3 ] || fail "/etc/init.d/heartbeat status ends with $code where nothing runs"
code=0
/etc/init.d/heartbeat start || code=$?
[ "$code" -ne 0 ] || fail "/etc/init.d/heartbeat start succeeds without ha.cf"

# A second time, and over it: nothing is asked.
echo '# mine' >> /etc/ha.d/harc
apt-get -o APT::Sandbox::User=root install -y --reinstall "$deb" 2>&1
grep -q '^# mine' /etc/ha.d/harc || fail "a changed harc was overwritten"
rm /etc/ha.d/resource.d/asterisk
dpkg -i "$deb"
[ ! -e /etc/ha.d/resource.d/asterisk ] || fail "a file that was taken away came back"

echo 'node alpha beta' > /etc/ha.d/ha.cf
echo 'alpha 10.0.0.1' > /etc/ha.d/haresources
echo 'auth 1' > /etc/ha.d/authkeys
printf '#!/bin/sh\n' > /etc/ha.d/resource.d/own
echo 12 > /var/lib/heartbeat/hb_generation
: > /var/lib/heartbeat/latido-events
kept() {
    for file in /etc/ha.d/ha.cf /etc/ha.d/haresources /etc/ha.d/authkeys /etc/ha.d/resource.d/own /etc/ha.d/harc \
        /var/lib/heartbeat/hb_generation; do
        [ -e "$file" ] || fail "$file is gone after $1"
    done
}
dpkg -r latido
kept removal
[ ! -e /usr/sbin/latido ] && [ ! -e /usr/bin/cl_status ] && [ ! -e /etc/init.d/heartbeat ] || fail "the program is still there"
[ ! -e /usr/lib64/heartbeat ] || fail "left behind: $(ls -R /usr/lib64/heartbeat)"
[ ! -e /etc/ha.d/shellfuncs ] || fail "an unchanged file of the package stayed"
dpkg -P latido
kept purge
[ ! -e /var/lib/latido ] && [ ! -e /var/lib/heartbeat/latido-events ] || fail "the package's own state is still there"
echo WELL
