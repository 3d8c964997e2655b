# The second processor: INIT and SIPI, its state, IPIs of every kind and destination, HLT and wake-up, TLB shootdown, code changed
# by the other processor (Intel SDM vol. 3, 8.1.3, 9.1, 9.4, 11.6).
    .include "guest.inc"
    .include "apic.inc"
    .include "smp.inc"
    .set WINDOW, 0x20000000
    .set FRAME, 0x1000000
.macro send low
    mov $APIC, %ebx
    movl $1 << 24, 0x310(%rbx)
    movl $\low, 0x300(%rbx)
.endm
# Waits until the number at LABEL is VALUE.
.macro await label, value
55: pause
    cmpl $\value, \label
    jne 55b
.endm
test:
    mov $0x41, %edi
    mov $ping, %esi
    call set_gate
    mov $0x42, %edi
    mov $shootdown, %esi
    call set_gate
    mov $2, %edi
    mov $nmi, %esi
    call set_gate
    call apic_on
    movq $table + 3, pd + 8 * (WINDOW >> 21)
    movq $FRAME + 3, table
    movl $0x11111111, FRAME
    movl $0x22222222, FRAME + 0x1000
    call start_second
    # Fixed IPI by ID to a halted processor.
    await sleeping, 1
    mov $1000, %ebp
1:  mov pings, %r12d
    send 0x4041
2:  pause
    cmp pings, %r12d
    je 2b
    dec %ebp
    jnz 1b
    mov pings, %eax
    check_eq 1000, %rax
    # By shorthand "all but me"; by "all", which reaches this one too.
    movl $0xc4041, 0x300(%rbx)
    await pings, 1001
    sti
    movl $0x84041, 0x300(%rbx)
    await pings, 1003
    cli
    # Logical destination, flat model: its LDR is bit 1.
    movl $0x02000000, 0x310(%rbx)
    movl $0x4841, 0x300(%rbx)
    await pings, 1004
    # NMI reaches it although its interrupts are off.
    movl $1, deafen
    send 0x4041
    await deaf, 1
    send 0x4400
    await nmis, 1
    movl $0, deafen
    await deaf, 0
    # TLB shootdown: the other processor reads through the window all the time.
    movl $1, reading
    send 0x4041
    await read_first, 1
    movq $FRAME + 0x1003, table
    invlpg WINDOW
    send 0x4042
    await shot, 1
    mov $1000000, %ecx
3:  loop 3b
    mov after_shot, %eax
    check_eq 0x22222222, %rax
    movl $2, reading
    # Cross-modifying code: the other one waits, serialises, and calls.
    mov $1, %r13d
4:  mov %r13d, patched + 1
    mov %r13d, released
5:  pause
    cmp answered, %r13d
    jne 5b
    cmp seen_value, %r13d
    check e
    inc %r13d
    cmp $500, %r13d
    jb 4b
    # INIT while it runs: it waits for a SIPI then, and starts anew.
    movl $0, second_is_up
    movl $1, restarted
    call start_second
    await sleeping, 2
    jmp done

second:
    # After INIT: the local APIC's ID is its own, the x87 and SSE state is untouched, CR8 is 0.
    mov $APIC, %ebx
    mov 0x20(%rbx), %eax
    shr $24, %eax
    check_eq 1, %rax
    mov $0x1b, %ecx
    rdmsr
    and $0x100, %eax                       # no bootstrap processor
    check_eq 0, %rax
    movl $0x02000000, 0xd0(%rbx)
    movl $0xffffffff, 0xe0(%rbx)
    cmpl $1, restarted
    je 2f
    movl $1, sleeping
1:  sti
    hlt
    cli
    cmpl $1, deafen
    jne 3f
    movl $1, deaf
4:  pause
    cmpl $0, deafen
    jne 4b
    movl $0, deaf
3:  cmpl $1, reading
    jne 1b
    sti
    mov WINDOW, %eax
    check_eq 0x11111111, %rax
    movl $1, read_first
5:  mov WINDOW, %eax
    cmpl $1, shot
    jne 6f
    mov WINDOW, %eax
    mov %eax, after_shot
6:  cmpl $2, reading
    jne 5b
    mov $1, %r13d
7:  pause
    cmp released, %r13d
    jne 7b
    xor %eax, %eax
    cpuid                                  # serialises
    call patched
    mov %eax, seen_value
    mov %r13d, answered
    inc %r13d
    cmp $500, %r13d
    jb 7b
8:  jmp 8b
2:  movl $2, sleeping
    ret
ping:
    push %rax
    lock incl pings
    mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rax
    iretq
shootdown:
    push %rax
    invlpg WINDOW
    movl $1, shot
    mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rax
    iretq
nmi:
    lock incl nmis
    iretq
    .balign 64
patched:
    mov $0, %eax
    ret
    .bss
    .balign 64
pings: .long 0
nmis: .long 0
sleeping: .long 0
deafen: .long 0
deaf: .long 0
reading: .long 0
read_first: .long 0
shot: .long 0
after_shot: .long 0
released: .long 0
answered: .long 0
seen_value: .long 0
restarted: .long 0
    .balign 4096
table: .skip 4096
    .text
