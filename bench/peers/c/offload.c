/*
 * Switches segmentation, receive and checksum offloads of one interface off, as `ethtool -K DEV tx off rx off sg off tso off
 * gso off gro off` does, for machines without ethtool.
 * usage: offload INTERFACE
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  static const struct {
    __u32 set;
    const char *name;
  } offloads[] = {{ETHTOOL_STSO, "tso"}, {ETHTOOL_SGSO, "gso"}, {ETHTOOL_SGRO, "gro"},
                  {ETHTOOL_SSG, "sg"},   {ETHTOOL_STXCSUM, "tx"}, {ETHTOOL_SRXCSUM, "rx"}};
  struct ifreq request;
  int fd = socket(AF_INET, SOCK_DGRAM, 0), failed = 0;
  if (argc != 2 || strlen(argv[1]) >= IFNAMSIZ) return fprintf(stderr, "usage: offload INTERFACE\n"), 2;
  for (unsigned i = 0; i < sizeof offloads / sizeof offloads[0]; i++) {
    struct ethtool_value value = {offloads[i].set, 0};
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, argv[1]);
    request.ifr_data = (void *)&value;
    if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) != 0) {
      fprintf(stderr, "%s: %s\n", offloads[i].name, strerror(errno));
      failed = 1;
    }
  }
  return failed;
}
