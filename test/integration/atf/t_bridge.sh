#!/usr/bin/env atf-sh
# bridge(4) between servers on two buses.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two
BRIDGE=unix://bridge

# bridged serve|serve6: two hosts on a bus each, 10.0.0.1 and 10.0.0.2, and a bridge between the buses.
bridged()
{
	$1 $ONE
	$1 $TWO
	$1 $BRIDGE bridge
	plug $ONE shmif0 bus1 10.0.0.1/24
	plug $TWO shmif0 bus2 10.0.0.2/24
	plug $BRIDGE shmif0 bus1
	plug $BRIDGE shmif1 bus2
	check_on $BRIDGE rump.ifconfig bridge0 create
	check_on $BRIDGE brconfig bridge0 add shmif0 add shmif1 up
}

# acquaint: both hosts know each other for good, so that they send nothing but what the case makes them send.
acquaint()
{
	mac1=$(mac_of $ONE shmif0)
	mac2=$(mac_of $TWO shmif0)
	check_on $ONE rump.arp -s 10.0.0.2 "$mac2"
	check_on $TWO rump.arp -s 10.0.0.1 "$mac1"
}

# has_cached COUNT: stations in the address table.
has_cached()
{
	[ "$(on $BRIDGE brconfig bridge0 addr | wc -l)" -eq "$1" ]
}

atf_test_case forward cleanup
forward_head()
{
	atf_set descr "IPv4 and IPv6 pass a bridge that is up and has both members, unless both are protected, and as far as the MTU goes"
}
forward_body()
{
	bridged serve6
	without_dad $ONE
	without_dad $TWO
	check_on $ONE rump.ifconfig shmif0 inet6 fd00::1/64
	check_on $TWO rump.ifconfig shmif0 inet6 fd00::2/64
	pings $ONE 10.0.0.2
	pings6 $TWO fd00::1
	check_on $BRIDGE brconfig bridge0 delete shmif1
	silent $ONE 10.0.0.2
	silent6 $TWO fd00::1
	# A new member takes the MTU of the bridge.
	check_on $BRIDGE rump.ifconfig shmif1 mtu 1400
	check_on $BRIDGE brconfig bridge0 add shmif1 protect shmif0
	check_on $BRIDGE -o match:" mtu 1500$" rump.ifconfig shmif1
	check_on $BRIDGE -o match:"shmif0 flags=.*PROTECTED" -o not-match:"shmif1 flags=.*PROTECTED" brconfig bridge0
	check_on $ONE -o match:" 0.0% packet loss" rump.ping -n -q -o -w 10 -s 1472 10.0.0.2
	# Frames that are too long for a member are not sent there.
	check_on $BRIDGE rump.ifconfig shmif1 mtu 1400
	check_on $ONE -s exit:2 -o match:"100.0% packet loss" rump.ping -n -q -c 1 -w 1 -s 1472 10.0.0.2
	check_on $BRIDGE brconfig bridge0 protect shmif1
	silent $ONE 10.0.0.2
	check_on $BRIDGE brconfig bridge0 -protect shmif0
	pings $ONE 10.0.0.2
	check_on $BRIDGE rump.ifconfig bridge0 down
	silent $ONE 10.0.0.2
}
forward_cleanup()
{
	clean_up
}

atf_test_case table cleanup
table_head()
{
	atf_set descr "stations are learned, listed, limited, and forgotten one by one, by flush and with their member"
}
table_body()
{
	bridged serve
	acquaint
	check_on $BRIDGE brconfig bridge0 flush
	pings $ONE 10.0.0.2
	check_on $BRIDGE -o match:"^		$mac1 shmif0 1[12][0-9][0-9] flags=0<>$" -o match:"^		$mac2 shmif1 1[12][0-9][0-9] flags=0<>$" \
	    -o match:"^	Address cache \(max cache: 100, timeout: 1200\):$" brconfig bridge0
	check_on $BRIDGE brconfig bridge0 deladdr "$mac1" static shmif1 02:00:00:00:00:09
	check_on $BRIDGE -o not-match:"$mac1" -o match:"$mac2" -o match:"^	02:00:00:00:00:09 shmif1 0 flags=1<STATIC>$" brconfig bridge0 addr
	check_on $BRIDGE -s exit:1 -e inline:"brconfig: deladdr $mac1: No such file or directory\n" brconfig bridge0 deladdr "$mac1"
	check_on $BRIDGE brconfig bridge0 flush
	has_cached 1 || atf_fail "flush does not leave the static address alone"
	check_on $BRIDGE brconfig bridge0 flushall
	has_cached 0 || atf_fail "flushall left addresses"
	pings $ONE 10.0.0.2
	check_on $BRIDGE brconfig bridge0 maxaddr 1
	has_cached 1 || atf_fail "the lower limit left two stations"
	pings $ONE 10.0.0.2
	has_cached 1 || atf_fail "a full table has more than its limit"
	check_on $BRIDGE -s exit:1 -e match:"No space left on device" brconfig bridge0 static shmif1 02:00:00:00:00:09
	check_on $BRIDGE brconfig bridge0 maxaddr 2
	pings $ONE 10.0.0.2
	has_cached 2 || atf_fail "a higher limit has no effect"
	check_on $BRIDGE brconfig bridge0 delete shmif1
	check_on $BRIDGE -o match:"$mac1 shmif0" -o not-match:shmif1 brconfig bridge0 addr
}
table_cleanup()
{
	clean_up
}

atf_test_case ageing cleanup
ageing_head()
{
	atf_set descr "a timeout ages stations, and one that is heard again stays"
}
ageing_body()
{
	bridged serve
	acquaint
	check_on $BRIDGE brconfig bridge0 timeout 30
	pings $ONE 10.0.0.2
	check_on $BRIDGE -o match:"max cache: 100, timeout: 30\)" -o match:"$mac1 shmif0 [1-3]?[0-9] flags=0<>" brconfig bridge0
	check_on $BRIDGE brconfig bridge0 flush timeout 1
	pings $ONE 10.0.0.2
	wait_until aged
	check_on $BRIDGE brconfig bridge0 timeout 600
	pings $ONE 10.0.0.2
	aged && atf_fail "a station that was heard keeps its old age"
	check_on $BRIDGE brconfig bridge0 flush timeout 1
	pings $ONE 10.0.0.2
	wait_until aged
	# A new limit removes what is aged; nothing else does so soon.
	check_on $BRIDGE brconfig bridge0 maxaddr 50
	check_on $BRIDGE -o not-match:"$mac1" brconfig bridge0 addr
}
aged()
{
	on $BRIDGE brconfig bridge0 addr | grep -q "$mac1 shmif0 0 flags"
}
ageing_cleanup()
{
	clean_up
}

atf_test_case static cleanup
static_head()
{
	atf_set descr "a static entry decides, whatever is heard; members need not learn, nor be flooded"
}
static_body()
{
	bridged serve
	acquaint
	# Answers to the first host go where it is not.
	check_on $BRIDGE brconfig bridge0 static shmif1 "$mac1"
	silent $ONE 10.0.0.2
	check_on $BRIDGE -o match:"$mac1 shmif1 0 flags=1<STATIC>" brconfig bridge0 addr
	check_on $BRIDGE brconfig bridge0 deladdr "$mac1" -learn shmif0 -learn shmif1 flush
	check_on $BRIDGE -o match:"shmif0 flags=2<DISCOVER>" brconfig bridge0
	pings $ONE 10.0.0.2
	check_on $BRIDGE brconfig bridge0 addr
	# What is unknown does not go there, not even broadcasts.
	check_on $BRIDGE brconfig bridge0 -discover shmif1
	check_on $ONE rump.arp -d -a
	silent $ONE 10.0.0.2
	check_on $ONE rump.arp -s 10.0.0.2 "$mac2"
	check_on $BRIDGE brconfig bridge0 static shmif1 "$mac2"
	pings $ONE 10.0.0.2
}
static_cleanup()
{
	clean_up
}

atf_test_case members cleanup
members_head()
{
	atf_set descr "addresses of members and of the bridge itself answer from every side; members carry on when the bridge goes"
}
members_body()
{
	bridged serve
	set_sysctl $BRIDGE net.inet.ip.dad_count=0
	check_on $BRIDGE rump.ifconfig shmif0 10.0.0.11/24
	check_on $BRIDGE rump.ifconfig shmif1 10.0.0.12/24
	for to in 10.0.0.11 10.0.0.12 10.0.0.2; do
		pings $ONE $to
	done
	pings $TWO 10.0.0.11
	pings $TWO 10.0.0.12
	pings $BRIDGE 10.0.0.1
	pings $BRIDGE 10.0.0.2
	check_on $BRIDGE -o match:PROMISC rump.ifconfig shmif0
	check_on $BRIDGE rump.ifconfig bridge0 destroy
	check_on $BRIDGE -o not-match:PROMISC rump.ifconfig shmif0
	pings $ONE 10.0.0.11
	silent $ONE 10.0.0.12
	check_on $BRIDGE rump.ifconfig shmif0 10.0.0.11 -alias
	check_on $BRIDGE rump.ifconfig shmif1 10.0.0.12 -alias
	check_on $BRIDGE rump.ifconfig bridge0 create
	check_on $BRIDGE rump.ifconfig bridge0 10.0.0.20/24
	check_on $BRIDGE brconfig bridge0 add shmif0 add shmif1
	pings $ONE 10.0.0.20
	pings $TWO 10.0.0.20
	pings $BRIDGE 10.0.0.2
	check_on $BRIDGE rump.ifconfig shmif0 destroy
	check_on $BRIDGE -o not-match:shmif0 brconfig bridge0
	check_on $BRIDGE -s exit:1 -e match:"No such file or directory|Device not configured" brconfig bridge0 delete shmif0
}
members_cleanup()
{
	clean_up
}

# Two bridges, both on both buses; addresses of the first host on bus1 and the second on bus2.
looped()
{
	serve $ONE
	serve $TWO
	plug $ONE shmif0 bus1 10.0.0.1/24
	plug $TWO shmif0 bus2 10.0.0.2/24
	for bridge in unix://b1 unix://b2; do
		serve $bridge bridge
		plug $bridge shmif0 bus1
		plug $bridge shmif1 bus2
		check_on $bridge rump.ifconfig bridge0 create
		check_on $bridge brconfig bridge0 hellotime 1 fwddelay 4 maxage 6 add shmif0 add shmif1 stp shmif0 stp shmif1
	done
}

# ports STATE: how many ports of both bridges are in it.
ports()
{
	{ on unix://b1 brconfig bridge0; on unix://b2 brconfig bridge0; } | grep -c "port [0-9]* priority [0-9]* $1\$"
}

has_ports()
{
	[ "$(ports "$1")" -eq "$2" ]
}

atf_test_case loop cleanup
loop_head()
{
	atf_set descr "a spanning tree opens a loop, and closes it when the bridge that forwards goes"
}
loop_body()
{
	looped
	check_on unix://b1 brconfig bridge0 priority 4096 up
	check_on unix://b2 brconfig bridge0 up
	wait_until has_ports forwarding 3
	wait_until has_ports blocking 1
	check_on unix://b1 -o match:"priority 4096 hellotime 1 fwddelay 4 maxage 6" -o not-match:blocking brconfig bridge0
	pings $ONE 10.0.0.2
	# A broadcast passes once: one request, and no more of it than the copies that both bridges see.
	new_frames bus2 >/dev/null
	check_on $ONE -s exit:2 -o ignore rump.ping -n -q -c 1 -w 1 10.0.0.99
	requests=$(new_frames bus2 | grep -c "who-has 10.0.0.99")
	[ "$requests" -le 3 ] || atf_fail "$requests ARP requests went over the second bus"
	on unix://b1 rump.halt
	wait_until has_forwarding_alone
	wait_until on $ONE rump.ping -n -q -c 1 -w 1 10.0.0.2
}
has_forwarding_alone()
{
	[ "$(on unix://b2 brconfig bridge0 | grep -c "priority [0-9]* forwarding\$")" -eq 2 ]
}
loop_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	for name in forward table ageing static members loop; do
		atf_add_test_case $name
	done
}
