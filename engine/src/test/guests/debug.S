# Debug exceptions (Intel SDM vol. 3, 18.2, 18.3): single step, instruction breakpoints and RF, data and I/O breakpoints, MOV SS,
# general detect, INT1, DR4/DR5, POPF, system calls and strings under TF.
    .include "guest.inc"
.macro clear_dr6
    mov $0xffff0ff0, %eax
    mov %rax, %dr6
.endm
# DR6 must be the bits that are always 1 and these.
.macro check_dr6 bits
    mov %dr6, %rax
    and $0xe00f, %eax
    check_eq \bits, %rax
.endm
# The next instruction, with TF set by POPF before it, must trap after `6`.
.macro stepping
    clear_dr6
    movq $78f, resume
    movl $-1, caught_vector
    pushfq
    orq $0x100, (%rsp)
    popfq
.endm
.macro stepped
6:  nop
    nop
    nop
    movl $79f, %edi
    jmp fail
78: movl $79f, %edi
    cmpl $1, caught_vector
    jne fail
    mov $6b, %rax
    cmp caught_rip, %rax
    jne fail
    mov stepped_flags, %rax
    test $0x100, %eax                      # TF in the pushed flags
    jz fail
    .pushsection .rodata
79: .asciz "not stepped (\@)\n"
    .popsection
.endm

test:
    mov $trap, %esi
    mov $1, %edi
    call set_gate
    # Single step of ordinary instructions, a jump, a string, a call.
    stepping
    nop
    stepped
    check_dr6 0x4000
    stepping
    jmp 6f
    stepped
    stepping
    call 6f
    stepped
    pop %rax
    mov $3, %ecx
    mov $scratch, %edi
    xor %eax, %eax
    stepping
    rep stosb                              # one repetition at a time: RIP is still there
6:  jmp bad
78: check_eq 2, %rcx
    mov $6b - 2, %rax
    cmp caught_rip, %rax
    check e
    # POPF that clears TF traps once more; PUSHF shows TF.
    stepping
    pushfq
    stepped
    pop %rax
    and $0x100, %eax
    check_eq 0x100, %rax
    # MOV SS holds the trap back until after the next instruction.
    mov $0x10, %ecx
    stepping
    mov %ecx, %ss
    nop
    stepped
    # HLT is left by the trap only after an interrupt: not tried. An exception clears TF for its handler.
    stepping
    ud2
6:  jmp bad
78: cmpl $6, caught_vector
    check e
    pushfq
    andq $~0x100, (%rsp)
    popfq
    # INT n: TF is clear in the handler, set again after it; the trap comes after the next instruction.
    mov $0x41, %edi
    mov $returning, %esi
    call set_gate
    stepping
    int $0x41
    nop
    stepped
    # INT3 and INT1 are traps of their own; INT1 does not touch DR6.
    clear_dr6
    faulting
    int3
    faulted 3
    clear_dr6
    faulting
    .byte 0xf1
    faulted 1
    check_dr6 0

    # Instruction breakpoint: a fault, before the instruction, the only one that pushes RF as 0; the handler sets it
    # to get past.
    mov $here, %eax
    mov %rax, %dr0
    mov $0x402, %eax                       # G0, bit 10 is always 1
    mov %rax, %dr7
    clear_dr6
    movq $0, resume
    movl $0, hits
    xor %ecx, %ecx
here:
    inc %ecx
    check_eq 1, %rcx
    mov hits, %eax
    check_eq 1, %rax
    mov caught_flags, %rax
    and $0x10000, %eax
    check_eq 0, %rax
    mov $here, %eax
    cmp caught_rip, %rax
    check e
    check_dr6 1
    # Not enabled: nothing. DR6 is not set by it then.
    mov $0x400, %eax
    mov %rax, %dr7
    clear_dr6
    movl $0, hits
    call here2
    mov hits, %eax
    check_eq 0, %rax
    # After MOV SS the breakpoint of the next instruction is not met.
    mov $after_ss, %eax
    mov %rax, %dr1
    mov $0x408, %eax
    mov %rax, %dr7
    mov $0x10, %ecx
    mov %ecx, %ss
after_ss:
    nop
    mov hits, %eax
    check_eq 0, %rax
    # In a loop it is met each time.
    mov $5, %ecx
    mov $looped, %eax
    mov %rax, %dr1
looped:
    loop looped
    mov hits, %eax
    check_eq 5, %rax

    # Data breakpoints are traps: 1, 2, 4 and 8 bytes, write or access, partly overlapped.
    movl $0, hits
    mov $scratch, %eax
    mov %rax, %dr2
    mov $0x01000420, %eax                  # G2, R/W2 = 1: writes, one byte
    mov %rax, %dr7
    clear_dr6
    mov scratch, %al
    mov hits, %eax
    check_eq 0, %rax
    movb $1, scratch
t1: mov hits, %eax
    check_eq 1, %rax
    mov $t1, %eax
    cmp caught_rip, %rax
    check e
    check_dr6 4
    movb $1, scratch + 1
    movl $1, scratch - 4
    mov hits, %eax
    check_eq 1, %rax
    movl $1, scratch - 3
    movq $1, scratch - 7
    incb scratch
    lock xadd %al, scratch
    movups %xmm0, scratch - 8
    mov hits, %eax
    check_eq 6, %rax
    # Reads and writes of four bytes.
    mov $0x0f000420, %eax
    mov %rax, %dr7
    clear_dr6
    movl $0, hits
    mov scratch + 3, %al
    mov scratch + 4, %al
    mov scratch - 1, %al
    mov scratch - 1, %ax
    cmpb $0, scratch + 2
    mov hits, %eax
    check_eq 3, %rax
    check_dr6 4
    # Eight bytes (LEN 2), an access that goes beyond a page's end.
    mov $page, %eax
    mov %rax, %dr3
    mov $0xb0000480, %eax                  # G3, LEN 2, R/W 3
    mov %rax, %dr7
    clear_dr6
    movl $0, hits
    movq $-1, page - 4
    mov page + 7, %al
    mov page + 8, %al
    mov hits, %eax
    check_eq 2, %rax
    check_dr6 8
    # In REP MOVS after the iteration; in PUSH and CALL.
    mov $0x10000480, %eax                  # G3, LEN 0, writes
    mov %rax, %dr7
    movl $0, hits
    mov $page - 4, %edi
    mov $scratch, %esi
    mov $8, %ecx
    rep movsb
    mov hits, %eax
    check_eq 1, %rax
    mov caught_rcx, %rax
    check_eq 3, %rax                       # five bytes were done
    mov %rsp, %rbp
    mov $page + 8, %esp
    push %rax
    mov %rbp, %rsp
    mov hits, %eax
    check_eq 2, %rax
    # Two at once, with a single step.
    mov $page, %eax
    mov %rax, %dr0
    mov $0x10010482, %eax                  # writes at DR0 and DR3
    mov %rax, %dr7
    movq $0, dr6_seen
    clear_dr6
    movl $0, hits
    pushfq
    orq $0x100, (%rsp)
    popfq
    movb $1, page
    pushfq
    andq $~0x100, (%rsp)
    popfq
    nop
    mov dr6_seen, %rax
    and $0xe00f, %eax
    check_eq 0x4009, %rax
    # A faulting instruction meets no data breakpoint.
    mov $0x10000480, %eax
    mov %rax, %dr7
    clear_dr6
    movl $0, hits
    movq $0, pd + 8 * 20
    invlpg 0x2800000
    mov %rsp, %rbp
    faulting
    movq 0x2800000, %xmm0
    faulted 14
    check_dr6 0
    # I/O breakpoints with CR4.DE.
    mov %cr4, %rax
    or $8, %eax
    mov %rax, %cr4
    mov $0x80, %eax
    mov %rax, %dr2
    mov $0x02000420, %eax                  # R/W2 = 2
    mov %rax, %dr7
    clear_dr6
    movl $0, hits
    out %al, $0x80
    out %al, $0x81
    in $0x80, %al
    mov hits, %eax
    check_eq 2, %rax
    check_dr6 4
    # With DE, DR4 and DR5 are #UD; without, they are DR6 and DR7.
    faulting
    .byte 0x0f, 0x21, 0xe0
    faulted 6
    mov %cr4, %rax
    and $~8, %eax
    mov %rax, %cr4
    .byte 0x0f, 0x21, 0xe8                 # mov %dr5, %rax
    check_eq 0x02000420, %rax
    # General detect: a MOV to or from a debug register is a fault with BD; the handler's DR7 has GD clear.
    mov $0x2400, %eax
    mov %rax, %dr7
    faulting
    mov %dr0, %rcx
    faulted 1
    mov %dr6, %rax
    and $0x2000, %eax
    check_eq 0x2000, %rax
    mov %dr7, %rax
    check_eq 0x400, %rax
    # The upper halves of DR6 and DR7 cannot be set: #GP(0).
    movabs $0x100000000, %rcx
    faulting
    mov %rcx, %dr7
    faulted 13, 0
    faulting
    mov %rcx, %dr6
    faulted 13, 0
    # SYSCALL with TF in SFMASK: no trap in the entry; SYSRET with TF traps after the next user instruction... and
    # without the mask the entry's first instruction is stepped.
    mov $0xc0000081, %ecx
    xor %eax, %eax
    mov $0x00100008, %edx
    wrmsr
    mov $0xc0000082, %ecx
    mov $entry, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000084, %ecx
    mov $0x100, %eax
    wrmsr
    movl $0, hits
    clear_dr6
    enter_user
    pushfq
    orq $0x100, (%rsp)
    popfq
    syscall
back:
    nop
    pushfq
    andq $~0x100, (%rsp)
    popfq
    nop
    leave_user
    mov hits, %eax
    mov entered, %ecx
    check_eq 1, %rcx
    check_eq 4, %rax                       # nop, pushfq, andq, popfq
    jmp done
bad:
    mov $text, %edi
    jmp fail

entry:
    incl entered
    sysretq
here2:
    ret
returning:
    iretq
# Counts, and goes on at the same place, or leaves as `exception` does when `resume` is set.
trap:
    push %rax
    incl hits
    mov %rcx, caught_rcx
    mov %dr6, %rax
    or %rax, dr6_seen
    mov 8(%rsp), %rax
    mov %rax, caught_rip
    mov 24(%rsp), %rax
    mov %rax, caught_flags
    cmpq $0, resume
    jne 1f
    orq $0x10000, 24(%rsp)
    pop %rax
    iretq
1:  mov %rax, stepped_flags
    andq $~0x100, 24(%rsp)
    pop %rax
    pushq $0
    pushq $1
    jmp exception
    .section .rodata
text: .asciz "went on\n"
    .bss
hits: .long 0
entered: .long 0
stepped_flags: .quad 0
dr6_seen: .quad 0
caught_rcx: .quad 0
    .balign 64
    .skip 16
scratch: .skip 64
    .balign 4096
    .skip 4096
page: .skip 64
    .text
