# Two processors and one memory: LOCK under contention, also on unaligned and page-crossing operands, CMPXCHG8B and CMPXCHG16B, and the
# litmus tests of Intel SDM vol. 3, 9.2.3 (what it forbids must never be seen).
    .include "guest.inc"
    .include "apic.inc"
    .include "smp.inc"
    .set ROUNDS, 10000
# Both do it ROUNDS times.
.macro contend instructions:vararg
    meet
    mov $ROUNDS, %ecx
66: \instructions
    loop 66b
    meet
.endm

test:
    call apic_on
    call start_second
    call common
    # What both have done together.
    mov counter, %eax
    check_eq 2*ROUNDS, %rax
    mov added, %rax
    check_eq 6*ROUNDS, %rax
    mov exchanged, %eax
    check_eq 2*ROUNDS, %rax
    mov wide, %rax
    check_eq 2*ROUNDS, %rax
    mov wide16, %rax
    check_eq 2*ROUNDS, %rax
    mov wide16 + 8, %rax
    neg %rax
    check_eq 2*ROUNDS, %rax
    mov unaligned + 61, %eax
    check_eq 2*ROUNDS, %rax
    mov crossing + 4094, %eax
    check_eq 2*ROUNDS, %rax
    movzwl words, %eax
    check_eq 2*ROUNDS&0xffff, %rax
    movzwl words + 2, %eax
    check_eq 2*ROUNDS&0xffff, %rax
    mov inside, %eax
    check_eq 2*ROUNDS, %rax
    # Message passing: x is written before y; who sees y must see x.
    mov $1, %ebx
1:  mov %ebx, x
    mov %ebx, y
    inc %ebx
    cmp $100000, %ebx
    jb 1b
    meet
    mov violations, %eax
    check_eq 0, %rax
    # Store buffering with MFENCE: not both may read the old value.
    mov $1, %ebx
2:  meet
    mov %ebx, x
    mfence
    mov y, %eax
    mov %eax, seen0
    meet
    cmp %ebx, seen0
    je 3f
    cmp %ebx, seen1
    check e
3:  inc %ebx
    cmp $1000, %ebx
    jb 2b
    # The same with XCHG as the store.
    meet
    movl $0, x
    movl $0, y
    mov $1, %ebx
4:  meet
    mov %ebx, %eax
    xchg %eax, x
    mov y, %eax
    mov %eax, seen0
    meet
    cmp %ebx, seen0
    je 5f
    cmp %ebx, seen1
    check e
5:  inc %ebx
    cmp $1000, %ebx
    jb 4b
    # Load buffering: not both may read what the other writes afterwards.
    meet
    movl $0, x
    movl $0, y
    mov $1, %ebx
6:  meet
    mov x, %eax
    mov %ebx, y
    mov %eax, seen0
    meet
    cmp %ebx, seen0
    jne 7f
    cmp %ebx, seen1
    check ne
7:  inc %ebx
    cmp $1000, %ebx
    jb 6b
    # Single copies of aligned data are whole: 8 bytes are never seen half.
    mov $100000, %ecx
    movabs $0x1111111111111111, %rax
    movabs $0x2222222222222222, %rdx
8:  mov %rax, whole
    mov %rdx, whole
    loop 8b
    movl $1, finished
    meet
    mov violations, %eax
    check_eq 0, %rax
    jmp done

second:
    call common
    mov $0, %ebx
1:  mov y, %eax
    mov x, %edx
    cmp %eax, %edx
    jae 2f
    incl violations
2:  cmp $99999, %eax
    jb 1b
    meet
    mov $1, %ebx
3:  meet
    mov %ebx, y
    mfence
    mov x, %eax
    mov %eax, seen1
    meet
    inc %ebx
    cmp $1000, %ebx
    jb 3b
    meet
    mov $1, %ebx
4:  meet
    mov %ebx, %eax
    xchg %eax, y
    mov x, %eax
    mov %eax, seen1
    meet
    inc %ebx
    cmp $1000, %ebx
    jb 4b
    meet
    mov $1, %ebx
5:  meet
    mov y, %eax
    mov %ebx, x
    mov %eax, seen1
    meet
    inc %ebx
    cmp $1000, %ebx
    jb 5b
6:  mov whole, %rax
    mov %eax, %edx
    mov %rax, %rsi
    shr $32, %rsi
    cmp %edx, %esi
    je 7f
    incl violations
7:  cmpl $1, finished
    jne 6b
    meet
    ret

common:
    contend lock incl counter
    meet
    mov $ROUNDS, %ecx
1:  mov $3, %eax
    lock xadd %rax, added
    loop 1b
    meet
    mov $ROUNDS, %ecx
2:  mov exchanged, %eax
3:  lea 1(%rax), %edx
    lock cmpxchg %edx, exchanged
    jne 3b
    loop 2b
    meet
    mov $ROUNDS, %ebp
4:  mov wide, %eax
    mov wide + 4, %edx
5:  mov %eax, %ebx
    mov %edx, %ecx
    add $1, %ebx
    adc $0, %ecx
    lock cmpxchg8b wide
    jne 5b
    dec %ebp
    jnz 4b
    meet
    mov $ROUNDS, %ebp
6:  mov wide16, %rax
    mov wide16 + 8, %rdx
7:  lea 1(%rax), %rbx
    lea -1(%rdx), %rcx
    lock cmpxchg16b wide16
    jne 7b
    dec %ebp
    jnz 6b
    contend lock incl unaligned+61
    contend lock incl crossing+4094
    # Neighbours in one word do not disturb each other.
    meet
    mov $ROUNDS, %ecx
8:  lock incw words
    lock incw words + 2
    loop 8b
    # A spin lock by XCHG and a plain store protects an ordinary counter.
    meet
    mov $ROUNDS, %ecx
9:  mov $1, %eax
    xchg %eax, spin
    test %eax, %eax
    jz 10f
    pause
    jmp 9b
10: incl inside
    movl $0, spin
    loop 9b
    meet
    ret
    .bss
    .balign 64
counter: .long 0
exchanged: .long 0
added: .quad 0
wide: .quad 0
    .balign 16
wide16: .skip 16
words: .long 0
    .balign 64
x: .long 0
    .balign 64
y: .long 0
    .balign 64
seen0: .long 0
    .balign 64
seen1: .long 0
violations: .long 0
finished: .long 0
    .balign 64
whole: .quad 0
spin: .long 0
inside: .long 0
    .balign 64
unaligned: .skip 128
    .balign 4096
crossing: .skip 8192
    .text
