#!/usr/bin/env atf-sh
# tun(4): point-to-point interfaces whose other end is a program.

. "$(atf_get_srcdir)/common.sh"

ONE=unix://one
TWO=unix://two

atf_test_case life cleanup
life_head()
{
	atf_set descr "a tun is created, has two ends and the route to the other, goes up and down, and is destroyed"
}
life_body()
{
	serve6 $ONE tun
	check_on $ONE rump.ifconfig tun0 create
	check_on $ONE -o match:"^tun0: flags=0x[0-9a-f]+<POINTOPOINT,.*> mtu 1500\$" -o not-match:address: rump.ifconfig tun0
	check_on $ONE rump.ifconfig tun0 10.0.0.1 10.0.0.2
	check_on $ONE -o match:"^tun0: flags=0x[0-9a-f]+<UP,POINTOPOINT," -o match:"inet 10.0.0.1/32 -> 10.0.0.2 flags 0x0\$" rump.ifconfig tun0
	check_on $ONE -o match:"^10.0.0.2 +[^ ]+ +UH .* tun0\$" rump.netstat -rn -f inet
	check_on $ONE rump.ifconfig tun0 inet6 fc00::1/128 fc00::2
	settled $ONE
	check_on $ONE -o match:"inet6 fc00::1/128 -> fc00::2 flags 0x0" rump.ifconfig tun0 inet6
	pings $ONE 10.0.0.1
	# Nobody has the other end.
	check_on $ONE -s exit:2 -o match:"100.0% packet loss" -e match:"Host is down" rump.ping -n -c 1 -w 1 10.0.0.2
	check_on $ONE rump.ifconfig tun0 down
	check_on $ONE -o not-match:"<UP" rump.ifconfig tun0
	check_on $ONE rump.ifconfig tun0 destroy
	check_on $ONE -o inline:"lo0\n" rump.ifconfig -l
	check_on $ONE -o not-match:tun0 rump.netstat -rn
}
life_cleanup()
{
	clean_up
}

atf_test_case borrowed cleanup
borrowed_head()
{
	atf_set descr "a tun has the address of another interface"
}
borrowed_body()
{
	serve6 $ONE tun
	without_dad $ONE
	plug $ONE shmif0 bus1 10.0.0.1/24
	check_on $ONE rump.ifconfig tun0 create
	check_on $ONE rump.ifconfig tun0 10.0.0.1 10.0.0.2 up
	check_on $ONE -o match:"^	inet 10.0.0.1/32 -> 10.0.0.2 flags" rump.ifconfig tun0
	check_on $ONE -o match:"^10.0.0.2 +10.0.0.1 +UH .* tun0\$" rump.netstat -rn -f inet
	check_on $ONE rump.ifconfig tun0 destroy
	pings $ONE 10.0.0.1
}
borrowed_cleanup()
{
	clean_up
}

atf_test_case joined cleanup
joined_head()
{
	atf_set descr "a program that reads and writes the tuns of two servers is the line between them, for both families and a network behind"
}
joined_body()
{
	serve6 $ONE tun
	serve6 $TWO tun
	without_dad $ONE
	without_dad $TWO
	check_on $ONE rump.ifconfig tun0 create 10.0.0.1 10.0.0.2
	check_on $TWO rump.ifconfig tun0 create 10.0.0.2 10.0.0.1
	check_on $ONE rump.ifconfig tun0 inet6 fc00::1/128 fc00::2
	check_on $TWO rump.ifconfig tun0 inet6 fc00::2/128 fc00::1
	daemon /dev/null joined node "$(atf_get_srcdir)/join-devices.js" $ONE tun0 $TWO tun0
	wait_until grep -q joined joined
	pings $ONE 10.0.0.2
	pings6 $TWO fc00::1
	plug $TWO shmif0 bus1 10.0.1.1/24
	check_on $ONE rump.route -q add -net 10.0.1.0/24 10.0.0.2
	check_on $ONE -o match:"^ +interface: tun0\$" rump.route -n get 10.0.1.1
	pings $ONE 10.0.1.1
}
joined_cleanup()
{
	clean_up
}

atf_init_test_cases()
{
	atf_add_test_case life
	atf_add_test_case borrowed
	atf_add_test_case joined
}
