#!/usr/bin/env atf-sh
# ifconfig: life of an interface, what it shows, what it sets, and its refusals.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
OTHER=unix://other

# shown URL [OPTION ...] WORDS: what ifconfig prints, by options of atf_check.
shown()
{
	_server=$1
	shift
	check_on "$_server" "$@"
}

atf_test_case life cleanup
life_head()
{
	atf_set descr "interfaces are created, connected, and destroyed; refusals have NetBSD's words"
}
life_body()
{
	serve6 $ONE
	shown $ONE -o match:"(^| )lo( |$)" -o match:"(^| )shmif( |$)" rump.ifconfig -C
	check_on $ONE rump.ifconfig shmif0 create
	shown $ONE -o inline:"lo0 shmif0\n" rump.ifconfig -l
	shown $ONE -s exit:1 -e match:"^ifconfig: clone_command: File exists" rump.ifconfig shmif0 create
	check_on $ONE rump.ifconfig shmif0 linkstr bus1
	check_on $ONE rump.ifconfig shmif0 up
	shown $ONE -o match:"^shmif0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500" \
	    -o match:"^	linkstr: bus1" rump.ifconfig shmif0
	shown $ONE -s exit:1 -e match:"SIOCSLINKSTR: Device busy" rump.ifconfig shmif0 linkstr bus2
	check_on $ONE rump.ifconfig shmif0 down
	shown $ONE -o match:"^shmif0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST>" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 -linkstr
	check_on $ONE rump.ifconfig shmif0 destroy
	shown $ONE -o inline:"lo0\n" rump.ifconfig -l
	shown $ONE -s exit:1 -e inline:"ifconfig: SIOCGIFFLAGS shmif0: Device not configured\n" rump.ifconfig shmif0
	shown $ONE -s exit:1 -e match:"^ifconfig: .*Device not configured" rump.ifconfig shmif0 up
	shown $ONE -s exit:1 -e match:"^usage: rump.ifconfig " rump.ifconfig lo0 frobnicate
}
life_cleanup()
{
	clean_up
}

atf_test_case options cleanup
options_head()
{
	atf_set descr "options choose interfaces, and what is shown of them"
}
options_body()
{
	serve6 $ONE
	serve6 $OTHER
	without_dad $ONE
	without_dad $OTHER
	plug $ONE shmif0 bus1 10.0.0.1/24 fc00::1/64
	plug $OTHER shmif0 bus1 10.0.0.2/24
	check_on $ONE rump.ifconfig shmif1 create
	shown $ONE -o inline:"shmif0 shmif1\n" rump.ifconfig -l -b
	shown $ONE -o inline:"lo0 shmif0\n" rump.ifconfig -l -u
	shown $ONE -o inline:"shmif1\n" rump.ifconfig -l -d
	shown $ONE -o match:"^shmif0:" -o not-match:"^shmif1:" -o not-match:"^lo0:" rump.ifconfig -a -b -u
	shown $ONE -o match:"^shmif0:" -o match:"^lo0:" -o not-match:"^shmif1:" rump.ifconfig -a -s
	check_on $ONE rump.ifconfig -s shmif0
	shown $ONE -s exit:1 rump.ifconfig -s shmif1
	shown $ONE -o match:"^	inet localhost/8 flags 0x0" rump.ifconfig -N lo0 inet
	shown $ONE -o match:"^	inet6 fc00::1/64 flags 0x0\$" -o not-match:ltime rump.ifconfig -L shmif0
	shown $ONE -o match:"^	media: Ethernet autoselect" -o match:"^		media none" rump.ifconfig -m shmif0
	check_on $ONE -o ignore rump.ifconfig -z shmif0
	shown $ONE -o match:"^	linkstate: up" -o match:"input: 0 packets, 0 bytes" -o match:"output: 0 packets, 0 bytes" \
	    rump.ifconfig -v shmif0
	settled $ONE
	settled $OTHER
	pings $ONE 10.0.0.2
	shown $ONE -o match:"input: [1-9][0-9]* packets?, " -o match:"output: [1-9][0-9]* packets?, " \
	    rump.ifconfig -h -v shmif0
	shown $ONE -o match:"input: [1-9]" rump.ifconfig -z shmif0
	shown $ONE -o match:"input: 0 packets, 0 bytes" rump.ifconfig -v shmif0
	check_on $ONE rump.ifconfig shmif0 media none
	shown $ONE -o match:"^	media: Ethernet none" -o match:"linkstate: down" rump.ifconfig -v shmif0
}
options_cleanup()
{
	clean_up
}

atf_test_case parameters cleanup
parameters_head()
{
	atf_set descr "masks, lengths, broadcast addresses, other addresses, metrics, sizes, flags and lifetimes"
}
parameters_body()
{
	serve6 $ONE
	without_dad $ONE
	plug $ONE shmif0 bus1 192.168.0.1
	shown $ONE -o match:"inet 192.168.0.1/24 broadcast 192.168.0.255 flags " rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 192.168.0.1 netmask 255.255.255.128
	shown $ONE -o match:"inet 192.168.0.1/25 broadcast 192.168.0.127" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 192.168.0.1 netmask 0xffff0000 broadcast 255.255.255.255
	shown $ONE -o match:"inet 192.168.0.1/16 broadcast 255.255.255.255" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 inet 192.168.1.1/24 alias
	shown $ONE -o match:"inet 192.168.0.1/16" -o match:"inet 192.168.1.1/24" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 inet 192.168.0.1 -alias
	check_on $ONE rump.ifconfig shmif0 192.168.1.1 delete
	shown $ONE -o not-match:"inet 192" rump.ifconfig shmif0
	shown $ONE -s exit:1 -e match:"SIOCDIFADDR: Can't assign requested address" rump.ifconfig shmif0 192.168.1.1 delete

	check_on $ONE rump.ifconfig shmif0 metric 10 mtu 1400
	shown $ONE -o match:" metric 10 mtu 1400$" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 -arp debug link0
	shown $ONE -o match:"<UP,BROADCAST,DEBUG,RUNNING,NOARP,SIMPLEX,LINK0,MULTICAST>" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 arp -debug -link0 metric 0
	shown $ONE -o match:"<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1400$" rump.ifconfig shmif0

	check_on $ONE rump.ifconfig shmif0 inet6 fc00::1 prefixlen 70
	shown $ONE -o match:"inet6 fc00::1/70 flags 0x0" rump.ifconfig shmif0 inet6
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::2/64 anycast
	shown $ONE -o match:"inet6 fc00::2/64 flags 0x1<ANYCAST>" rump.ifconfig shmif0 inet6
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::3/64 deprecated
	shown $ONE -o match:"inet6 fc00::3/64 flags 0x10<DEPRECATED>" rump.ifconfig shmif0 inet6
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::3/64 -deprecated
	shown $ONE -o match:"inet6 fc00::3/64 flags 0x0" rump.ifconfig shmif0 inet6
	check_on $ONE -s exit:1 -e match:"SIOCAIFADDR_IN6: Invalid argument" rump.ifconfig shmif0 inet6 fc00::4/64 vltime 7200
	check_on $ONE rump.ifconfig shmif0 inet6 fc00::4/64 pltime 3600 vltime 7200
	shown $ONE -o match:"inet6 fc00::4/64 flags 0x0 pltime 3[56][0-9][0-9] vltime 7[12][0-9][0-9]" rump.ifconfig -L shmif0
	check_on $ONE rump.ifconfig shmif0 inet6 fc00:1:: eui64
	_id=$(link_local_of $ONE shmif0 | sed 's/^fe80:*//')
	shown $ONE -o match:"inet6 fc00:1:.*$_id/64 flags 0x0" rump.ifconfig shmif0 inet6
}
parameters_cleanup()
{
	clean_up
}

atf_test_case link_addresses cleanup
link_addresses_head()
{
	atf_set descr "an interface has several link-layer addresses, and neighbors learn the one that is made active"
}
link_addresses_body()
{
	serve $ONE
	serve $OTHER
	plug $ONE shmif0 bus1 10.0.0.1/24
	plug $OTHER shmif0 bus1 10.0.0.2/24
	settled $ONE
	settled $OTHER
	_before=$(mac_of $ONE shmif0)
	check_on $ONE rump.ifconfig shmif0 link b2:a0:75:00:00:02
	shown $ONE -o match:"^	address: $_before" -o match:"^	link b2:a0:75:00:00:02" rump.ifconfig shmif0
	check_on $ONE rump.ifconfig shmif0 link b2:a0:75:00:00:02 active
	shown $ONE -o match:"^	address: b2:a0:75:00:00:02" -o match:"^	link $_before" rump.ifconfig shmif0
	pings $OTHER 10.0.0.1
	check_on $OTHER -o match:"at b2:a0:75:00:00:02 on shmif0" rump.arp -n 10.0.0.1
	shown $ONE -s exit:1 -e inline:"ifconfig: SIOCDLIFADDR: Device busy\n" \
	    rump.ifconfig shmif0 link b2:a0:75:00:00:02 delete
	check_on $ONE rump.ifconfig shmif0 link "$_before" delete
	shown $ONE -o not-match:"$_before" rump.ifconfig shmif0
}
link_addresses_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case life
	atf_add_test_case options
	atf_add_test_case parameters
	atf_add_test_case link_addresses
}
