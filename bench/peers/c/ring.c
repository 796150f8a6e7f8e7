/*
 * Single-producer, single-consumer slot ring between two threads, both spinning: copy in, copy out.
 * usage: ring FRAME_BYTES SLOT_BYTES SLOTS BATCH MILLISECONDS
 * A slot is an 8-byte header (length, sequence) and the frame. Head and tail have lines of their own; each side keeps its
 * cursor and the last value seen of the other's, and publishes once per batch. The consumer checks length, sequence and
 * the first and last word of every frame it copied out.
 * Prints {"frames":..,"seconds":..,"damaged":0,"rttBeforeNs":..,"rttAfterNs":..}: the round trips are a spin ping-pong of
 * these two threads just before and just after, null when they did not run side by side long enough to tell.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SOURCES 64 /* frames that the producer sends in turn, and buffers that the consumer copies to in turn */
#define RTT_BATCH 250 /* round trips per reading of the clock */
#define RTT_BATCHES 20 /* the median batch counts: at first both threads may share a CPU */
#define RTT_LIMIT_NS 100000000u /* threads that share a CPU would take minutes */
#define STOP 0xffffffffu

static size_t frame_bytes, slot_bytes, slots, batch;
static uint64_t run_ns;
static unsigned char *ring, *sources, *sinks;
static size_t buffer_bytes;
static _Alignas(CACHE_LINE) _Atomic uint64_t head;
static _Alignas(CACHE_LINE) _Atomic uint64_t tail;
static _Alignas(CACHE_LINE) _Atomic uint64_t finished; /* frames sent in all, plus one; 0 while sending */
static _Alignas(CACHE_LINE) _Atomic uint32_t ping;
static _Alignas(CACHE_LINE) _Atomic uint32_t pong;
static _Alignas(CACHE_LINE) _Atomic uint32_t met;
static _Alignas(CACHE_LINE) uint64_t started_ns;
static uint64_t received, damaged, stopped_ns;

static void meet(uint32_t both) {
  atomic_fetch_add(&met, 1);
  for (uint32_t turns = 0; atomic_load_explicit(&met, memory_order_acquire) < both;) {
    if ((++turns & 0xffff) == 0) check_time_limit();
    CPU_RELAX();
  }
}

static int ask(uint32_t word, uint64_t until) {
  atomic_store_explicit(&ping, word, memory_order_release);
  for (uint32_t turns = 0; atomic_load_explicit(&pong, memory_order_acquire) != word;) {
    if ((++turns & 0xfff) == 0 && now_ns() > until) return 0;
    CPU_RELAX();
  }
  return 1;
}

/* Tenths of a nanosecond, or 0 when no batch was finished in time. `both`: what the count of meetings is afterwards. */
static uint32_t ping_side(uint32_t both) {
  uint32_t tenths[RTT_BATCHES], word = 0;
  int count = 0;
  uint64_t until = now_ns() + RTT_LIMIT_NS;
  atomic_store_explicit(&ping, 0, memory_order_release);
  meet(both - 2);
  for (int turn = 0; turn < RTT_BATCHES && now_ns() < until; turn++) {
    uint64_t start = now_ns();
    int round = 0;
    while (round < RTT_BATCH && ask(++word, until)) round++;
    if (round == RTT_BATCH) tenths[count++] = (uint32_t)((now_ns() - start) * 10 / RTT_BATCH);
  }
  atomic_store_explicit(&ping, STOP, memory_order_release);
  meet(both);
  if (count == 0) return 0;
  qsort(tenths, (size_t)count, sizeof *tenths, compare_u32);
  return percentile(tenths, count, 50);
}

static void pong_side(uint32_t both) {
  meet(both - 2);
  for (uint32_t last = 0, turns = 0; last != STOP;) {
    uint32_t word = atomic_load_explicit(&ping, memory_order_acquire);
    if (word != last) {
      atomic_store_explicit(&pong, word, memory_order_release);
      last = word;
    } else if ((++turns & 0xffff) == 0) {
      check_time_limit();
    }
    CPU_RELAX();
  }
  meet(both);
}

static const char *shown(uint32_t tenths, char *text, size_t size) {
  if (tenths == 0) return "null";
  snprintf(text, size, "%.1f", tenths / 10.0);
  return text;
}

static void produce(void) {
  uint64_t at = 0, seen_tail = 0;
  started_ns = now_ns();
  uint64_t until = started_ns + run_ns;
  for (uint32_t turns = 0; now_ns() < until;) {
    size_t room = slots - (size_t)(at - seen_tail);
    if (room < batch) {
      seen_tail = atomic_load_explicit(&tail, memory_order_acquire);
      room = slots - (size_t)(at - seen_tail);
      if (room == 0) {
        if ((++turns & 0xffff) == 0) check_time_limit();
        CPU_RELAX();
        continue;
      }
    }
    size_t count = room < batch ? room : batch;
    for (size_t i = 0; i < count; i++, at++) {
      unsigned char *slot = ring + (at % slots) * slot_bytes;
      uint32_t header[2] = {(uint32_t)frame_bytes, (uint32_t)at};
      memcpy(slot, header, 8);
      memcpy(slot + 8, sources + (at % SOURCES) * buffer_bytes, frame_bytes);
    }
    atomic_store_explicit(&head, at, memory_order_release);
  }
  atomic_store_explicit(&finished, at + 1, memory_order_release);
}

static void *consume(void *unused) {
  (void)unused;
  uint64_t at = 0, seen_head = 0;
  pong_side(4);
  for (uint32_t turns = 0;;) {
    if (at == seen_head) {
      seen_head = atomic_load_explicit(&head, memory_order_acquire);
      if (at == seen_head) {
        if (atomic_load_explicit(&finished, memory_order_acquire) == at + 1) break;
        if ((++turns & 0xffff) == 0) check_time_limit();
        CPU_RELAX();
        continue;
      }
    }
    size_t count = (size_t)(seen_head - at) < batch ? (size_t)(seen_head - at) : batch;
    for (size_t i = 0; i < count; i++, at++) {
      unsigned char *slot = ring + (at % slots) * slot_bytes;
      unsigned char *sink = sinks + (at % SOURCES) * buffer_bytes;
      unsigned char *source = sources + (at % SOURCES) * buffer_bytes;
      uint32_t header[2];
      memcpy(header, slot, 8);
      memcpy(sink, slot + 8, frame_bytes);
      if (header[0] != frame_bytes || header[1] != (uint32_t)at || memcmp(sink, source, 8) != 0 ||
          memcmp(sink + frame_bytes - 8, source + frame_bytes - 8, 8) != 0)
        damaged++;
    }
    atomic_store_explicit(&tail, at, memory_order_release);
  }
  stopped_ns = now_ns();
  received = at;
  pong_side(8);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: ring FRAME_BYTES SLOT_BYTES SLOTS BATCH MILLISECONDS\n"), 2;
  frame_bytes = strtoul(argv[1], 0, 10);
  slot_bytes = strtoul(argv[2], 0, 10);
  slots = strtoul(argv[3], 0, 10);
  batch = strtoul(argv[4], 0, 10);
  run_ns = strtoul(argv[5], 0, 10) * 1000000ull;
  if (frame_bytes < 16 || slot_bytes < frame_bytes + 8 || slots == 0 || batch == 0 || batch > slots)
    return fprintf(stderr, "a slot holds an 8-byte header and the frame; a batch fits in the ring\n"), 2;
  buffer_bytes = (frame_bytes + 63) / 64 * 64;
  ring = aligned_alloc(4096, (slots * slot_bytes + 4095) / 4096 * 4096);
  sources = aligned_alloc(4096, (SOURCES * buffer_bytes + 4095) / 4096 * 4096);
  sinks = aligned_alloc(4096, (SOURCES * buffer_bytes + 4095) / 4096 * 4096);
  if (!ring || !sources || !sinks) return fprintf(stderr, "out of memory\n"), 1;
  memset(ring, 0, slots * slot_bytes);
  memset(sinks, 0, SOURCES * buffer_bytes);
  for (size_t i = 0; i < SOURCES * buffer_bytes; i++) sources[i] = (unsigned char)((i * 2654435761u) >> 13);
  give_up_ns = now_ns() + run_ns + 20000000000ull;
  pthread_t consumer;
  if (pthread_create(&consumer, 0, consume, 0) != 0) return fprintf(stderr, "no thread\n"), 1;
  uint32_t before = ping_side(4);
  produce();
  uint32_t after = ping_side(8);
  pthread_join(consumer, 0);
  char first[32], second[32];
  printf("{\"frames\":%llu,\"seconds\":%.6f,\"damaged\":%llu,\"rttBeforeNs\":%s,\"rttAfterNs\":%s}\n",
         (unsigned long long)received, (double)(stopped_ns - started_ns) / 1e9, (unsigned long long)damaged,
         shown(before, first, sizeof first), shown(after, second, sizeof second));
  return damaged == 0 ? 0 : 1;
}
