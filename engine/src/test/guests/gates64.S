# Call gates in IA-32e mode: 16-byte gates, 64-bit targets, null SS, far returns and jumps (Intel SDM vol. 3, 5.8.3.1, 5.8.5.1).
    .include "guest.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
# gate64 SELECTOR, TARGET, OFFSET, HIGH
.macro gate64 selector, target, offset, high
    mov $\offset, %rax
    mov %ax, gdt + \selector
    movw $\target, gdt + \selector + 2
    movw $\high, gdt + \selector + 4
    shr $16, %rax
    mov %ax, gdt + \selector + 6
    shr $16, %rax
    mov %rax, gdt + \selector + 8
.endm
    .set NOWHERE, 0

test:
    gate64 0x60, 0x08, inner, 0xec00
    gate64 0x70, 0x08, inner, 0x8c00
    gate64 0x80, 0x08, inner, 0x6c00
    gate64 0x90, 0x38, inner, 0xec00       # to 32-bit code
    gate64 0xa0, 0x10, inner, 0xec00       # to data
    gate64 0xb0, 0x08, inner, 0xec00
    movl $0x0100, gdt + 0xbc               # its upper half must have type 0
    gate64 0xc0, 0x20, inner, 0xec00       # to ring 3
    movabs $0x00af9f000000ffff, %rax
    mov %rax, gdt + 0xd0                   # conforming
    gate64 0xd8, 0xd0, conforming, 0xec00
    movq $ist1_top, tss + 12               # ring 1
    movabs $0x00afbb000000ffff, %rax
    mov %rax, gdt + 0xe8
    gate64 0xf0, 0xe8, ring1, 0xec00
    # The same privilege: 8-byte CS and RIP.
    mov %rsp, %rbp
    lcall *pointer70
    check_eq 0x10, %rbx
    lea -16(%rbp), %rax
    cmp %rax, %rdx
    check e
    cmp %rsp, %rbp
    check e
    raises 13, 0x20, lcall *pointerc0
    # With REX.W the offset has 64 bits.
    mov $0, %ecx
    .byte 0x48
    ljmp *pointer_far64
    jmp bad
far64:
    .byte 0x48
    lcall *pointer_call64
    check_eq 7, %rcx
    faulting
    .byte 0x48
    ljmp *pointer_bad64
    faulted 13, 0
    # To and from compatibility mode by far transfers.
    ljmp *pointer38
    .code32
mode32:
    mov %cs, %ebx
    lcall $0x08, $mode64
    mov %cs, %ecx
    ljmp $0x08, $back
    .code64
mode64:
    mov %cs, %edx
    lretl
back:
    check_eq 0x38, %rbx
    check_eq 0x38, %rcx
    check_eq 0x08, %rdx
    # Direct far jumps and calls do not exist in 64-bit mode.
    raises 6, -1, .byte 0xea, 0, 0, 0, 0, 0, 0
    raises 6, -1, .byte 0x9a, 0, 0, 0, 0, 0, 0

    enter_user
    lcall *pointer60
after:
    mov %cs, %eax
    check_eq 0x23, %rax
    mov %ss, %eax
    check_eq 0x1b, %rax
    check_eq 0, %rbx                       # SS was null with RPL 0
    check_eq ring0_top-32, %rdx
    mov %rsp, %rax
    check_eq user_top, %rax
    lcall *pointerf0
    check_eq 1, %rbx                       # null with RPL 1
    check_eq 0xe9, %rcx
    lcall *pointerd8
    check_eq 0xd3, %rbx
    raises 13, 0x70, lcall *pointer70
    raises 11, 0x80, lcall *pointer80
    raises 13, 0x38, lcall *pointer90
    raises 13, 0x10, lcall *pointera0
    raises 13, 0xb0, lcall *pointerb0
    raises 13, 0x08, ljmp *pointer60
    # From ring 3 compatibility mode through the same gate.
    ljmp *pointer53
    .code32
user32:
    lcall $0x60, $0
    mov %cs, %esi
    int $0x30
    .code64
    check_eq 0, %rbx
    check_eq ring0_top-32, %rdx
    check_eq 0x53, %rsi
    # A non-canonical stack in the TSS: #SS.
    movabs $0x8000000000000000, %rax
    mov %rax, tss + 12
    enter_user
    raises 12, -1, lcall *pointerf0
    leave_user
    jmp done
bad:
    mov $text, %edi
    jmp fail

inner:
    mov %ss, %ebx
    mov %rsp, %rdx
    mov %cs, %eax
    check_eq 0x08, %rax
    rex.w lret
ring1:
    mov %ss, %ebx
    mov %cs, %ecx
    rex.w lret
conforming:
    mov %cs, %ebx
    rex.w lret
called64:
    mov $7, %ecx
    rex.w lret
    .section .rodata
text: .asciz "went on after a jump\n"
    .irp selector, 60, 70, 80, 90, a0, b0, c0, d8, f0
pointer\selector: .long 0x12345678
    .word 0x\selector
    .endr
pointer38: .long mode32
    .word 0x38
pointer53: .long user32
    .word 0x53
pointer_far64: .quad far64
    .word 0x08
pointer_call64: .quad called64
    .word 0x08
pointer_bad64: .quad 0x800000000000
    .word 0x08
    .text
