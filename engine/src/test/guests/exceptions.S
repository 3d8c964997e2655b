# Exceptions in 64-bit mode (Intel SDM vol. 3, 6.15): each vector, error codes, RIP of faults and traps, RF in the pushed
# flags, the interrupt stack table, double faults (table 6-5), #AC, #NM, bad IDT entries.
    .include "guest.inc"
.macro raises vector, error, instruction:vararg
    faulting
5:  \instruction
    faulted \vector, \error
    movq $5b, %rax
    cmp caught_rip, %rax
    check e
.endm
.macro check_resume bit
    mov caught_flags, %rax
    and $0x10000, %eax
    check_eq \bit, %rax
.endm

test:
    mov %rsp, %r15
    # 0: divide by zero, and overflow of the quotient. Nothing changes.
    mov $7, %eax
    xor %edx, %edx
    xor %ecx, %ecx
    mov $0x99, %esi
    raises 0, -1, div %ecx
    check_resume 0x10000
    mov $1, %ecx
    mov $5, %edx
    mov $7, %eax
    faulting
    div %ecx
    faulted 0
    check_eq 7, %rax
    check_eq 5, %rdx
    movabs $0x8000000000000000, %rax
    cqo
    mov $-1, %rcx
    raises 0, -1, idiv %rcx
    # 3: INT3 is a trap: RIP is the next instruction, RF clear.
    faulting
    int3
6:  faulted 3
    mov $6b, %rax
    cmp caught_rip, %rax
    check e
    check_resume 0
    faulting
    .byte 0xcd, 3
    faulted 3
    # 4: INT 4 from software; INTO itself does not exist in 64-bit mode: #UD. In compatibility mode it traps.
    raises 6, -1, .byte 0xce
    ljmp *far32
    .code32
compatible:
    mov $0x7fffffff, %eax
    inc %eax
    movl $1f, resume
    into
    jmp bad32
1:  cmpl $4, caught_vector
    jne bad32
    clc
    xor %eax, %eax
    into                                   # OF clear: nothing
    # 5: BOUND.
    mov $10, %ecx
    bound %ecx, bounds
    mov $11, %ecx
    movl $1f, resume
2:  bound %ecx, bounds
    jmp bad32
1:  cmpl $5, caught_vector
    jne bad32
    cmpl $2b, caught_rip
    jne bad32
    # AAM 0.
    movl $1f, resume
    aam $0
    jmp bad32
1:  cmpl $0, caught_vector
    jne bad32
    ljmp $0x08, $back64
bad32:
    ljmp $0x08, $bad
    .code64
bad:
    mov $text, %edi
    jmp fail
back64:
    # 6: UD2, UD1, LOCK where it may not be, an instruction that 64-bit mode has not.
    raises 6, -1, ud2
    raises 6, -1, .byte 0x0f, 0xb9, 0xc0
    raises 6, -1, .byte 0x0f, 0xff, 0xc0
    raises 6, -1, .byte 0xf0, 0x89, 0x03
    raises 6, -1, .byte 0xf0, 0x01, 0xc0
    raises 6, -1, .byte 0x06
    raises 6, -1, .byte 0x0f, 0x0b
    check_resume 0x10000
    # 7: CR0.TS with SSE, x87 and WAIT (with MP); CR0.EM: SSE #UD.
    mov %cr0, %rbx
    mov %rbx, %rax
    or $8, %eax
    mov %rax, %cr0
    raises 7, -1, movaps %xmm0, %xmm1
    raises 7, -1, fwait
    raises 7, -1, .byte 0xd9, 0xe8
    raises 7, -1, movd %eax, %mm0
    clts
    mov %rbx, %rax
    or $4, %eax
    mov %rax, %cr0
    raises 6, -1, movaps %xmm0, %xmm1
    raises 7, -1, .byte 0xd9, 0xe8
    mov %rbx, %cr0
    # CR4.OSFXSR clear: SSE #UD.
    mov %cr4, %rbx
    mov %rbx, %rax
    and $~0x200, %eax
    mov %rax, %cr4
    raises 6, -1, movaps %xmm0, %xmm1
    mov %rbx, %cr4
    # 10 to 13 have selector error codes: index, TI, IDT bit, EXT.
    mov $0x1234, %eax
    raises 13, 0x1234, mov %eax, %ds
    mov $0x1237, %eax
    raises 13, 0x1234, mov %eax, %ds

    # 17: alignment, only in ring 3 with AM and AC.
    mov %cr0, %rax
    or $0x40000, %eax
    mov %rax, %cr0
    pushq $0x40002
    popfq
    mov aligned + 1, %eax                  # ring 0: nothing
    movb $1, idt + 17 * 16 + 4             # IST1
    pushq $0x1b
    pushq $user_top
    pushq $0x43002
    pushq $0x23
    pushq $1f
    iretq
1:  mov aligned, %eax
    mov aligned + 1, %al
    raises 17, 0, mov aligned + 1, %ax
    raises 17, 0, mov %eax, aligned + 2
    raises 17, 0, mov aligned + 4, %rax
    raises 17, 0, incl aligned + 1
    raises 17, 0, movsd aligned + 4, %xmm0
    raises 13, 0, movaps aligned + 1, %xmm0
    push %rax
    leave_user
    pushq $2
    popfq
    # 19: SIMD floating point, unmasked; without OSXMMEXCPT it is #UD.
    movl $0x1d80, scratch                  # ZM clear
    ldmxcsr scratch
    mov $0x3f800000, %eax
    movd %eax, %xmm0
    xorps %xmm1, %xmm1
    raises 19, -1, divss %xmm1, %xmm0
    mov %cr4, %rbx
    mov %rbx, %rax
    and $~0x400, %eax
    mov %rax, %cr4
    raises 6, -1, divss %xmm1, %xmm0
    mov %rbx, %cr4
    movl $0x1f80, scratch
    ldmxcsr scratch
    movl $0x10000, scratch
    raises 13, 0, ldmxcsr scratch
    # 2: NMI by INT 2 is an ordinary interrupt.
    faulting
    int $2
    faulted 2
    # IST: the handler of vector 6 on IST1, aligned to 16 bytes; CS, SS, RSP of the frame.
    movq $ist1_top - 3, tss + 36
    mov $6, %edi
    mov $on_ist, %esi
    call set_gate
    movb $1, idt + 6 * 16 + 4
    mov %rsp, %rbp
    ud2
    nop
    cmp %rsp, %rbp
    check e
    mov $stubs + 6 * 16, %esi
    mov $6, %edi
    call set_gate
    movq $ist1_top, tss + 36
    # A handler's code segment: not present #NP with the selector and EXT; null #GP(EXT).
    movw $0x60, idt + 6 * 16 + 2
    movabs $0x00af1b000000ffff, %rax
    mov %rax, gdt + 0x60
    raises 11, 0x61, ud2
    movw $0, idt + 6 * 16 + 2
    raises 13, 1, ud2
    movw $0x38, idt + 6 * 16 + 2           # 32-bit code
    raises 13, 0x39, ud2
    movw $0x10, idt + 6 * 16 + 2           # data
    raises 13, 0x11, ud2
    movw $0x08, idt + 6 * 16 + 2
    # The gate not present: #NP(vector * 8 + 2 + EXT). From INT n EXT is clear.
    andb $0x7f, idt + 6 * 16 + 5
    raises 11, 6*8+3, ud2
    raises 11, 6*8+2, int $6
    # Two contributory faults: a double fault with code 0 (#GP while delivering #GP).
    andb $0x7f, idt + 13 * 16 + 5
    mov $0x1234, %eax
    movb $1, idt + 8 * 16 + 4
    faulting
    mov %eax, %ds
    faulted 8, 0
    # #PF while delivering #PF; the second address is in CR2. A benign one first is no double fault.
    orb $0x80, idt + 13 * 16 + 5
    orb $0x80, idt + 6 * 16 + 5
    movq $0, pd + 8 * 20
    invlpg 20 * 0x200000
    movabs $0x0000000002800100, %rax
    mov idt + 14 * 16, %rbx
    mov idt + 14 * 16 + 8, %rcx
    movb $2, idt + 14 * 16 + 4             # IST2 in the missing page
    movq $0x2800200, tss + 44
    faulting
    mov (%rax), %al
    faulted 8, 0
    mov caught_cr2, %rax
    check_eq 0x28001f8, %rax
    mov %rbx, idt + 14 * 16
    movb $2, idt + 6 * 16 + 4              # #UD, then #PF on its stack: delivered as #PF
    faulting
    ud2
    faulted 14, 2
    # A contributory fault while delivering #PF: double fault; #PF while delivering #GP: #PF.
    movb $0, idt + 6 * 16 + 4
    andb $0x7f, idt + 14 * 16 + 5
    faulting
    mov 0x2800000, %al
    faulted 8, 0
    orb $0x80, idt + 14 * 16 + 5
    movb $2, idt + 13 * 16 + 4
    mov $0x1234, %eax
    faulting
    mov %eax, %ds
    faulted 14, 2
    movb $0, idt + 13 * 16 + 4
    # An IDT that ends before the vector: #GP(vector * 8 + 2 [+ EXT]).
    movw $0x1f * 16 - 1, idt_pointer
    lidt idt_pointer
    raises 13, 0x20*8+2, int $0x20
    # A stack that is not canonical: #SS is on IST1, #GP within #SS delivery else.
    mov %r15, %rsp
    jmp done

on_ist:
    mov %rsp, %rax
    check_eq (ist1_top-16-40), %rax
    mov (%rsp), %rax
    addq $2, (%rsp)
    cmpq $0x08, 8(%rsp)
    check e
    cmpq $0x10, 32(%rsp)
    check e
    cmp 24(%rsp), %rbp
    check e
    iretq
    .section .rodata
text: .asciz "no exception in compatibility mode\n"
far32: .long compatible
    .word 0x38
    .balign 4
bounds: .long 0, 10
    .bss
    .balign 64
aligned: .skip 64
scratch: .skip 16
    .text
