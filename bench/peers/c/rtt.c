/*
 * Round-trip time of a few bytes between two threads.
 * usage: rtt spin|unix|udp|tcp block|busy BYTES ROUNDS MILLISECONDS
 * spin: an atomic word each way (block/busy is ignored). unix: a pair of UNIX datagram sockets. udp, tcp: loopback.
 * block: recv sleeps. busy: recv with MSG_DONTWAIT in a loop. Stops after ROUNDS or MILLISECONDS, whichever is first.
 * Prints {"p50Ns":..,"p99Ns":..,"rounds":..}. Each answer's first word is checked against the question's.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SPIN_BATCH 250 /* round trips per reading of the clock, so that the reading does not count */
#define LAST 0xffffffffu /* the question after which the other side stops */

static int near_end, far_end, busy, stream;
static size_t message_bytes;
static _Alignas(CACHE_LINE) _Atomic uint32_t ping;
static _Alignas(CACHE_LINE) _Atomic uint32_t pong;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void receive(int fd, unsigned char *to) {
  size_t got = 0;
  for (uint32_t turns = 0; got < message_bytes;) {
    ssize_t n = recv(fd, to + got, message_bytes - got, busy ? MSG_DONTWAIT : 0);
    if (n > 0) {
      got += stream ? (size_t)n : message_bytes;
      continue;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) fail("recv");
    if (!busy || (++turns & 0xff) == 0) check_time_limit();
  }
}

static void transmit(int fd, const unsigned char *from) {
  if (send(fd, from, message_bytes, 0) != (ssize_t)message_bytes) fail("send");
}

static void *echo_messages(void *unused) {
  (void)unused;
  unsigned char message[65536];
  for (uint32_t word = 0; word != LAST;) {
    receive(far_end, message);
    memcpy(&word, message, 4);
    transmit(far_end, message);
  }
  return 0;
}

static void wait_for(_Atomic uint32_t *word, uint32_t value) {
  for (uint32_t turns = 0; atomic_load_explicit(word, memory_order_acquire) != value;) {
    if ((++turns & 0xffff) == 0) check_time_limit();
    CPU_RELAX();
  }
}

static void *echo_words(void *unused) {
  (void)unused;
  for (uint32_t last = 0, turns = 0; last != LAST;) {
    uint32_t word = atomic_load_explicit(&ping, memory_order_acquire);
    if (word == last) {
      if ((++turns & 0xffff) == 0) check_time_limit();
      CPU_RELAX();
      continue;
    }
    atomic_store_explicit(&pong, word, memory_order_release);
    last = word;
  }
  return 0;
}

static int bound(int type, struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  int fd = socket(AF_INET, type, 0);
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) != 0) fail("bind");
  if (getsockname(fd, (struct sockaddr *)address, &length) != 0) fail("getsockname");
  return fd;
}

static void open_sockets(const char *kind) {
  struct sockaddr_in a, b;
  int on = 1;
  if (strcmp(kind, "unix") == 0) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) fail("socketpair");
    near_end = pair[0], far_end = pair[1];
  } else if (strcmp(kind, "udp") == 0) {
    near_end = bound(SOCK_DGRAM, &a), far_end = bound(SOCK_DGRAM, &b);
    if (connect(near_end, (struct sockaddr *)&b, sizeof b) != 0 || connect(far_end, (struct sockaddr *)&a, sizeof a) != 0)
      fail("connect");
  } else {
    int listener = bound(SOCK_STREAM, &a);
    stream = 1;
    near_end = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(listener, 1) != 0 || connect(near_end, (struct sockaddr *)&a, sizeof a) != 0) fail("connect");
    if ((far_end = accept(listener, 0, 0)) < 0) fail("accept");
    setsockopt(near_end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(far_end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
  }
  struct timeval second = {1, 0}; /* so that a blocking recv comes back to look at the time limit */
  setsockopt(near_end, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  setsockopt(far_end, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
}

static int spin_rounds(uint32_t *times, int rounds, uint64_t until) {
  int count = 0;
  uint32_t word = 0;
  for (int i = 0; i < 20; i++) { /* warm-up */
    atomic_store_explicit(&ping, ++word, memory_order_release);
    wait_for(&pong, word);
  }
  while (count * SPIN_BATCH < rounds && (count == 0 || now_ns() < until)) {
    uint64_t start = now_ns();
    for (int i = 0; i < SPIN_BATCH; i++) {
      atomic_store_explicit(&ping, ++word, memory_order_release);
      wait_for(&pong, word);
    }
    times[count++] = (uint32_t)((now_ns() - start) * 10 / SPIN_BATCH); /* tenths */
  }
  atomic_store_explicit(&ping, LAST, memory_order_release);
  return count;
}

static int message_rounds(uint32_t *times, int rounds, uint64_t until) {
  unsigned char question[65536], answer[65536];
  int count = 0;
  memset(question, 0x5a, sizeof question);
  for (uint32_t i = 0; i < (uint32_t)rounds + 50; i++) {
    uint64_t start = now_ns();
    memcpy(question, &i, 4);
    transmit(near_end, question);
    receive(near_end, answer);
    if (memcmp(question, answer, message_bytes) != 0) {
      fprintf(stderr, "an answer arrived damaged\n");
      exit(1);
    }
    uint64_t end = now_ns();
    if (i >= 50) times[count++] = (uint32_t)((end - start) * 10 > UINT32_MAX ? UINT32_MAX : (end - start) * 10);
    if (i > 100 && end > until) break;
  }
  uint32_t last = LAST;
  memcpy(question, &last, 4);
  transmit(near_end, question);
  receive(near_end, answer);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: rtt spin|unix|udp|tcp block|busy BYTES ROUNDS MILLISECONDS\n"), 2;
  int spin = strcmp(argv[1], "spin") == 0, rounds = atoi(argv[4]);
  busy = strcmp(argv[2], "busy") == 0;
  message_bytes = strtoul(argv[3], 0, 10);
  if (rounds < 1 || message_bytes < 4 || message_bytes > 65000) return fprintf(stderr, "4 to 65000 bytes, 1 round\n"), 2;
  uint64_t until = now_ns() + strtoul(argv[5], 0, 10) * 1000000ull;
  uint32_t *times = malloc(sizeof *times * ((size_t)rounds + 1));
  pthread_t other;
  if (!times) return fprintf(stderr, "out of memory\n"), 1;
  give_up_ns = until + 20000000000ull;
  if (!spin) open_sockets(argv[1]);
  if (pthread_create(&other, 0, spin ? echo_words : echo_messages, 0) != 0) return fprintf(stderr, "no thread\n"), 1;
  int count = spin ? spin_rounds(times, rounds, until) : message_rounds(times, rounds, until);
  pthread_join(other, 0);
  qsort(times, (size_t)count, sizeof *times, compare_u32);
  printf("{\"p50Ns\":%.1f,\"p99Ns\":%.1f,\"rounds\":%d}\n", percentile(times, count, 50) / 10.0,
         percentile(times, count, 99) / 10.0, spin ? count * SPIN_BATCH : count);
  return 0;
}
