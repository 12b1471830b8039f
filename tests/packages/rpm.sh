#!/bin/sh
# After the rpm was installed in this root, and after it was erased (`inside.sh` does both).
# shellcheck disable=SC2015 # `fail` ends the script
set -eu
fail() { echo "FAILED: $*"; exit 1; }
if [ "$1" = erased ]; then
    for file in /usr/sbin/latido /usr/bin/cl_status /etc/init.d/heartbeat /usr/lib64/heartbeat /var/lib/latido; do
        [ ! -e "$file" ] && [ ! -L "$file" ] || fail "$file is still there"
    done
    [ -e /etc/ha.d/ha.cf ] || fail "ha.cf is gone"
    echo WELL
    exit
fi
latido --version | grep -q '^latido ' || fail "the program does not start"
[ -e /usr/lib/systemd/system/latido.service ] || fail "no unit"
for dir in lib lib64 libexec share; do
    [ "$(readlink "/usr/$dir/heartbeat/heartbeat")" = /usr/sbin/latido ] || fail "no /usr/$dir/heartbeat/heartbeat"
done
[ -x /etc/init.d/heartbeat ] && [ -x /etc/ha.d/harc ] || fail "files of /etc are missing"
[ ! -e /etc/ha.d/ha.cf ] || fail "ha.cf was written"
echo mine > /etc/ha.d/ha.cf
