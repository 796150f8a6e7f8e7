/*
 * Datagrams over UDP between two processes, which may be in different network namespaces.
 * usage: udp receive ADDRESS PORT BYTES MILLISECONDS
 *        udp send ADDRESS PORT BYTES MILLISECONDS
 * The receiver prints "ready" when it is bound, then {"perSecond":..,"lost":..,"bad":..}; the sender sends for that long, as fast as the
 * host takes datagrams. Both sides copy: the sender fills each datagram anew, the receiver touches each line.
 */
#include "clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 10 /* a receiver that hears nothing for so long gives up */

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static unsigned char message[65536];

static void send_for(int fd, size_t bytes, uint64_t limit_ns) {
  uint64_t until = now_ns() + limit_ns;
  for (uint32_t number = 0; (number & 63) != 0 || now_ns() < until; number++) {
    memset(message, (int)(number & 0xff), bytes);
    memcpy(message, &number, 4);
    if (send(fd, message, bytes, 0) < 0 && errno != ENOBUFS && errno != ECONNREFUSED) fail("send");
  }
}

static void receive_for(int fd, size_t bytes, uint64_t limit_ns) {
  uint64_t count = 0, lost = 0, bad = 0, sum = 0, begin = 0, end = 0;
  uint32_t expected = 0;
  for (;;) {
    if (recv(fd, message, sizeof message, 0) != (ssize_t)bytes) fail("recv");
    uint32_t number;
    memcpy(&number, message, 4);
    if (number < expected) bad++;
    if (begin != 0) lost += number - expected;
    expected = number + 1;
    for (size_t i = 4; i < bytes; i += 64) sum += message[i];
    count++;
    if ((count & 63) != 0) continue;
    end = now_ns();
    if (begin == 0) begin = end, count = 0;
    if (end - begin > limit_ns) break;
  }
  printf("{\"perSecond\":%.0f,\"lost\":%llu,\"bad\":%llu,\"sum\":%llu}\n", (double)count * 1e9 / (double)(end - begin),
         (unsigned long long)lost, (unsigned long long)bad, (unsigned long long)sum);
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int receives = strcmp(argv[1], "receive") == 0;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  size_t bytes = (size_t)atoi(argv[4]);
  uint64_t limit_ns = (uint64_t)atoi(argv[5]) * 1000000u;
  if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1 || bytes < 8 || bytes > sizeof message) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  if (!receives) {
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    send_for(fd, bytes, limit_ns);
    return 0;
  }
  int room = 4 << 20;
  struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  printf("ready\n");
  fflush(stdout);
  receive_for(fd, bytes, limit_ns);
  return 0;
}
