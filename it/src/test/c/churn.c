/*
 * Writes memory as fast as it can and checks that nothing of it is ever from another moment: every eighth word of page p is,
 * in round r, a function of r and p. A round looks at each word before it writes it anew.
 *
 * usage: churn MEBIBYTES SECONDS
 *
 * Prints a line each second with the pages written in it and the longest that a page took, in microseconds, and at the
 * end "churn: ROUNDS rounds, ERRORS errors".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORDS 512

static uint64_t expected(uint64_t round, uint64_t page, uint64_t word) {
    return (round * 0x9e3779b97f4a7c15ull ^ page * 0xc2b2ae3d27d4eb4full) + word;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    uint64_t pages = (argc > 1 ? strtoull(argv[1], 0, 10) : 32) << 8;
    double limit = argc > 2 ? atof(argv[2]) : 10;
    uint64_t *memory = aligned_alloc(4096, pages << 12);
    if (!memory) {
        return 2;
    }
    for (uint64_t page = 0; page < pages; page++) {
        for (uint64_t word = 0; word < WORDS; word++) {
            memory[page * WORDS + word] = expected(0, page, word);
        }
    }
    uint64_t errors = 0, round = 1, written = 0;
    double start = seconds(), last = start, told = start, longest = 0;
    for (;; round++) {
        for (uint64_t page = 0; page < pages; page++) {
            uint64_t *at = memory + page * WORDS;
            for (uint64_t word = 0; word < WORDS; word += 8) {
                errors += at[word] != expected(round - 1, page, word);
                at[word] = expected(round, page, word);
            }
            written++;
            double now = seconds();
            if (now < last) {
                printf("churn: the clock went back by %.6f s\n", last - now);
                errors++;
            }
            longest = now - last > longest ? now - last : longest;
            last = now;
            if (now - told >= 1) {
                printf("churn: round %llu, %llu errors, %llu pages, longest %.0f us\n", (unsigned long long) round,
                       (unsigned long long) errors, (unsigned long long) written, longest * 1e6);
                fflush(stdout);
                last = told = seconds();
                written = 0;
                longest = 0;
            }
        }
        if (last - start > limit) {
            break;
        }
    }
    printf("churn: %llu rounds, %llu errors\n", (unsigned long long) round, (unsigned long long) errors);
    return errors != 0;
}
