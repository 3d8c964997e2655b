# SYSCALL, SYSRET, SYSENTER and SYSEXIT (Intel SDM vol. 2; vol. 3, 5.8.7, 5.8.8).
    .include "guest.inc"

test:
    # STAR: kernel 0x08/0x10; user 0x63 (32-bit), 0x6b data, 0x73 (64-bit).
    movabs $0x00cffb000000ffff, %rax
    mov %rax, gdt + 0x60
    movabs $0x00cff3000000ffff, %rax
    mov %rax, gdt + 0x68
    movabs $0x00affb000000ffff, %rax
    mov %rax, gdt + 0x70
    mov $0xc0000081, %ecx
    xor %eax, %eax
    mov $0x00600008, %edx
    wrmsr
    mov $0xc0000082, %ecx
    mov $entry, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000083, %ecx
    mov $compatible_entry, %eax
    wrmsr
    mov $0xc0000084, %ecx
    mov $0x40700, %eax                     # AC, DF, IF, TF
    wrmsr
    # A non-canonical LSTAR is refused.
    mov $0xc0000082, %ecx
    mov $0x8000, %edx
    faulting
    wrmsr
    faulted 13, 0
    enter_user
    mov $0x11112222, %ebx
    pushq $0x3cd7                          # arithmetic flags, DF, OF, IOPL 3
    popfq
    mov %rsp, %rbp
    syscall
returned:
    pushfq
    pop %r12
    cld
    mov %cs, %eax
    check_eq 0x73, %rax
    mov %ss, %eax
    check_eq 0x6b, %rax
    mov $returned, %eax
    cmp %rax, %rcx
    check e
    check_eq 0x3cd7, %r12                  # from R11
    cmp %rsp, %rbp
    check e
    check_eq 0x11112222, %rbx
    # To compatibility mode through SYSRET without REX.W: RIP is ECX.
    mov $1, %ebx
    syscall
    jmp bad
    .code32
compatible:
    mov %cs, %eax
    cmp $0x63, %eax
    jne bad32
    mov %ss, %eax
    cmp $0x6b, %eax
    jne bad32
    mov $2, %ebx
    int $0x30
    .code64
    check_eq 2, %rbx
    # SYSRET to a non-canonical address: #GP in ring 0 with the user's stack.
    movb $1, idt + 13 * 16 + 4
    movabs $0x800000000000, %rcx
    mov $2, %r11
    faulting
    sysretq
    faulted 13, 0
    movb $0, idt + 13 * 16 + 4
    # SYSCALL and SYSRET without EFER.SCE: #UD. SYSRET in ring 3: #GP(0).
    mov $0xc0000080, %ecx
    rdmsr
    and $~1, %eax
    wrmsr
    faulting
    syscall
    faulted 6
    faulting
    sysretq
    faulted 6
    or $1, %eax
    mov $0xc0000080, %ecx
    xor %edx, %edx
    rdmsr
    or $1, %eax
    wrmsr
    enter_user
    faulting
    sysretq
    faulted 13, 0
    # SYSENTER with a null SYSENTER_CS: #GP(0).
    faulting
    sysenter
    faulted 13, 0
    leave_user

    # SYSENTER from and SYSEXIT to 64-bit mode: CS + 32, SS + 40 of SYSENTER_CS.
    movabs $0x00af9b000000ffff, %rax
    mov %rax, gdt + 0x80
    movabs $0x00cf93000000ffff, %rax
    mov %rax, gdt + 0x88
    movabs $0x00cffb000000ffff, %rax
    mov %rax, gdt + 0x90
    movabs $0x00cff3000000ffff, %rax
    mov %rax, gdt + 0x98
    movabs $0x00affb000000ffff, %rax
    mov %rax, gdt + 0xa0
    movabs $0x00cff3000000ffff, %rax
    mov %rax, gdt + 0xa8
    xor %edx, %edx
    mov $0x174, %ecx
    mov $0x80, %eax
    wrmsr
    mov $0x175, %ecx
    mov $stack_top - 2048, %eax
    wrmsr
    mov $0x176, %ecx
    mov $enter, %eax
    wrmsr
    enter_user
    mov %rsp, %r13
    pushfq
    pop %r12
    mov $1, %ebx
    sysenter
    jmp bad
after_enter:
    mov %cs, %eax
    check_eq 0xa3, %rax
    mov %ss, %eax
    check_eq 0xab, %rax
    cmp %r13, %rsp
    check e
    faulting
    sysexitq
    faulted 13, 0
    mov $2, %ebx
    sysenter
    jmp bad
    .code32
compatible_exit:
    mov %cs, %eax
    cmp $0x93, %eax
    jne bad32
    mov %ss, %eax
    cmp $0x9b, %eax
    jne bad32
    int $0x30
    .code64
    jmp done
bad:
    mov $text, %edi
    jmp fail
    .code32
bad32:
    int $0x30
    .code64
    jmp bad

entry:
    mov %cs, %eax
    check_eq 0x08, %rax
    mov %ss, %eax
    check_eq 0x10, %rax
    cmp %rsp, %rbp                         # the stack is still the user's
    check e
    cmp $1, %ebx
    je 2f
    check_eq 0x3cd7, %r11
2:    pushfq
    pop %rax
    and $0x40700, %eax
    check_eq 0, %rax
    cmp $1, %ebx
    je 1f
    sysretq
1:  mov $compatible, %ecx
    movabs $0xffff000000000000, %rax
    or %rax, %rcx
    sysretl
compatible_entry:
    jmp bad

enter:
    mov %cs, %eax
    check_eq 0x80, %rax
    mov %ss, %eax
    check_eq 0x88, %rax
    mov %rsp, %rax
    check_eq stack_top-2048, %rax
    pushfq
    pop %rax
    and $0x20200, %eax                     # IF and VM are cleared
    check_eq 0, %rax
    mov %r13, %rcx
    cmp $2, %ebx
    je 1f
    mov $after_enter, %edx
    sysexitq
1:  mov $compatible_exit, %edx
    sysexitl
    .section .rodata
text: .asciz "went on after a transfer\n"
    .text
