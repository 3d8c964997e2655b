# x2APIC mode and the TSC-deadline timer (Intel SDM vol. 3, 11.5.4.1, 11.12).
    .include "guest.inc"
    .include "apic.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
.macro msr_write index, low, high=0
    mov $\index, %ecx
    mov $\low, %eax
    mov $\high, %edx
    wrmsr
.endm
test:
    mov $0x41, %edi
    mov $timer, %esi
    call set_gate
    mov $0x42, %edi
    mov $ipi, %esi
    call set_gate
    mov $0xff, %al
    out %al, $0x21
    out %al, $0xa1
    # The registers are no MSRs before; from xAPIC mode to x2APIC mode.
    mov $0x802, %ecx
    raises 13, 0, rdmsr
    mov $0x1b, %ecx
    rdmsr
    mov %eax, %ebx
    or $0xc00, %eax
    wrmsr
    rdmsr
    and $0xc00, %eax
    check_eq 0xc00, %rax
    # ID, version, logical ID.
    mov $0x802, %ecx
    rdmsr
    check_eq 0, %rax
    mov $0x803, %ecx
    rdmsr
    and $0xff, %eax
    cmp $0x14, %eax
    check ae
    mov $0x80d, %ecx
    rdmsr
    check_eq 1, %rax
    raises 13, 0, wrmsr                    # read-only
    mov $0x802, %ecx
    raises 13, 0, wrmsr
    mov $0x80e, %ecx                       # DFR is not there
    raises 13, 0, rdmsr
    mov $0x831, %ecx                       # nor ICR's upper half
    raises 13, 0, rdmsr
    msr_write 0x80f, 0x1ff
    # Reserved bits: #GP. EOI takes 0 only, ESR too.
    mov $0x80f, %ecx
    mov $0xffffffff, %eax
    raises 13, 0, wrmsr
    mov $0x80b, %ecx
    mov $1, %eax
    xor %edx, %edx
    raises 13, 0, wrmsr
    mov $0x828, %ecx
    raises 13, 0, wrmsr
    # A self-IPI by its register, by the ICR with a destination, by shorthand.
    msr_write 0x83f, 0x42
    sti
    nop
    cli
    mov ipis, %eax
    check_eq 1, %rax
    msr_write 0x830, 0x42, 0
    sti
    nop
    cli
    mov ipis, %eax
    check_eq 2, %rax
    msr_write 0x830, 0x40042, 0
    sti
    nop
    cli
    mov ipis, %eax
    check_eq 3, %rax
    # To a processor that is not there: nothing.
    msr_write 0x830, 0x42, 9
    sti
    nop
    cli
    mov ipis, %eax
    check_eq 3, %rax
    # TPR and CR8 are one.
    msr_write 0x808, 0x50
    mov %cr8, %rax
    check_eq 5, %rax
    xor %eax, %eax
    mov %rax, %cr8
    mov $0x808, %ecx
    rdmsr
    check_eq 0, %rax
    # TSC deadline: not before, and once only.
    msr_write 0x832, 0x40041
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    add $50000000, %rax                    # 50 ms: the host may stop us before it is read back
    mov %rax, %rbx
    mov %rax, %rdx
    shr $32, %rdx
    mov $0x6e0, %ecx
    wrmsr
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    cmp %rax, %rbx
    check e
1:  sti
    hlt
    cli
    cmpl $1, ticks
    jb 1b
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp %rbx, %rax
    check ae
    mov $0x6e0, %ecx
    rdmsr
    or %edx, %eax
    check_eq 0, %rax                       # it disarms itself
    # One in the past comes at once; 0 disarms.
    msr_write 0x6e0, 1
    sti
    nop
    cli
    mov ticks, %eax
    check_eq 2, %rax
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    add $50000000, %rax                    # here, too
    mov %rax, %rdx
    shr $32, %rdx
    mov $0x6e0, %ecx
    wrmsr
    msr_write 0x6e0, 0
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %rsi
    sti
2:  rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub %rsi, %rax
    cmp $60000000, %rax
    jb 2b
    cli
    mov ticks, %eax
    check_eq 2, %rax
    # One-shot and periodic work as in xAPIC mode; the current count falls.
    msr_write 0x83e, 0xb
    msr_write 0x832, 0x41
    msr_write 0x838, 1000000
    mov $0x839, %ecx
    rdmsr
    mov %eax, %ebx
    rdmsr
    cmp %ebx, %eax
    check be
3:  sti
    hlt
    cli
    cmpl $3, ticks
    jb 3b
    # The way back to xAPIC mode is through disabled only: #GP else.
    mov $0x1b, %ecx
    mov $0xfee00900, %eax
    xor %edx, %edx
    raises 13, 0, wrmsr
    mov $0xfee00100, %eax
    wrmsr
    mov $0xfee00500, %eax
    raises 13, 0, wrmsr
    mov $0xfee00900, %eax
    wrmsr
    call map_apics
    mov $APIC, %ebx
    movl $0x1ff, 0xf0(%rbx)
    mov 0x20(%rbx), %eax
    check_eq 0, %rax
    jmp done
timer:
    push %rax
    push %rcx
    push %rdx
    incl ticks
    msr_write 0x80b, 0
    pop %rdx
    pop %rcx
    pop %rax
    iretq
ipi:
    push %rax
    push %rcx
    push %rdx
    incl ipis
    msr_write 0x80b, 0
    pop %rdx
    pop %rcx
    pop %rax
    iretq
    .bss
ticks: .long 0
ipis: .long 0
    .text
