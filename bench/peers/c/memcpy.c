/*
 * memcpy of one block size over a working set that stays in the second-level cache.
 * usage: memcpy BLOCK_BYTES WORKING_SET_BYTES MILLISECONDS
 * Prints {"bytesPerSecond":..,"nsPerCopy":..,"sum":..}; the sum is over the destination, so that the copies are used.
 */
#include "clock.h"
#include <string.h>

static void *(*volatile copy)(void *, const void *, size_t) = memcpy; /* a call that the compiler cannot remove */

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: memcpy BLOCK_BYTES WORKING_SET_BYTES MILLISECONDS\n"), 2;
  size_t block = strtoul(argv[1], 0, 10), set = strtoul(argv[2], 0, 10);
  uint64_t limit = strtoul(argv[3], 0, 10) * 1000000ull;
  if (block == 0 || set < block) return fprintf(stderr, "the working set is smaller than a block\n"), 2;
  unsigned char *from = aligned_alloc(4096, (set + 4095) / 4096 * 4096);
  unsigned char *to = aligned_alloc(4096, (set + 4095) / 4096 * 4096);
  if (!from || !to) return fprintf(stderr, "out of memory\n"), 1;
  for (size_t i = 0; i < set; i++) from[i] = (unsigned char)(i * 31 + 7);
  memset(to, 0, set);
  size_t stride = (block + 63) / 64 * 64;
  for (size_t at = 0; at + block <= set; at += stride) copy(to + at, from + at, block);
  uint64_t count = 0, start = now_ns(), stop;
  do {
    for (int pass = 0; pass < 16; pass++)
      for (size_t at = 0; at + block <= set; at += stride, count++) copy(to + at, from + at, block);
    stop = now_ns();
  } while (stop - start < limit);
  uint64_t sum = 0;
  for (size_t at = 0; at + block <= set; at += stride) {
    if (memcmp(from + at, to + at, block) != 0) return fprintf(stderr, "a block arrived damaged\n"), 1;
    sum += to[at];
  }
  double seconds = (double)(stop - start) / 1e9;
  printf("{\"bytesPerSecond\":%.0f,\"nsPerCopy\":%.2f,\"sum\":%llu}\n", (double)count * (double)block / seconds,
         seconds * 1e9 / (double)count, (unsigned long long)sum);
  return 0;
}
