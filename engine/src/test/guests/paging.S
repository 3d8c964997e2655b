# Page faults and their error codes (Intel SDM vol. 3, 4.7), accessed and dirty flags (4.8), write protection, NX.
    .include "guest.inc"
    .set VICTIM, 0x800000          # inside the 2 MiB page at PD index 4
test:
    # Not present, supervisor read: error code 0.
    movq $0, pd + 8 * 4
    invlpg VICTIM
    faulting
    mov VICTIM + 8, %rax
    faulted 14, 0
    mov caught_cr2, %rax
    check_eq VICTIM + 8, %rax
    # Not present, write: W/R.
    faulting
    movb $1, VICTIM
    faulted 14, 2
    # Present, read-only with CR0.WP: P and W/R.
    movq $VICTIM + 0x81, pd + 8 * 4
    faulting
    movb $1, VICTIM
    faulted 14, 3
    # A read sets the accessed flag only.
    mov VICTIM, %al
    mov pd + 8 * 4, %rax
    check_eq VICTIM + 0xa1, %rax
    # A write sets the dirty flag as well.
    movq $VICTIM + 0x83, pd + 8 * 4
    invlpg VICTIM
    movb $1, VICTIM
    mov pd + 8 * 4, %rax
    check_eq VICTIM + 0xe3, %rax
    # Without CR0.WP a supervisor may write.
    movq $VICTIM + 0x81, pd + 8 * 4
    invlpg VICTIM
    mov %cr0, %rbx
    mov %rbx, %rax
    btr $16, %rax
    mov %rax, %cr0
    movb $2, VICTIM
    mov %rbx, %cr0
    # Execution of a page with NX: I/D and P.
    movq $VICTIM + 0x83, pd + 8 * 4
    invlpg VICTIM
    movb $0xc3, VICTIM
    movabs $0x8000000000000083 + VICTIM, %rax
    mov %rax, pd + 8 * 4
    invlpg VICTIM
    mov %rsp, %rbp
    mov $VICTIM, %eax
    faulting
    call *%rax
    faulted 14, 0x11
    mov %rbp, %rsp
    # Reserved bit: RSVD and P.
    mov $VICTIM + 0x2083, %eax          # bits 13 to 20 of a 2 MiB entry
    mov %rax, pd + 8 * 4
    invlpg VICTIM
    faulting
    mov VICTIM, %al
    faulted 14, 9
    # A write across a page border whose second half is absent changes nothing.
    movq $VICTIM + 0x83, pd + 8 * 4
    movq $0, pd + 8 * 5
    invlpg VICTIM
    invlpg VICTIM + 0x200000
    movl $0x11223344, VICTIM + 0x1ffffc
    faulting
    movq $-1, VICTIM + 0x1ffffc
    faulted 14, 2
    mov VICTIM + 0x1ffffc, %eax
    check_eq 0x11223344, %rax
    mov caught_cr2, %rax
    check_eq VICTIM + 0x200000, %rax
    # Non-canonical: #GP(0), through the stack #SS(0).
    movabs $0x800000000000, %rbx
    faulting
    mov (%rbx), %al
    faulted 13, 0
    movb $1, idt + 12 * 16 + 4     # #SS on IST1: the stack itself is unusable
    mov %rsp, %rbp
    mov %rbx, %rsp
    faulting
    pop %rax
    jmp 1f
    faulted 12, 0
    mov %rbp, %rsp
    ret
1:  mov %rbp, %rsp
    movl $text, %edi
    jmp fail
    .section .rodata
text: .asciz "no #SS\n"
