/* Compute kernels for a guest, one line each: "name seconds checksum".
 *   gcc -O2 -static -o compute compute.c
 *   compute [ROUNDS [DIVISOR]]
 * One static binary runs on the host, in Multivisor and in QEMU, so that a ratio is always taken on the same
 * instructions. The seconds are CLOCK_MONOTONIC's, the guest's own clock. All kernels run ROUNDS times (default 1):
 * the first round has every warm-up in it, the last one is the steady state. DIVISOR makes each kernel so many times
 * shorter, for a quick look. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint32_t table[256];
static uint8_t buf[1 << 20];

/* byte loads, table lookups, 32-bit ALU */
__attribute__((noinline)) static uint32_t crc32(const uint8_t *p, long n) {
    uint32_t c = ~0u;
    for (long i = 0; i < n; i++) c = table[(c ^ p[i]) & 255] ^ (c >> 8);
    return ~c;
}

/* strided byte stores */
__attribute__((noinline)) static long sieve(uint8_t *f, long n) {
    long count = 0;
    memset(f, 1, n);
    for (long i = 2; i < n; i++)
        if (f[i]) {
            count++;
            for (long j = i + i; j < n; j += i) f[j] = 0;
        }
    return count;
}

/* scalar double precision (SSE2) */
static double A[128 * 128], B[128 * 128], C[128 * 128];
__attribute__((noinline, optimize("no-tree-vectorize"))) static void matmul(void) {
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < 128; j++) {
            double s = 0;
            for (int k = 0; k < 128; k++) s += A[i * 128 + k] * B[k * 128 + j];
            C[i * 128 + j] = s;
        }
}

/* packed integer SIMD (SSE2), auto-vectorized */
static uint32_t va[4096], vb[4096];
__attribute__((noinline, optimize("tree-vectorize"))) static void simd(void) {
    for (int i = 0; i < 4096; i++) va[i] = (va[i] ^ (vb[i] << 3)) + (vb[i] >> 5);
}

/* indirect calls and unpredictable branches */
static int compare(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* dependent loads over a working set larger than a TLB's reach */
static uint32_t *chain;
__attribute__((noinline)) static uint32_t chase(long n) {
    uint32_t i = 0;
    while (n--) i = chain[i];
    return i;
}

/* calls, returns, recursion */
__attribute__((noinline)) static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* a bytecode interpreter inside the guest: indirect jumps through a table */
__attribute__((noinline)) static uint64_t vm(long steps) {
    static const uint8_t code[] = {0, 1, 2, 3, 1, 4, 2, 0, 3, 4, 5};
    uint64_t a = 1, b = 2, pc = 0;
    while (steps--) {
        switch (code[pc]) {
            case 0: a += b; pc++; break;
            case 1: b ^= a << 1; pc++; break;
            case 2: a = (a >> 3) | (a << 61); pc++; break;
            case 3: b -= 7; pc++; break;
            case 4: a *= 3; pc++; break;
            default: pc = 0; break;
        }
    }
    return a ^ b;
}

/** The only one to run, or all. */
static const char *only;

#define RUN(name, reps, expr)                                              \
    if (!only || !strcmp(only, name)) do {                                 \
        double t0 = now();                                                 \
        unsigned long long sum = 0;                                        \
        for (int r = 0; r < (reps); r++) sum += (unsigned long long)(expr); \
        printf("%-8s %8.3f %llx\n", name, now() - t0, sum);                 \
        fflush(stdout);                                                    \
    } while (0)

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    int divisor = argc > 2 ? atoi(argv[2]) : 1;
    only = argc > 3 ? argv[3] : NULL;
    if (rounds < 1 || divisor < 1 || divisor > 10) {
        fprintf(stderr, "compute: ROUNDS must be at least 1, DIVISOR 1 to 10, then the name of a kernel\n");
        return 2;
    }
    for (int i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int j = 0; j < 8; j++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    int n = 1000000 / divisor;
    int *v = malloc(4 * n);
    long m = 4 << 20;
    chain = malloc(4 * m);
    for (long i = 0; i < m; i++) chain[i] = (uint32_t)((i * 1103515245u + 12345u) & (m - 1));
    for (int round = 1; round <= rounds; round++) {
        printf("round %d\n", round);
        for (int i = 0; i < 1 << 20; i++) buf[i] = i * 7 + (i >> 8);
        for (int i = 0; i < 128 * 128; i++) { A[i] = i * 0.5; B[i] = i * 0.25; }
        for (int i = 0; i < 4096; i++) { va[i] = i; vb[i] = i * 2654435761u; }
        RUN("crc32", 100 / divisor, (buf[r] = r, crc32(buf, (1 << 20) - r)));
        RUN("sieve", 20 / divisor, sieve(buf, 1 << 20));
        RUN("matmul", 50 / divisor, (A[r] = r, matmul(), C[77]));
        RUN("simd", 20000 / divisor, (va[r & 4095]++, simd(), va[r & 4095]));
        uint32_t q = 12345;
        for (int i = 0; i < n; i++) { q = q * 1103515245 + 12345; v[i] = q >> 4; }
        RUN("qsort", 1, (qsort(v, n, 4, compare), v[5000]));
        RUN("chase", 1, chase(20000000 / divisor));
        RUN("fib", 1, fib(divisor > 2 ? 30 : 34));
        RUN("vm", 1, vm(50000000 / divisor));
    }
    return 0;
}
