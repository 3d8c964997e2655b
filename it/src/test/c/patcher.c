// Fills in where the kernel's symbols are, loads the module patcher.ko, which does the jobs, and takes it out again.
// patcher MODULE ROUNDS JOB..., a job being SYMBOL+OFFSET:VALUE:HOW, with 0 as value for a function of the module, and
// "direct" or "image" as HOW.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 32

static char names[MOST][128];
static unsigned long addresses[MOST];
static int wanted;

/** The kernel's list is long and slow to read: it is read once for all. */
static void find_symbols(void) {
    FILE *in = fopen("/proc/kallsyms", "r");
    char line[1024];
    while (in && fgets(line, sizeof line, in)) {
        char *name = strchr(line, ' ');
        name = name ? name + 3 : line;
        size_t length = strcspn(name, " \t\n");
        for (int n = 0; n < wanted; n++) {
            if (!addresses[n] && !strncmp(name, names[n], length) && !names[n][length]) {
                addresses[n] = strtoul(line, NULL, 16);
            }
        }
    }
    if (in) {
        fclose(in);
    }
    for (int n = 0; n < wanted; n++) {
        if (!addresses[n]) {
            fprintf(stderr, "patcher: no symbol %s\n", names[n]);
            exit(1);
        }
    }
}

/** The kernel changes its own code when this is changed. */
static void switch_static_key(int on) {
    FILE *out = fopen("/proc/sys/kernel/sched_schedstats", "w");
    if (!out || fprintf(out, "%d\n", on) < 0 || fclose(out)) {
        perror("patcher: sched_schedstats");
        exit(1);
    }
}

int main(int argc, char **argv) {
    static char image[1 << 20];
    FILE *in = argc > 3 ? fopen(argv[1], "rb") : NULL;
    if (!in) {
        fprintf(stderr, "usage: patcher MODULE ROUNDS JOB...\n");
        return 2;
    }
    size_t size = fread(image, 1, sizeof image, in);
    unsigned long *data = memmem(image, size, "PATCHJOB", 8);
    if (!data) {
        fprintf(stderr, "patcher: %s has no jobs\n", argv[1]);
        return 1;
    }
    strcpy(names[0], "page_offset_base");
    strcpy(names[1], "phys_base");
    for (wanted = 2; wanted < argc - 1 && wanted < MOST; wanted++) {
        sscanf(argv[wanted + 1], "%127[^+]", names[wanted]);
    }
    find_symbols();
    data[1] = addresses[0];
    data[2] = addresses[1];
    for (int n = 3; n < wanted + 1; n++) {
        char name[128], how[16];
        unsigned long offset, value;
        if (sscanf(argv[n], "%127[^+]+%li:%lx:%15s", name, &offset, &value, how) != 4) {
            fprintf(stderr, "patcher: bad job %s\n", argv[n]);
            return 2;
        }
        unsigned long *job = data + 3 + 3 * (n - 3);
        job[0] = addresses[n - 1] + offset;
        job[1] = value;
        job[2] = !strcmp(how, "direct");
        printf("JOB %s+%ld 0x%016lx %s\n", name, offset, job[0], how);
    }
    fflush(stdout);
    for (int rounds = atoi(argv[2]); rounds > 0; rounds--) {
        switch_static_key(1);
        switch_static_key(0);
        if (syscall(SYS_init_module, image, size, "") != 0 || syscall(SYS_delete_module, "patcher", 0) != 0) {
            fprintf(stderr, "patcher: %s\n", strerror(errno));
            return 1;
        }
        printf("PATCHED\n");
        fflush(stdout);
        usleep(300000);
    }
    return 0;
}
