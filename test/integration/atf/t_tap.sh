#!/usr/bin/env atf-sh
# tap(4): Ethernet interfaces whose other end is a program; alone, on a bridge, and joined by a program.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two

atf_test_case life cleanup
life_head()
{
	atf_set descr "a tap is created, gets an address of its own and others, goes up and down, and is destroyed"
}
life_body()
{
	serve6 $ONE tap
	without_dad $ONE
	check_on $ONE -o match:"(^| )tap( |$)" rump.ifconfig -C
	check_on $ONE rump.ifconfig tap0 create
	check_on $ONE -o match:"^tap0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\$" \
	    -o match:"address: f2:0b:a4:[0-9a-f:]*\$" rump.ifconfig tap0
	check_on $ONE rump.ifconfig tap0 10.0.0.1/24
	check_on $ONE rump.ifconfig tap0 inet6 fc00::1/64
	check_on $ONE -o match:"^tap0: flags=0x8843<UP,BROADCAST,RUNNING," -o match:"inet 10.0.0.1/24 broadcast 10.0.0.255 flags 0x0\$" \
	    -o match:"inet6 fc00::1/64 flags 0x0\$" -o match:"inet6 fe80::[0-9a-f:]*%tap0/64" rump.ifconfig tap0
	check_on $ONE -o match:"^10.0.0/24 +link#[0-9]+ +UC .* tap0\$" rump.netstat -rn -f inet
	pings $ONE 10.0.0.1
	check_on $ONE rump.ifconfig tap0 down
	check_on $ONE -o match:"^tap0: flags=0x8802<" -o match:"inet 10.0.0.1/24 .*<DETACHED>" rump.ifconfig tap0
	check_on $ONE rump.ifconfig tap0 destroy
	check_on $ONE -o inline:"lo0\n" rump.ifconfig -l
	check_on $ONE -o not-match:tap0 rump.netstat -rn
	check_on $ONE -s exit:1 -e match:"Device not configured" rump.ifconfig tap0 destroy
}
life_cleanup()
{
	clean_up
}

atf_test_case alone cleanup
alone_head()
{
	atf_set descr "the address of a tap is reached through another interface of its server"
}
alone_body()
{
	serve $ONE tap
	serve $TWO
	plug $ONE shmif0 bus1 10.0.0.1/24
	plug $TWO shmif0 bus1 10.0.0.2/24
	check_on $ONE rump.ifconfig tap0 create 10.0.1.1/24
	check_on $TWO rump.route -q add -net 10.0.1.0/24 10.0.0.1
	pings $TWO 10.0.1.1
}
alone_cleanup()
{
	clean_up
}

atf_test_case bridged cleanup
bridged_head()
{
	atf_set descr "a bridge joins a tap and a shmif: the address of the tap is reached on the bus"
}
bridged_body()
{
	serve $ONE tap bridge
	serve $TWO
	plug $ONE shmif0 bus1
	check_on $ONE rump.ifconfig tap0 create 10.0.0.1/24
	check_on $ONE rump.ifconfig bridge0 create up
	check_on $ONE brconfig bridge0 add shmif0 add tap0
	check_on $ONE -o match:"^[[:space:]]+tap0 flags=3<LEARNING,DISCOVER>\$" brconfig bridge0
	plug $TWO shmif0 bus1 10.0.0.2/24
	pings $TWO 10.0.0.1
	pings $ONE 10.0.0.2
	check_on $TWO -o match:"at $(mac_of $ONE tap0) on shmif0" rump.arp -n 10.0.0.1
	check_on $ONE -o match:"$(mac_of $TWO shmif0) shmif0 " brconfig bridge0 addr
	check_on $ONE brconfig bridge0 delete tap0
	check_on $TWO rump.arp -d 10.0.0.1
	silent $TWO 10.0.0.1
}
bridged_cleanup()
{
	clean_up
}

atf_test_case joined cleanup
joined_head()
{
	atf_set descr "a program that reads and writes the taps of two servers is the cable between them"
}
joined_body()
{
	serve $ONE tap
	serve $TWO tap
	check_on $ONE rump.ifconfig tap0 create 10.0.0.1/24
	check_on $TWO rump.ifconfig tap0 create 10.0.0.2/24
	daemon /dev/null joined node "$(atf_get_srcdir)/join-devices.js" $ONE tap0 $TWO tap0
	wait_until grep -q joined joined
	pings $ONE 10.0.0.2
	check_on $ONE -o match:"at $(mac_of $TWO tap0) on tap0" rump.arp -n 10.0.0.2
}
joined_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case life
	atf_add_test_case alone
	atf_add_test_case bridged
	atf_add_test_case joined
}
