/* Checks a processor and a kernel from user space: a line for each part, with a checksum or a verdict that is the same
 * wherever the processor and the kernel work. The static binary runs on the host and in a guest; the outputs are
 * compared byte for byte, so nothing that depends on time, addresses or the processor's model is printed.
 * Build: cc -O2 -mno-red-zone -static -pthread -o selfcheck selfcheck.c -lm
 */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t seed;

static uint64_t next(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static uint64_t mix(uint64_t hash, const void *data, size_t size) {
    const uint8_t *p = data;
    while (size--) hash = (hash ^ *p++) * 0x100000001b3ull;
    return hash;
}

static void verdict(const char *name, int good) { printf("%-12s %s\n", name, good ? "ok" : "WRONG"); }

static void checksum(const char *name, uint64_t value) {
    printf("%-12s %016llx\n", name, (unsigned long long)value);
}

/* ---- Integers: shifts, rotations, multiplication and division of each size, with their flags ---- */

#define FLAGS 0x8d5 /* OF SF ZF AF PF CF */

#define BINARY(op, type, mask)                                                                              \
    do {                                                                                                    \
        type x = (type)a;                                                                                   \
        uint64_t f;                                                                                         \
        __asm__ volatile(#op " %2, %0\n\tpushfq\n\tpopq %1" : "+r"(x), "=r"(f) : "r"((type)b) : "cc");      \
        f &= (mask);                                                                                        \
        hash = mix(mix(hash, &x, sizeof x), &f, 8);                                                         \
    } while (0)

static void integers(void) {
    uint64_t hash = 1;
    for (int n = 0; n < 3000; n++) {
        uint64_t a = next() >> (next() & 63), b = next() >> (next() & 63);
        BINARY(add, uint64_t, FLAGS);
        BINARY(add, uint16_t, FLAGS);
        BINARY(sub, uint32_t, FLAGS);
        BINARY(sub, uint8_t, FLAGS);
        BINARY(xor, uint64_t, FLAGS & ~0x10);
        BINARY(imul, int64_t, 0x801);
        BINARY(imul, int16_t, 0x801);
        uint64_t shift = b & 63, shifted = a, flags;
        __asm__ volatile("rcl %%cl, %0" : "+r"(shifted) : "c"(shift) : "cc");
        __asm__ volatile("sar %%cl, %0" : "+r"(shifted) : "c"(shift >> 1) : "cc");
        hash = mix(hash, &shifted, 8);
        __asm__ volatile("bsr %1, %0\n\tpushfq\n\tpopq %2" : "+r"(shifted), "+r"(a), "=r"(flags) : : "cc");
        flags &= 0x40;
        hash = mix(mix(hash, &shifted, 8), &flags, 8);
        unsigned __int128 wide = (unsigned __int128)a * next();
        uint64_t divisor = b | 1;
        wide /= divisor;
        hash = mix(hash, &wide, 16);
        int64_t q = (int64_t)a / (int64_t)(b | 1), r = (int32_t)a % (int32_t)(b >> 33 | 1);
        hash = mix(mix(hash, &q, 8), &r, 8);
    }
    checksum("integers", hash);
}

/* ---- Floating point ---- */

static double real(void) {
    uint64_t bits = next();
    double d;
    switch (bits & 7) {
    case 0: bits = (bits & 0x800fffffffffffffull) >> 3 & ~(0x7ffull << 52); break; /* denormal */
    case 1: bits = (bits & 1ull << 63) | 0x7ffull << 52; break;                    /* infinity */
    default: bits = (bits & 0x800fffffffffffffull) | (1023 - 40 + next() % 80) << 52;
    }
    memcpy(&d, &bits, 8);
    return d;
}

static void sse(void) {
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    uint64_t hash = 2;
    int flags = 0;
    feclearexcept(FE_ALL_EXCEPT);
    for (int n = 0; n < 4000; n++) {
        fesetround(modes[n & 3]);
        volatile double a = real(), b = real(), c;
        volatile float f = (float)a, g = (float)b, h;
        double results[8];
        c = a + b, results[0] = c;
        c = a - b, results[1] = c;
        c = a * b, results[2] = c;
        c = a / b, results[3] = c;
        __m128d root = _mm_sqrt_sd(_mm_set_sd(a), _mm_set_sd(a < 0 ? -a : a));
        _mm_store_sd(&results[4], root);
        h = f * g, results[5] = h;
        h = f / g, results[6] = h;
        results[7] = (double)_mm_cvtsd_si64(_mm_set_sd(b));
        for (int i = 0; i < 8; i++)
            if (results[i] == results[i]) hash = mix(hash, &results[i], 8); /* a NaN's sign is the compiler's choice */
        if ((n & 255) == 255) {
            flags = flags * 64 + fetestexcept(FE_ALL_EXCEPT);
            feclearexcept(FE_ALL_EXCEPT);
        }
    }
    fesetround(FE_TONEAREST);
    hash = mix(hash, &flags, 4);
    __m128i v = _mm_set_epi32(1, -2, 3, -4), w = v;
    for (int n = 0; n < 4000; n++) {
        v = _mm_add_epi16(v, _mm_slli_epi32(w, n & 15));
        w = _mm_xor_si128(_mm_shuffle_epi32(v, 0x1b), _mm_madd_epi16(v, w));
        v = _mm_packs_epi32(_mm_unpacklo_epi16(v, w), _mm_unpackhi_epi8(w, v));
        w = _mm_sub_epi64(w, _mm_sad_epu8(v, w));
    }
    hash = mix(mix(hash, &v, 16), &w, 16);
    checksum("sse", hash);
}

static void x87(void) {
    uint64_t hash = 3;
    for (int n = 0; n < 3000; n++) {
        static const uint16_t controls[] = {0x37f, 0xb7f, 0x77f, 0xf7f, 0x27f, 0x07f};
        uint16_t status;
        long double a = (long double)real() * 1.0000000001L, b = real(), c;
        __asm__ volatile("fnclex\n\tfldcw %0" : : "m"(controls[n % 6]));
        __asm__ volatile("fldt %1\n\tfldt %2\n\tfaddp\n\tfstpt %0" : "=m"(c) : "m"(a), "m"(b));
        if (c == c) hash = mix(hash, &c, 10);
        __asm__ volatile("fldt %1\n\tfldt %2\n\tfmulp\n\tfstpt %0" : "=m"(c) : "m"(a), "m"(b));
        if (c == c) hash = mix(hash, &c, 10);
        __asm__ volatile("fldt %1\n\tfldt %2\n\tfdivp\n\tfstpt %0" : "=m"(c) : "m"(a), "m"(b));
        if (c == c) hash = mix(hash, &c, 10);
        __asm__ volatile("fldt %1\n\tfabs\n\tfsqrt\n\tfstpt %0" : "=m"(c) : "m"(a));
        if (c == c) hash = mix(hash, &c, 10);
        __asm__ volatile("fldt %2\n\tfldt %1\n\tfprem\n\tfstp %%st(1)\n\tfrndint\n\tfstpt %0" : "=m"(c) : "m"(a), "m"(b));
        if (c == c) hash = mix(hash, &c, 10);
        int64_t whole;
        __asm__ volatile("fldt %1\n\tfistpll %0" : "=m"(whole) : "m"(b));
        hash = mix(hash, &whole, 8);
        __asm__ volatile("fnstsw %0" : "=am"(status));
        status &= 0x3f;
        hash = mix(hash, &status, 2);
    }
    __asm__ volatile("fninit");
    checksum("x87", hash);
    /* Transcendental instructions may differ in the last bits between processors: eleven digits. */
    double s, t, l, e, x = 0.7321;
    __asm__("fldl %4\n\tfsincos\n\tfstpl %1\n\tfstpl %0\n\tfld1\n\tfldl %4\n\tfyl2x\n\tfstpl %2\n\tfldl %4\n\tf2xm1\n\tfstpl %3"
            : "=m"(s), "=m"(t), "=m"(l), "=m"(e) : "m"(x));
    printf("%-12s %.11f %.11f %.11f %.11f\n", "x87 curves", s, t, l, e);
}

static void decimal(void) {
    uint64_t hash = 4;
    char text[400];
    for (int n = 0; n < 500; n++) {
        double d = real();
        int length = snprintf(text, sizeof text, "%.17g %La %.3e %12.4f", d, (long double)d, d, d);
        double back = strtod(text, NULL);
        hash = mix(hash, text, length);
        hash = mix(hash, &back, 8);
    }
    checksum("decimal", hash);
}

/* ---- The C library's string functions, whose variants the processor's features choose ---- */

static void strings(void) {
    uint64_t hash = 5;
    static char a[9000], b[9000];
    for (int n = 0; n < 400; n++) {
        size_t size = next() % 4096, from = next() % 100, to = next() % 100;
        for (size_t i = 0; i < size; i++) a[from + i] = 'a' + next() % 26;
        a[from + size] = 0;
        memcpy(b + to, a + from, size + 1);
        hash = mix(hash, b + to, size);
        memmove(b + to + 3, b + to, size + 1);
        b[to + size / 2] = 'A';
        size_t length = strlen(b + to);
        char *found = strchr(b + to, 'A'), *last = strrchr(a + from, 'q');
        int order = strcmp(a + from, b + to);
        order = (order > 0) - (order < 0);
        size_t span = strspn(b + to, "abcdefghijklmnopqrst");
        char *inside = size > 8 ? strstr(b, a + from + size - 7) : NULL;
        long where[] = {length, found - b - to, last ? last - a - (long)from : -1, span, inside ? inside - b : -1};
        hash = mix(mix(hash, where, sizeof where), &order, 4);
        memset(b + to, n, size);
        hash = mix(hash, b + to, size);
        hash += memcmp(a, b, 64) == 0;
    }
    checksum("strings", hash);
}

static int ascending(const void *x, const void *y) {
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static void sorting(void) {
    static uint32_t values[50000];
    for (int i = 0; i < 50000; i++) values[i] = next();
    qsort(values, 50000, 4, ascending);
    int sorted = 1;
    for (int i = 1; i < 50000; i++) sorted &= values[i - 1] <= values[i];
    verdict("sorted", sorted);
    checksum("qsort", mix(6, values, sizeof values));
}

/* ---- Code that is written while it runs ---- */

static void selfmodifying(void) {
    uint8_t *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;
    for (int n = 0; n < 2000; n++) {
        uint8_t *start = code + 4096 - 1 - n % 6; /* across the border of two pages */
        uint32_t value = n * 2654435761u;
        start[0] = 0xb8; /* mov eax, value; ret */
        memcpy(start + 1, &value, 4);
        start[5] = 0xc3;
        sum += ((uint32_t(*)(void))start)();
    }
    munmap(code, 8192);
    checksum("modified", sum);
}

/* ---- Signals ---- */

static sigjmp_buf back;
static volatile sig_atomic_t caught, code, faults, steps;
static volatile uintptr_t address, fault_at;

static void on_fault(int signal, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    caught = signal;
    code = info->si_code;
    address = (uintptr_t)info->si_addr;
    fault_at = u->uc_mcontext.gregs[REG_ERR];
    faults++;
    siglongjmp(back, 1);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    steps++;
}

static void on_alarm(int signal) { caught = signal; }

static void expect(const char *name, int good) {
    printf("%-12s signal %d code %d %s\n", name, (int)caught, (int)code, good ? "ok" : "WRONG");
    caught = code = 0;
}

static void signals(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    static char stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    mprotect(page, 4096, PROT_READ);
    if (!sigsetjmp(back, 1)) *(volatile char *)(page + 5) = 2;
    expect("write", address == (uintptr_t)page + 5 && fault_at == 7 && page[0] == 1);
    mprotect(page, 8192, PROT_NONE);
    if (!sigsetjmp(back, 1)) *(volatile long *)(page + 4093);
    expect("read", address == (uintptr_t)page + 4093 && (fault_at & ~1ul) == 4);
    mprotect(page, 8192, PROT_READ | PROT_WRITE);
    page[0] = (char)0xc3;
    if (!sigsetjmp(back, 1)) ((void (*)(void))page)();
    expect("execute", address == (uintptr_t)page && fault_at == 0x15);
    if (!sigsetjmp(back, 1)) *(volatile char *)0x1234567812345678;
    expect("canonical", address == 0);
    if (!sigsetjmp(back, 1)) __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" : : : "eax", "ecx", "edx");
    expect("divide", 1);
    if (!sigsetjmp(back, 1)) __asm__ volatile("ud2");
    expect("undefined", 1);
    if (!sigsetjmp(back, 1)) __asm__ volatile("cli");
    expect("privileged", 1);
    if (!sigsetjmp(back, 1)) {
        feenableexcept(FE_DIVBYZERO);
        volatile double one = 1, nothing = 0;
        one = one / nothing;
    }
    fedisableexcept(FE_ALL_EXCEPT);
    expect("sse fault", 1);
    if (!sigsetjmp(back, 1)) {
        uint16_t control = 0x37b;
        __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control));
    }
    __asm__ volatile("fninit");
    expect("x87 fault", 1);

    action.sa_sigaction = on_trap;
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("int3\n\tint3" : : : "memory");
    printf("%-12s %d\n", "breakpoints", (int)steps);
    steps = 0;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop\n\tnop\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq"
                     : : : "memory", "cc");
    printf("%-12s %d\n", "steps", (int)steps);

    signal(SIGALRM, on_alarm);
    caught = 0;
    struct itimerval soon = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    double kept = 1.5;
    long double extended = 2.5L;
    __m128i vector = _mm_set1_epi32(77);
    __asm__ volatile("" : "+x"(kept), "+x"(vector), "+t"(extended));
    while (!caught) __asm__ volatile("" : "+x"(kept), "+x"(vector), "+t"(extended));
    verdict("alarm", kept == 1.5 && extended == 2.5L && _mm_cvtsi128_si32(vector) == 77);
    munmap(page, 8192);
}

/* ---- Threads ---- */

enum { THREADS = 4, ROUNDS = 3000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long guarded, turn;
static volatile long atomic_sum;
static __thread long own;

static void *worker(void *argument) {
    long number = (long)argument;
    for (int n = 0; n < ROUNDS; n++) {
        __atomic_fetch_add(&atomic_sum, number + 1, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(&mutex);
        guarded += n;
        pthread_mutex_unlock(&mutex);
        own += n ^ number;
    }
    for (int n = 0; n < 50; n++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != number) pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)own;
}

static void threads(void) {
    pthread_t ids[THREADS];
    long sum = 0;
    for (long n = 0; n < THREADS; n++) pthread_create(&ids[n], NULL, worker, (void *)n);
    for (int n = 0; n < THREADS; n++) {
        void *result;
        pthread_join(ids[n], &result);
        sum += (long)result;
    }
    printf("%-12s %ld %ld %ld %ld\n", "threads", atomic_sum, guarded, turn, sum);
}

/* Message passing and store buffering (Intel SDM vol. 3, 9.2.3): outcomes that the memory model forbids. */
static volatile int first __attribute__((aligned(64))), second __attribute__((aligned(64)));
static volatile int seen[2], forbidden;
static pthread_barrier_t barrier;

static void *litmus(void *argument) {
    long number = (long)argument;
    for (int n = 0; n < 300; n++) {
        pthread_barrier_wait(&barrier);
        if (number == 0) {
            first = 1;
            second = 1;
        } else {
            int b = second;
            int a = first;
            forbidden += b > a;
        }
        pthread_barrier_wait(&barrier);
        if (number == 0) first = second = 0;
        pthread_barrier_wait(&barrier);
        volatile int *mine = number ? &first : &second, *other = number ? &second : &first;
        *mine = 1;
        __asm__ volatile("mfence" : : : "memory");
        seen[number] = *other;
        pthread_barrier_wait(&barrier);
        if (number == 0) {
            forbidden += seen[0] + seen[1] == 0;
            first = second = 0;
        }
    }
    return NULL;
}

static void ordering(void) {
    pthread_t other;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&other, NULL, litmus, (void *)1);
    litmus((void *)0);
    pthread_join(other, NULL);
    printf("%-12s %d forbidden\n", "ordering", forbidden);
}

/* One thread unmaps and maps a page that another reads: the translation must be gone everywhere when the call is back. */
static char *volatile shared;
static volatile long reads, stop, stale;

static void *reader(void *unused) {
    while (!stop) {
        char *page = shared;
        if (page) {
            long before = *(volatile long *)page, after = *(volatile long *)page;
            stale += after < before;
            reads++;
        }
    }
    return unused;
}

static void shootdown(void) {
    pthread_t id;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = page;
    pthread_create(&id, NULL, reader, NULL);
    for (long n = 1; n <= 300; n++) {
        char *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *(volatile long *)fresh = n;
        mremap(fresh, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page);
        long until = reads + 1;
        if (n % 16 == 0)
            while (reads < until) sched_yield();
    }
    stop = 1;
    pthread_join(id, NULL);
    printf("%-12s %ld stale, at last %ld\n", "shootdown", stale, *(long *)page);
}

/* ---- Processes ---- */

static void processes(void) {
    static char memory[1 << 20];
    uint64_t hash = 7;
    memset(memory, 'p', sizeof memory);
    for (int n = 0; n < 6; n++) {
        int ends[2];
        if (pipe(ends)) abort();
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            for (size_t i = n; i < sizeof memory; i += 4096) memory[i] = 'c'; /* copied on write */
            uint64_t sum = mix(8, memory, sizeof memory);
            if (write(ends[1], &sum, 8) != 8) _exit(99);
            if (n == 5) raise(SIGKILL);
            _exit(n);
        }
        close(ends[1]);
        uint64_t sum = 0;
        int status = 0;
        if (read(ends[0], &sum, 8) != 8) sum = 0;
        waitpid(child, &status, 0);
        close(ends[0]);
        hash = mix(mix(hash, &sum, 8), &status, 4);
    }
    hash = mix(hash, memory, sizeof memory);
    checksum("processes", hash);
}

static void clocks(void) {
    struct timespec before, now;
    int forwards = 1;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int n = 0; n < 2000; n++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        forwards &= now.tv_sec > before.tv_sec || (now.tv_sec == before.tv_sec && now.tv_nsec >= before.tv_nsec);
        before = now;
    }
    struct timespec pause = {0, 30000000};
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    double slept = now.tv_sec - before.tv_sec + (now.tv_nsec - before.tv_nsec) * 1e-9;
    verdict("clock", forwards);
    verdict("sleep", slept >= 0.03 && slept < 5);
}

int main(void) {
    void (*parts[])(void) = {integers, sse, x87, decimal, strings, sorting, selfmodifying, signals, threads, ordering,
                             shootdown, processes, clocks};
    for (size_t n = 0; n < sizeof parts / sizeof *parts; n++) {
        seed = 0x9e3779b97f4a7c15ull + n;
        parts[n]();
        fflush(stdout);
    }
    return 0;
}
