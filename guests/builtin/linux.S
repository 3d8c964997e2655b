# The workload as a static program for Linux on x86-64 (System V ABI, AMD64 supplement). The ELF header is written out, so that
# the file does not depend on how a linker lays things out.
    .set BASE, 0x400000
    .set READ, 0
    .set WRITE, 1
    .set PAUSE, 34
    .set EXIT_GROUP, 231
    .set CLOCK_GETTIME, 228
    .set TIMERFD_CREATE, 283
    .set TIMERFD_SETTIME, 286
    .set CLOCK_MONOTONIC, 1
    .set TFD_NONBLOCK, 0x800
    .set TFD_TIMER_ABSTIME, 1
    .set AT_SYSINFO_EHDR, 33
    .set PT_DYNAMIC, 2
    .set DT_HASH, 4
    .set DT_STRTAB, 5
    .set DT_SYMTAB, 6

    .section .text
    .code64
elf:
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .word 2, 62                   # executable, x86-64
    .long 1
    .quad start, 64, 0
    .long 0
    .word 64, 56, 1, 0, 0, 0
    .long 1, 7                    # load; read, write, execute
    .quad 0, BASE, BASE, image_end - elf, memory_end - elf, 4096

    .globl start
start:
    mov %rsp, %rbx
    and $-16, %rsp
    add $8, %rbx
    mov $2, %ebp                  # arguments and environment, each with a zero behind
1:  mov (%rbx), %rdi
    add $8, %rbx
    test %rdi, %rdi
    jz 2f
    call options
    jmp 1b
2:  dec %ebp
    jnz 1b
    # The auxiliary vector.
3:  mov (%rbx), %rax
    mov 8(%rbx), %rdi
    add $16, %rbx
    cmp $AT_SYSINFO_EHDR, %rax
    je 4f
    test %rax, %rax
    jnz 3b
    jmp 5f
4:  call find_clock
5:  mov $TIMERFD_CREATE, %eax
    mov $CLOCK_MONOTONIC, %edi
    mov $TFD_NONBLOCK, %esi
    syscall
    mov %eax, timer
    mov $area, %r15d
    mov $1000000, %edx            # nanoseconds
    call begin                    # with the stack as C wants it in a function

# RDI: the vDSO (vdso(7)). Looks for its clock_gettime; where there is none, the system call does.
find_clock:
    push %rbx
    push %rbp
    movzwl 56(%rdi), %ecx         # e_phnum
    mov 32(%rdi), %rsi            # e_phoff
    add %rdi, %rsi
1:  cmpl $PT_DYNAMIC, (%rsi)
    je 2f
    add $56, %rsi
    dec %ecx
    jnz 1b
    jmp 9f
2:  mov 16(%rsi), %rsi            # p_vaddr
    add %rdi, %rsi
    xor %r8d, %r8d                # hash table, names, symbols
    xor %r9d, %r9d
    xor %r10d, %r10d
3:  mov (%rsi), %rax
    mov 8(%rsi), %rdx
    add %rdi, %rdx
    add $16, %rsi
    cmp $DT_HASH, %rax
    cmove %rdx, %r8
    cmp $DT_STRTAB, %rax
    cmove %rdx, %r9
    cmp $DT_SYMTAB, %rax
    cmove %rdx, %r10
    test %rax, %rax
    jnz 3b
    test %r8, %r8
    jz 9f
    mov 4(%r8), %ebx              # as many symbols as chains
    mov %rdi, %rbp
4:  test %ebx, %ebx
    jz 9f
    mov (%r10), %esi
    add %r9, %rsi
    mov $clock_name, %edi
    mov $clock_name_end - clock_name, %ecx
    repe cmpsb
    je 5f
    add $24, %r10
    dec %ebx
    jmp 4b
5:  mov 8(%r10), %rax
    add %rbp, %rax
    mov %rax, clock
9:  pop %rbp
    pop %rbx
    ret

system_clock:
    mov $CLOCK_GETTIME, %eax
    syscall
    ret

now:
    push %rbp
    mov %rsp, %rbp
    sub $32, %rsp
    and $-16, %rsp
    mov $CLOCK_MONOTONIC, %edi
    mov %rsp, %rsi
    call *clock
    imul $1000000000, (%rsp), %rax
    add 8(%rsp), %rax
    mov %rbp, %rsp
    pop %rbp
    ret

# The timer counts by itself; this asks how often it has expired.
poll_beats:
    mov $READ, %eax
    mov timer, %edi
    mov $expired, %esi
    mov $8, %edx
    syscall
    cmp $8, %rax
    jne 1f
    mov expired, %rax
    add %rax, BEATS(%r15)
    imul PERIOD(%r15), %rax
    add %rax, NEXT_BEAT(%r15)
    call now
    add PERIOD(%r15), %rax
    cmp %rax, NEXT_BEAT(%r15)
    jbe 1f
    incq EXTRA(%r15)
1:  ret

arm:
    mov NEXT_BEAT(%r15), %rax
    xor %edx, %edx
    mov $1000000000, %ecx
    div %rcx
    mov %rax, first
    mov %rdx, first + 8
    mov PERIOD(%r15), %rax
    xor %edx, %edx
    div %rcx
    mov %rax, interval
    mov %rdx, interval + 8
    mov $TIMERFD_SETTIME, %eax
    mov timer, %edi
    mov $TFD_TIMER_ABSTIME, %esi
    mov $interval, %edx
    xor %r10d, %r10d
    syscall
    ret

check:
vary:
    ret

# To sleep until the timer expires, without taking the expiry: poll(&descriptor, 1, -1).
wait_beat:
    mov timer, %eax
    mov %eax, descriptor
    mov $7, %eax
    mov $descriptor, %edi
    mov $1, %esi
    mov $-1, %edx
    syscall
    jmp look

print:
    mov %ecx, %edx
    mov $WRITE, %eax
    mov $1, %edi
    syscall
    ret

finish:
    mov $EXIT_GROUP, %eax
    syscall

    .include "workload.inc"
clock_name: .asciz "__vdso_clock_gettime"
clock_name_end:
    .balign 8, 0
clock: .quad system_clock
descriptor:
    .long 0
    .word 1, 0                    # POLLIN
image_end:

    .section .bss
timer: .long 0
expired: .quad 0
interval: .quad 0, 0
first: .quad 0, 0
    .balign 4096
area: .skip AREA
memory_end:
