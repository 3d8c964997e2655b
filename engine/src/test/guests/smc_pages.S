# Code that changes in less plain ways (Intel SDM vol. 3, 8.1.3, 4.10.4): by REP within its own block, an instruction that lies
# across two pages, another page mapped at the same address, a write through CR0.WP, code on the stack, a loop that changes its own body,
# an instruction that overwrites itself or the next, code in fresh pages again and again.
    .include "guest.inc"
    .set WINDOW, 0x20000000
    .set FRAME, 0x1000000
test:
    movq $table + 7, pd + 8 * 256
    # Two frames with different code, mapped in turn at one address.
    movb $0xb8, FRAME                      # mov $1, %eax; ret
    movl $1, FRAME + 1
    movb $0xc3, FRAME + 5
    movb $0xb8, FRAME + 0x1000
    movl $2, FRAME + 0x1001
    movb $0xc3, FRAME + 0x1005
    mov $WINDOW, %r8d
    mov $100, %r9d
1:  movq $FRAME + 3, table
    invlpg WINDOW
    call *%r8
    check_eq 1, %rax
    movq $FRAME + 0x1003, table
    invlpg WINDOW
    call *%r8
    check_eq 2, %rax
    dec %r9d
    jnz 1b
    # By a load of CR3 instead.
    mov $100, %r9d
2:  xorq $0x1000, table
    mov %cr3, %rax
    mov %rax, %cr3
    call *%r8
    mov %eax, %ebx
    xorq $0x1000, table
    mov %cr3, %rax
    mov %rax, %cr3
    call *%r8
    add %ebx, %eax
    check_eq 3, %rax
    dec %r9d
    jnz 2b
    # An instruction across two pages: either half changes, in memory or by the mapping.
    movq $FRAME + 0x2003, table + 8
    movq $FRAME + 0x3003, table + 16
    movw $0x11b8, FRAME + 0x2ffe           # mov $0x44332211, %eax; ret
    movl $0xc3443322, FRAME + 0x3000
    mov $WINDOW + 0x1ffe, %r8d
    call *%r8
    check_eq 0x44332211, %rax
    movb $0x99, FRAME + 0x2fff
    call *%r8
    mov %eax, %eax
    check_eq 0x44332299, %rax
    movb $0x77, FRAME + 0x3002
    call *%r8
    check_eq 0x77332299, %rax
    movl $0xc3111111, FRAME + 0x4000
    movq $FRAME + 0x4003, table + 16
    invlpg WINDOW + 0x2000
    call *%r8
    check_eq 0x11111199, %rax
    # The second page goes away: #PF with the address there, the instruction as RIP.
    movq $0, table + 16
    invlpg WINDOW + 0x2000
    mov %rsp, %rbp
    faulting
    call *%r8
    faulted 14
    mov %rbp, %rsp
    mov caught_cr2, %rax
    check_eq WINDOW+0x2000, %rax
    mov caught_rip, %rax
    check_eq WINDOW+0x1ffe, %rax
    # An instruction that overwrites itself runs as it was; the next time as it is.
    mov $0x90909090, %eax
    mov $self, %edi
    call self
    check_eq 0x90909090, %rax
    mov $self, %edi
    movl $0, 0x200000
    call self                              # no store now
    check_eq self, %rdi
    # REP STOSB over the instructions that follow it.
    mov $0x90, %al                         # NOPs over the UD2s
    mov $after_rep, %edi
    mov $8, %ecx
    rep stosb
after_rep:
    ud2
    ud2
    ud2
    ud2
    # REP MOVSB that overwrites itself in the middle: what was fetched goes on.
    mov $replacement, %esi
    mov $over, %edi
    mov $replacement_end - replacement, %ecx
    mov $0, %ebx
over:
    rep movsb
    nop
    nop
    add $1, %ebx
    mov $overwritten, %eax
    jmp *%rax
replacement:
    rep movsb
    nop
    nop
    add $2, %ebx
    mov $overwritten2, %eax
    jmp *%rax
replacement_end:
    .skip 16, 0xcc
overwritten:
    mov $text, %edi
    jmp fail
overwritten2:
    check_eq 2, %rbx
    # A loop that changes an immediate in its own body.
    xor %eax, %eax
    mov $300, %ecx
3:  add $1, %eax
patch_end:
    incb patch_end - 1
    loop 3b
    # 1 + 2 + ... + 127, then 128 to 255 as -128 to -1, 0, 1, ... 44
    xor %edx, %edx
    mov $1, %ebx
    mov $300, %ecx
4:  movsbl %bl, %esi
    add %esi, %edx
    inc %ebx
    loop 4b
    cmp %edx, %eax
    check e
    # Code on the stack.
    pushq $0
    movl $0x00c3c889, (%rsp)               # mov %ecx, %eax; ret
    mov $0x1234, %ecx
    call *%rsp
    check_eq 0x1234, %rax
    pop %rax
    # Read-only code written with CR0.WP clear through the same address.
    movq $FRAME + 1, table
    invlpg WINDOW
    mov $WINDOW, %r8d
    call *%r8
    check_eq 1, %rax
    mov %cr0, %rbx
    mov %rbx, %rax
    btr $16, %rax
    mov %rax, %cr0
    movl $5, WINDOW + 1
    mov %rbx, %cr0
    call *%r8
    check_eq 5, %rax
    # Thousands of blocks in many pages, each written, run, written and run again.
    mov $2, %r10d
5:  mov $FRAME + 0x100000, %edi
    mov $2000, %ecx
6:  movb $0xb8, (%rdi)
    mov %ecx, 1(%rdi)
    movb $0xc3, 5(%rdi)
    call *%rdi
    cmp %ecx, %eax
    check e
    add $333, %edi
    dec %ecx
    jnz 6b
    dec %r10d
    jnz 5b
    # The same bytes as 64-bit and as 32-bit code: 48 is REX.W there, DEC EAX here.
    movl $0x00c3c889, FRAME + 0x50000
    mov $0x10, %eax
    mov $both, %edi
    call both
    check_eq 0x10, %rax
    ljmp *far32
    .code32
compatible:
    mov $0x10, %eax
    call both
    mov %eax, %ebx
    ljmp $0x08, $back64
    .code64
back64:
    check_eq 0x0f, %rbx
    jmp done
    .balign 16
both:
    .byte 0x48, 0x89, 0xc0                 # mov %rax, %rax; or dec %eax; mov %eax, %eax
    ret
    .balign 16
self:
    mov %eax, (%rdi)
    nop
    nop
    ret
    .section .rodata
text: .asciz "the old jump was taken\n"
far32: .long compatible
    .word 0x38
    .bss
    .balign 4096
table: .skip 4096
    .text
