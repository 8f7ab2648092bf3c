// Moves the wall clock of a process by FAULTS_SKEW_S seconds. Loaded with LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*original)(clockid_t, struct timespec *);
  static long skew;
  if (original == NULL) {
    const char *seconds = getenv("FAULTS_SKEW_S");
    skew = seconds == NULL ? 0 : atol(seconds);
    original = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  }
  int result = original(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += skew;
  return result;
}
