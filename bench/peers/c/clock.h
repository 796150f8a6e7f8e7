/* What the C peers share: a monotonic clock, a time limit for spin loops, and the 99th percentile. */
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CACHE_LINE 128 /* two lines: the adjacent-line prefetcher pairs them */

#if defined(__x86_64__) || defined(__i386__)
#define CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define CPU_RELAX() __asm__ volatile("yield")
#else
#define CPU_RELAX() ((void)0)
#endif

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t give_up_ns; /* set once before the threads start */

/* Called now and then by every loop that waits for the other thread: a descheduled peer must not hang the run. */
static inline void check_time_limit(void) {
  if (now_ns() > give_up_ns) {
    fprintf(stderr, "time limit: the other side made no progress\n");
    exit(3);
  }
}

static inline int compare_u32(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static inline uint32_t percentile(uint32_t *sorted, int count, int percent) {
  return sorted[(int)((long)(count - 1) * percent / 100)];
}
#endif
