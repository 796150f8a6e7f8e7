#!/usr/bin/env atf-sh
# bridge(4) between servers on two buses.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two
BRIDGE=unix://bridge

# Two hosts on a bus each, 10.0.0.1 and 10.0.0.2, and a bridge between the buses, with both members.
bridged()
{
	serve6 $ONE
	serve6 $TWO
	serve6 $BRIDGE bridge
	without_dad $ONE
	without_dad $TWO
	plug $ONE shmif0 bus1 10.0.0.1/24 fd00::1/64
	plug $TWO shmif0 bus2 10.0.0.2/24 fd00::2/64
	plug $BRIDGE shmif0 bus1
	plug $BRIDGE shmif1 bus2
	check_on $BRIDGE rump.ifconfig bridge0 create
	check_on $BRIDGE rump.ifconfig bridge0 up
	check_on $BRIDGE brconfig bridge0 add shmif0 add shmif1
}

atf_test_case families cleanup
families_head()
{
	atf_set descr "IPv4 and IPv6 pass a bridge, as long as it has both members"
}
families_body()
{
	bridged
	pings $ONE 10.0.0.2
	pings6 $TWO fd00::1
	check_on $BRIDGE brconfig bridge0 delete shmif1
	silent $ONE 10.0.0.2
	silent6 $TWO fd00::1
	check_on $BRIDGE brconfig bridge0 add shmif1
	pings $ONE 10.0.0.2
	check_on $BRIDGE rump.ifconfig bridge0 down
	silent $ONE 10.0.0.2
}
families_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case families
}
