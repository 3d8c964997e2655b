# Task switches with 32-bit and 16-bit TSSs by JMP, CALL, task gates, interrupts and IRET (Intel SDM vol. 3, chapter 8).
    .include "guest32.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
# task SELECTOR, TSS, HIGH, LIMIT: a TSS descriptor.
.macro task selector, address, high, limit
    movl $\address, %eax
    movw $\limit, gdt + \selector
    movw %ax, gdt + \selector + 2
    shr $16, %eax
    movl $\high, gdt + \selector + 4
    movb %al, gdt + \selector + 4
    movb %ah, gdt + \selector + 7
.endm
    .set AVAILABLE, 0x8900
    .set BUSY, 0x8b
# The type byte of a TSS descriptor must be so.
.macro check_type selector, type
    movzbl gdt + \selector + 5, %eax
    check_eq \type, %eax
.endm

test:
    task 0x50, tss2, AVAILABLE, 0x67
    task 0x58, tss3, AVAILABLE, 0x67
    # The second task: ring 0, flat, its own stack, recognisable registers.
    mov $tss2, %edi
    call fill
    movl $task2, 0x20(%edi)
    mov $tss3, %edi
    call fill
    movl $task3, 0x20(%edi)
    # JMP: the old task becomes available, the new one busy; no link, NT clear, CR0.TS set.
    clts
    mov $0x55aa55aa, %esi
    mov %esp, %ebp
    stc
    ljmp $0x50, $0
    # Back here by a JMP.
    check c
    check_eq 0x55aa55aa, %esi
    cmp %esp, %ebp
    check e
    check_type 0x28, 0x8b
    check_type 0x50, 0x89
    str %eax
    check_eq 0x28, %eax
    mov %cr0, %eax
    and $8, %eax
    check_eq 8, %eax
    cmpl $1, step
    check e
    # CALL: link and NT; both are busy. IRET returns.
    movl $task2_called, tss2 + 0x20
    movl $0x2, tss2 + 0x24
    lcall $0x50, $0
    cmpl $2, step
    check e
    check_type 0x50, 0x89
    check_type 0x28, 0x8b
    # The task called again goes on after its IRET.
    lcall $0x50, $0
    cmpl $3, step
    check e
    # Through a task gate in the GDT, and by an interrupt through one in the IDT.
    gate 0x60, 0x50, 0, 0xe500
    lcall $0x60, $0
    cmpl $4, step
    check e
    movl $0x00500000, idt + 0x40 * 8
    movl $0x0000e500, idt + 0x40 * 8 + 4
    int $0x40
    cmpl $5, step
    check e
    # An exception with an error code through a task gate: the code is pushed on the new task's stack.
    movl $task3, tss3 + 0x20
    mov idt + 13 * 8, %esi
    mov idt + 13 * 8 + 4, %edi
    movl $0x00580000, idt + 13 * 8
    movl $0x0000e500, idt + 13 * 8 + 4
    mov $0x1234, %eax
    mov $0x10, %ecx
    faulty:
    mov %eax, %fs                          # task3 mends EAX in the saved state
    check_eq 0x10, %eax
    mov %esi, idt + 13 * 8
    mov %edi, idt + 13 * 8 + 4
    # Errors: a busy task by CALL or JMP: #GP(TSS); not present: #NP; too short: #TS(TSS); null gate.
    raises 13, 0x28, ljmp $0x28, $0
    raises 13, 0x28, lcall $0x28, $0
    task 0x68, tss2, 0x0900, 0x67
    raises 11, 0x68, lcall $0x68, $0
    task 0x68, tss2, AVAILABLE, 0x66
    raises 10, 0x68, lcall $0x68, $0
    gate 0x60, 0x00, 0, 0xe500
    raises 13, 0, lcall $0x60, $0
    gate 0x60, 0x08, 0, 0xe500
    raises 13, 0x08, lcall $0x60, $0
    gate 0x60, 0x50, 0, 0x6500
    raises 11, 0x60, lcall $0x60, $0
    # Bad contents: the fault comes in the new task, whose TR is loaded already. IRET comes back by its link.
    movl $task2_called, tss2 + 0x20
    movl $0x1234, tss2 + 0x54              # DS beyond the GDT: #TS(DS)
    movl $expect_ts, tss2 + 0x20
    movl $expect_ts, resume
    lcall $0x50, $0
    cmpl $10, caught_vector
    check e
    cmpl $0x1234, caught_error
    check e
    cmpl $expect_ts, caught_eip
    check e
    movl $0x10, tss2 + 0x54
    # NT set with a null or not busy back link: #TS.
    movw $0, tss
    pushf
    orl $0x4000, (%esp)
    popf
    faulting
    iret
    faulted 10, 0
    pushf
    andl $~0x4000, (%esp)
    popf
    movw $0x50, tss
    pushf
    orl $0x4000, (%esp)
    popf
    faulting
    iret
    faulted 10, 0x50
    pushf
    andl $~0x4000, (%esp)
    popf
    # The debug trap of a task switch: T flag of the new TSS.
    movl $task2_trap, tss2 + 0x20
    movl $0x2, tss2 + 0x24
    movw $1, tss2 + 0x64
    movl $after_trap, resume
    lcall $0x50, $0
    movw $0, tss2 + 0x64
    cmpl $1, caught_vector
    check e
    cmpl $task2_trap, caught_eip           # before its first instruction
    check e
    mov %dr6, %eax
    and $0x8000, %eax
    check_eq 0x8000, %eax
    # To a ring 3 task and back.
    movl $task_user, tss2 + 0x20
    movl $0x3002, tss2 + 0x24
    movl $0x23, tss2 + 0x4c
    movl $0x1b, tss2 + 0x50
    movl $0x1b, tss2 + 0x48
    movl $0x1b, tss2 + 0x54
    movl $0x1b, tss2 + 0x58
    movl $0x1b, tss2 + 0x5c
    movl $user_top, tss2 + 0x38
    movl $ring0_top, tss2 + 4
    movl $0x10, tss2 + 8
    lcall $0x50, $0
    cmpl $0x23, step
    check e
    # 16-bit TSS: JMP there and back. Its code must lie below 64 KiB of its segment: base 1 MiB.
    descriptor 0x70, 0x00009b10, 0x0000ffff
    task 0x78, tss16, 0x8100, 0x2b
    movw $task16 - 0x100000, tss16 + 14
    movw $2, tss16 + 16
    movw $0x1111, tss16 + 18               # AX
    movw $0x70, tss16 + 36
    movw $0x10, tss16 + 38
    movw $0x10, tss16 + 40
    movw $0x10, tss16 + 34
    movw $0, tss16 + 42
    ljmp $0x78, $0
    cmpl $0x1111, step
    check e
    check_type 0x78, 0x81
    check_type 0x28, 0x8b
    jmp done

# EDI: a TSS. Flat, ring 0.
fill:
    movl $0x2, 0x24(%edi)
    lea 0x800(%edi), %eax
    mov %eax, 0x38(%edi)
    movl $0x10, 0x48(%edi)
    movl $0x08, 0x4c(%edi)
    movl $0x10, 0x50(%edi)
    movl $0x10, 0x54(%edi)
    movl $0x10, 0x58(%edi)
    movl $0x10, 0x5c(%edi)
    movl $0x77777777, 0x28(%edi)           # EAX
    movw $0x68, 0x66(%edi)
    ret

task2:
    pushf
    pop %ecx
    check_eq 0x77777777, %eax
    check_eq 2, %ecx
    check_type 0x28, 0x89
    check_type 0x50, 0x8b
    str %eax
    check_eq 0x50, %eax
    mov %cr0, %eax
    and $8, %eax
    check_eq 8, %eax
    incl step
    ljmp $0x28, $0

task2_called:
    pushf
    pop %ecx
    and $0x4000, %ecx
    check_eq 0x4000, %ecx
    movzwl tss2, %eax
    check_eq 0x28, %eax
    check_type 0x28, 0x8b
    check_type 0x50, 0x8b
    clts
    incl step
    iret
    jmp task2_called

task3:
    pop %eax
    check_eq 0x1234, %eax
    movzwl tss3, %eax
    check_eq 0x28, %eax
    cmpl $faulty, tss + 0x20
    check e
    mov tss + 0x24, %eax
    and $0x10000, %eax                     # RF is set for a fault
    check_eq 0x10000, %eax
    movl $0x10, tss + 0x28
    iret

expect_ts:
    mov $0x10, %eax
    mov %eax, %ds
    str %eax
    check_eq 0x50, %eax
    iret
task2_trap:
    jmp bad
after_trap:
    str %eax
    check_eq 0x50, %eax
    iret
bad:
    mov $text, %edi
    jmp fail
task_user:
    mov %cs, %eax
    mov %eax, step
    iret                                   # with NT a return to the calling task, from ring 3
    .code16
task16:
    mov $step, %ebx
    mov %ax, (%ebx)
    ljmp $0x28, $0
    .code32
    .section .rodata
text: .asciz "wrong task\n"
    .bss
step: .long 0
    .balign 4096
tss2: .skip 2048
tss3: .skip 2048
tss16: .skip 64
    .text
