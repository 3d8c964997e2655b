/*
 * Executes single instructions on the host's CPU and reports what they did: the oracle of the differential test.
 *
 * Everything happens in a signal handler: it takes the state after the last instruction out of the signal frame, puts
 * the state before the next one into it, and returns. The instruction is followed by INT3, so each case costs one trap.
 *
 * Standard output: first whether 16-bit code can be run; then for each batch its results. Standard input: batches, each a
 * number of cases, the bytes that they take, and the cases. See struct test and struct
 * result; all numbers are little-endian. The memory window holds a fixed pattern that both sides know, with a patch per
 * case; only the range that the instruction changed is reported.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define WINDOW 0x10000000ul
#define WINDOW_SIZE 8192
#define CODE 0x20000000ul
#define CODE_OFFSET 0x800
#define GS_BASE (WINDOW + 0x1000)
#define FX_SIZE 416
#define ARCH_SET_GS 0x1001

/* Segments of 16-bit code in the LDT. */
#define CODE16 0x07
#define DATA16 0x0f

struct test {
    uint32_t mode; /* 64, 32 or 16 */
    uint32_t code_length;
    uint8_t code[16];
    uint64_t flags;
    uint64_t gpr[16];
    uint8_t fx[FX_SIZE];
    uint32_t patch_offset;
    uint32_t patch_length;
    uint8_t patch[];
};

struct result {
    uint32_t signal;
    uint32_t trap;
    uint64_t error;
    uint64_t cr2;
    uint64_t rip;
    uint64_t flags;
    uint64_t gpr[16];
    uint8_t fx[FX_SIZE];
    uint32_t changed_offset;
    uint32_t changed_length;
    uint8_t changed[];
};

static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static uint8_t *const window = (uint8_t *)WINDOW;
static uint8_t *code_alias;
static uint8_t pattern[WINDOW_SIZE];
static uint8_t expected[WINDOW_SIZE];

static const uint8_t *volatile next_test;
static const struct test *current;
/* Volatile, as raise() is declared a leaf function, which would not come back to this file. */
static uint8_t *volatile next_result;
static volatile uint32_t remaining;
static volatile int running;
static uint32_t sequence, sequence_at_alarm;
static uint32_t data_segment;

static gregset_t saved_gregs;
static uint8_t saved_fx[512];
static uint64_t saved_features;

static void load(ucontext_t *uc) {
    const struct test *t = (const struct test *)next_test;
    greg_t *g = uc->uc_mcontext.gregs;
    uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
    next_test += sizeof *t + t->patch_length;
    current = t;
    sequence++;
    memcpy(code_alias + CODE_OFFSET, t->code, t->code_length);
    memcpy(window + t->patch_offset, t->patch, t->patch_length);
    memcpy(expected + t->patch_offset, t->patch, t->patch_length);
    for (int n = 0; n < 16; n++) {
        g[order[n]] = (greg_t)t->gpr[n];
    }
    uint32_t data = t->mode == 16 ? DATA16 : 0x2b;
    if (data != data_segment) {
        data_segment = data;
        __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(data));
    }
    g[REG_RIP] = t->mode == 16 ? CODE_OFFSET : CODE + CODE_OFFSET;
    g[REG_EFL] = (greg_t)t->flags;
    g[REG_CSGSFS] = (t->mode == 64 ? 0x33 : t->mode == 32 ? 0x23 : CODE16) | (greg_t)data << 48;
    memcpy(fx, t->fx, FX_SIZE);
    *(uint64_t *)(fx + 512) |= 3;
}

static void store(int signal, ucontext_t *uc) {
    struct result *r = (struct result *)next_result;
    greg_t *g = uc->uc_mcontext.gregs;
    r->signal = (uint32_t)signal;
    r->trap = (uint32_t)g[REG_TRAPNO];
    r->error = (uint64_t)g[REG_ERR];
    r->cr2 = (uint64_t)g[REG_CR2];
    r->rip = (uint64_t)g[REG_RIP];
    r->flags = (uint64_t)g[REG_EFL];
    for (int n = 0; n < 16; n++) {
        r->gpr[n] = (uint64_t)g[order[n]];
    }
    memcpy(r->fx, uc->uc_mcontext.fpregs, FX_SIZE);
    memset(code_alias + CODE_OFFSET, 0xcc, 16);
    uint32_t first = 0, last = 0;
    if (memcmp(window, expected, WINDOW_SIZE) != 0) {
        last = WINDOW_SIZE;
        while (window[first] == expected[first]) {
            first++;
        }
        while (window[last - 1] == expected[last - 1]) {
            last--;
        }
    }
    r->changed_offset = first;
    r->changed_length = last - first;
    memcpy(r->changed, window + first, last - first);
    memcpy(window + first, pattern + first, last - first);
    memcpy(expected + first, pattern + first, last - first);
    memcpy(window + current->patch_offset, pattern + current->patch_offset, current->patch_length);
    memcpy(expected + current->patch_offset, pattern + current->patch_offset, current->patch_length);
    next_result += sizeof *r + r->changed_length;
}

static void handler(int signal, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
    (void)info;
    /* POPF may have set AC, NT and ID, which the kernel leaves as they are. */
    __asm__ volatile("sub $128, %%rsp; pushf; andl $~0x244000, (%%rsp); popf; add $128, %%rsp" : : : "memory", "cc");
    if (signal == SIGALRM) {
        /* An instruction that did not end between two alarms never will. */
        if (!running || sequence != sequence_at_alarm) {
            sequence_at_alarm = sequence;
            return;
        }
    }
    if (signal == SIGUSR1) {
        memcpy(saved_gregs, uc->uc_mcontext.gregs, sizeof saved_gregs);
        memcpy(saved_fx, fx, 512);
        saved_features = *(uint64_t *)(fx + 512);
    } else {
        if (!running) {
            static const char message[] = "oracle: a signal outside of a case\n";
            _exit(write(2, message, sizeof message - 1) < 0 ? 4 : 3);
        }
        store(signal, uc);
        remaining--;
    }
    running = remaining > 0;
    if (running) {
        load(uc);
    } else {
        memcpy(uc->uc_mcontext.gregs, saved_gregs, sizeof saved_gregs);
        memcpy(fx, saved_fx, 512);
        *(uint64_t *)(fx + 512) = saved_features;
    }
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void map_memory(void) {
    if (mmap(window, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
        != window) {
        fail("window");
    }
    int file = memfd_create("code", 0);
    if (file < 0 || ftruncate(file, 4096) != 0) {
        fail("memfd");
    }
    code_alias = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (code_alias == MAP_FAILED
        || mmap((void *)CODE, 4096, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0) != (void *)CODE) {
        fail("code");
    }
    memset(code_alias, 0xcc, 4096);
    uint64_t x = 0x9e3779b97f4a7c15ul;
    for (int n = 0; n < WINDOW_SIZE; n++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern[n] = (uint8_t)(x >> 32);
    }
    memcpy(window, pattern, WINDOW_SIZE);
    memcpy(expected, pattern, WINDOW_SIZE);
}

/* Adds a segment to the LDT, which not every kernel allows. */
static int add_segment(unsigned selector, unsigned long base, unsigned limit, unsigned contents) {
    struct user_desc segment = {.entry_number = selector >> 3, .base_addr = (unsigned)base, .limit = limit,
                                .contents = contents};
    return syscall(SYS_modify_ldt, 1, &segment, sizeof segment) == 0;
}

static int read_fully(uint8_t *to, size_t count) {
    while (count > 0) {
        ssize_t n = read(0, to, count);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return 0;
        }
        to += n;
        count -= (size_t)n;
    }
    return 1;
}

static void write_fully(const uint8_t *from, size_t count) {
    while (count > 0) {
        ssize_t n = write(1, from, count);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            fail("write");
        }
        from += n;
        count -= (size_t)n;
    }
}

int main(void) {
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP, SIGALRM, SIGUSR1};
    map_memory();
    stack_t stack = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
    if (sigaltstack(&stack, NULL) != 0) {
        fail("sigaltstack");
    }
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (size_t n = 0; n < sizeof signals / sizeof signals[0]; n++) {
        sigaction(signals[n], &action, NULL);
    }
    syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE);
    uint32_t sixteen = add_segment(CODE16, CODE, 0xfff, MODIFY_LDT_CONTENTS_CODE)
        && add_segment(DATA16, WINDOW, WINDOW_SIZE - 1, MODIFY_LDT_CONTENTS_DATA);
    write_fully((const uint8_t *)&sixteen, sizeof sixteen);
    struct itimerval timer = {{0, 200000}, {0, 200000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    uint32_t header[2]; /* number of cases, bytes */
    while (read_fully((uint8_t *)header, sizeof header)) {
        uint8_t *tests = malloc(header[1]);
        uint8_t *results = malloc(header[0] * (sizeof(struct result) + WINDOW_SIZE));
        if (tests == NULL || results == NULL || !read_fully(tests, header[1])) {
            return 2;
        }
        next_test = tests;
        next_result = results;
        remaining = header[0];
        if (remaining > 0) {
            raise(SIGUSR1);
        }
        uint32_t bytes = (uint32_t)(next_result - results);
        write_fully((const uint8_t *)&bytes, sizeof bytes);
        write_fully(results, bytes);
        free(tests);
        free(results);
    }
    return 0;
}
