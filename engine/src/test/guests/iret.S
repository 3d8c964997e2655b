# IRET in 64-bit and compatibility mode to each privilege and code size (Intel SDM vol. 2, IRET; vol. 3, 6.14.3).
    .include "guest.inc"
    .macro frame ss, rsp, flags, cs, rip
    pushq $\ss
    pushq $\rsp
    pushq $\flags
    pushq $\cs
    pushq $\rip
    .endm
test:
    mov %rsp, %r15
    # Within ring 0, 64-bit: SS and RSP are always popped.
    frame 0x10, stack_top-512, 0x8d7, 0x08, 1f
    iretq
1:  pushfq
    pop %rbx
    check_eq 0x8d7, %rbx
    mov %rsp, %rbx
    check_eq stack_top-512, %rbx
    # With a null SS: allowed in rings 0 to 2 for 64-bit code.
    frame 0, stack_top-1024, 2, 0x08, 1f
    iretq
1:  mov %ss, %eax
    check_eq 0, %rax
    push %rax                              # the stack works
    pop %rax
    # An exception leaves SS null too.
    faulting
    ud2
    faulted 6
    mov $0x10, %eax
    mov %eax, %ss
    # NT in long mode: #GP(0).
    mov %r15, %rsp
    pushq $0x4002
    popfq
    frame 0x10, stack_top-512, 2, 0x08, 1f
    faulting
    iretq
1:  faulted 13, 0
    pushq $2
    popfq
    # A non-canonical RIP: #GP(0), with everything as it was.
    mov %r15, %rsp
    pushq $0x10
    pushq $0x1234
    pushq $2
    pushq $0x08
    movabs $0x8000000000000000, %rax
    push %rax
    mov %rsp, %rbx
    faulting
    iretq
    faulted 13, 0
    cmp %rsp, %rbx
    check e
    # A null CS: #GP(0); one beyond the GDT: #GP(selector); data: #GP(selector); a missing one: #NP(selector).
    mov %r15, %rsp
    frame 0x10, 0x1234, 2, 0, 1f
    faulting
    iretq
1:  faulted 13, 0
    movq $0x1230, 8(%rsp)
    faulting
    iretq
    faulted 13, 0x1230
    movq $0x18, 8(%rsp)
    faulting
    iretq
    faulted 13, 0x18
    movabs $0x00cf1b000000ffff, %rax
    mov %rax, gdt + 0x60
    movq $0x60, 8(%rsp)
    faulting
    iretq
    faulted 11, 0x60
    # SS of another privilege than CS: #GP(SS); a null one for ring 3: #GP(0).
    movq $0x23, 8(%rsp)
    faulting
    iretq
    faulted 13, 0x10
    movq $0, 32(%rsp)
    faulting
    iretq
    faulted 13, 0
    movq $0x13, 32(%rsp)
    faulting
    iretq
    faulted 13, 0x10
    # 32-bit operand size in 64-bit mode; RSP is loaded from 32 bits.
    mov %r15, %rsp
    movl $0x10, -4(%rsp)
    movl $stack_top - 768, -8(%rsp)
    movl $2, -12(%rsp)
    movl $0x08, -16(%rsp)
    movl $1f, -20(%rsp)
    sub $20, %rsp
    .byte 0xcf
1:  mov %rsp, %rbx
    check_eq stack_top-768, %rbx
    # To ring 3: DS, ES, FS, GS with DPL 0 become null; user ones stay. RF is set by IRET.
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %fs
    mov $0x1b, %eax
    mov %eax, %es
    mov %eax, %gs
    frame 0x1b, user_top, 0x13002, 0x23, 1f
    iretq
1:  mov %ds, %eax
    check_eq 0, %rax
    mov %es, %eax
    check_eq 0x1b, %rax
    mov %fs, %eax
    check_eq 0, %rax
    mov %gs, %eax
    check_eq 0x1b, %rax
    leave_user
    # To ring 3 compatibility mode, and back by an interrupt: the upper half of RSP is the TSS's.
    frame 0x1b, user_top, 0x2, 0x53, 1f
    iretq
    .code32
1:  mov %cs, %ebx
    mov %esp, %edx
    # IRET within ring 3 pops three values only.
    pushf
    push %cs
    push $2f
    iret
2:  mov %esp, %ecx
    pushl $0x1b
    pushl $user_top - 64
    int $0x30
    .code64
    check_eq 0x53, %rbx
    check_eq user_top, %rdx
    check_eq user_top, %rcx
    # Ring 0 compatibility mode, with exceptions there, and back by a far return.
    mov $0x10, %eax
    mov %eax, %ds
    frame 0x10, stack_top-512, 2, 0x38, 1f
    iretq
    .code32
1:  movl $2f, resume
    movl $0, resume + 4
    ud2
2:  mov caught_vector, %ebx
    pushl $0x08
    pushl $3f
    lret
    .code64
3:  check_eq 6, %rbx
    # 16-bit operand size.
    pushw $2
    pushw $0x40
    pushw $sixteen - 0x100000
    movabs $0x00009b100000ffff, %rax
    mov %rax, gdt + 0x40
    # 16-bit IRET from 64-bit mode pops SS:SP too: use 64-bit one to get there.
    frame 0x48, 0x8000, 2, 0x40, sixteen-0x100000
    iretq
    .code16
sixteen:
    mov %cs, %bx
    ljmpl $0x08, $4f
    .code64
4:  movzwl %bx, %ebx
    check_eq 0x40, %rbx
    mov $0x10, %eax
    mov %eax, %ss
    mov $stack_top - 4096, %rsp
    mov %r15, %rsp
    ret
