#!/bin/sh
# The groups of /etc/ha.d as a Pacemaker cluster, written by latido export pacemaker.
# 1. On both nodes: install pacemaker, corosync, pcs, resource-agents; systemctl enable --now pcsd;
#    the same password for the user hacluster.
# 2. Read this, and mend what begins with "# !".
# 3. Stop heartbeat on both nodes (heartbeat -k), and see that nothing of it is enabled at boot.
# 4. Run this on one node, as root.
set -e

pcs host auth alpha beta
# ! serial /dev/ttyS0: corosync has no serial links; give the pair a second network
# ! 2 networks (eth0, eth1): give each node its address in each, NODE addr=A addr=B, in the next line
# deadtime 10 s: token, and consensus of 1.2 token
pcs cluster setup latido alpha beta totem token=4545
pcs cluster start --all --wait
# ! fence /usr/local/sbin/power-off: pcs stonith create ... with the agent for this device (pcs stonith list)
pcs resource op defaults update timeout=120s
pcs resource defaults update resource-stickiness=1000
pcs resource create ping ocf:pacemaker:ping host_list='10.9.1.254 10.9.1.253' dampen=8s multiplier=1000 clone

# alpha drbddisk::r0 Filesystem::/dev/drbd0::/data::ext4::noatime IPaddr2::10.9.1.100/255.255.255.0/eth0:1 IPsrcaddr::10.9.1.100 MailTo::root@localhost::moved
pcs resource create drbd_r0 ocf:linbit:drbd drbd_resource=r0 op monitor interval=29s role=Promoted op monitor interval=31s role=Unpromoted promotable promoted-max=1 promoted-node-max=1 clone-max=2 clone-node-max=1 notify=true
pcs resource create fs_data ocf:heartbeat:Filesystem device=/dev/drbd0 directory=/data fstype=ext4 options=noatime op monitor interval=5s meta migration-threshold=3 --group alpha-1
pcs resource create ip_10.9.1.100 ocf:heartbeat:IPaddr2 ip=10.9.1.100 cidr_netmask=24 nic=eth0 iflabel=1 op monitor interval=5s meta migration-threshold=3 --group alpha-1
pcs resource create src_10.9.1.100 ocf:heartbeat:IPsrcaddr ipaddress=10.9.1.100 op monitor interval=5s meta migration-threshold=3 --group alpha-1
pcs resource create mail ocf:heartbeat:MailTo email=root@localhost subject=moved op monitor interval=5s meta migration-threshold=3 --group alpha-1
pcs constraint order promote drbd_r0-clone 'then' start alpha-1
pcs constraint colocation add alpha-1 with Promoted drbd_r0-clone INFINITY
pcs constraint location alpha-1 prefers alpha=100
pcs constraint location alpha-1 rule score=-INFINITY pingd lt 1 or not_defined pingd

# beta IPv6addr::fd00::7/64/eth0 Filesystem::-L::spool::/spool SendArp::10.9.1.101/eth0 Delay::3 mill::slowly
pcs resource create ip_fd00__7 ocf:heartbeat:IPaddr2 ip=fd00::7 cidr_netmask=64 nic=eth0 op monitor interval=5s meta migration-threshold=3 --group beta-2
pcs resource create fs_spool ocf:heartbeat:Filesystem device='-L spool' directory=/spool fstype=auto op monitor interval=5s meta migration-threshold=3 --group beta-2
pcs resource create arp_10.9.1.101 ocf:heartbeat:SendArp ip=10.9.1.101 nic=eth0 op monitor interval=5s meta migration-threshold=3 --group beta-2
pcs resource create delay ocf:heartbeat:Delay startdelay=3 op monitor interval=5s meta migration-threshold=3 --group beta-2
# ! mill::slowly: Pacemaker gives mill no arguments: it needs an OCF agent
pcs constraint location beta-2 prefers beta=100
pcs constraint location beta-2 rule score=-INFINITY pingd lt 1 or not_defined pingd

# beta drbddisk::r1
pcs resource create drbd_r1 ocf:linbit:drbd drbd_resource=r1 op monitor interval=29s role=Promoted op monitor interval=31s role=Unpromoted promotable promoted-max=1 promoted-node-max=1 clone-max=2 clone-node-max=1 notify=true
pcs constraint location drbd_r1-clone rule role=Promoted score=100 '#uname' eq beta
pcs constraint location drbd_r1-clone rule role=Promoted score=-INFINITY pingd lt 1 or not_defined pingd
