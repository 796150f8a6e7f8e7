/*
 * Datagrams from one process to another over a UNIX datagram socket.
 * usage: dgram BYTES MILLISECONDS
 * The sender blocks while the socket is full, as the host has it; the receiver touches each datagram and counts. Prints
 * {"perSecond":..,"bad":..}. Both sides copy: the sender fills each datagram anew.
 */
#include "clock.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t bytes = (size_t)atoi(argv[1]);
  uint64_t limit_ns = (uint64_t)atoi(argv[2]) * 1000000u;
  static unsigned char message[65536];
  int ends[2];
  if (bytes < 8 || bytes > sizeof message) return 2;
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) fail("socketpair");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    for (uint32_t number = 0;; number++) {
      memset(message, (int)(number & 0xff), bytes);
      memcpy(message, &number, 4);
      if (send(ends[0], message, bytes, 0) != (ssize_t)bytes) exit(1);
    }
  }
  uint64_t count = 0, bad = 0, sum = 0, begin = 0, end = 0;
  uint32_t expected = 0;
  for (;;) {
    if (recv(ends[1], message, sizeof message, 0) != (ssize_t)bytes) fail("recv");
    uint32_t number;
    memcpy(&number, message, 4);
    if (number != expected++) bad++;
    for (size_t i = 4; i < bytes; i += 64) sum += message[i];
    count++;
    if ((count & 63) != 0) continue;
    end = now_ns();
    if (begin == 0) begin = end, count = 0;
    if (end - begin > limit_ns) break;
  }
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
  printf("{\"perSecond\":%.0f,\"bad\":%llu,\"sum\":%llu}\n", (double)count * 1e9 / (double)(end - begin), (unsigned long long)bad,
         (unsigned long long)sum);
  return 0;
}
