# User and supervisor pages, SMEP, SMAP, STAC and CLAC, rights combined over the levels, NX, accessed and dirty in every level,
# 1 GiB pages, global pages, INVLPG, INVPCID and PCIDs (Intel SDM vol. 3, 4.5 to 4.10).
    .include "guest.inc"
    .set WINDOW, 0x20000000                # PD index 256: a page table of our own
    .set FRAME, 0x1000000

.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
# Sets the page table entry of the window's page N.
.macro entry n, value
    movabs $\value, %rax
    mov %rax, table + 8 * \n
    invlpg WINDOW + 0x1000 * \n
.endm

test:
    movl $0x12345678, FRAME
    movl $0x9abcdef0, FRAME + 0x1000
    # Code for user pages: RET.
    movl $0xc3c3c3c3, FRAME + 0x2000
    mov $table + 7, %eax
    mov %rax, pd + 8 * 256
    entry 0, FRAME+3                       # supervisor
    entry 1, FRAME+0x1005                  # user, read-only
    entry 2, FRAME+0x2007                  # user, code
    entry 3, 0x8000000001000007            # user, NX
    enter_user
    raises 14, 5, mov WINDOW, %eax
    raises 14, 7, mov %eax, WINDOW
    mov WINDOW + 0x1000, %eax
    check_eq 0x9abcdef0, %rax
    raises 14, 7, mov %eax, WINDOW + 0x1000
    mov %eax, WINDOW + 0x2ffc - 4
    mov $WINDOW + 0x2000, %edx
    mov %rsp, %rbp
    call *%rdx
    mov $WINDOW, %edx
    raises 14, 0x15, call *%rdx
    mov %rbp, %rsp
    mov $WINDOW + 0x3000, %edx
    raises 14, 0x15, call *%rdx
    mov %rbp, %rsp
    # Implicit supervisor accesses of ring 3, such as to the GDT, are allowed on supervisor pages: all is user here.
    leave_user
    # A supervisor page through a user directory is supervisor's; a user page through a supervisor directory too.
    movq $table + 3, pd + 8 * 256
    mov %cr3, %rax
    mov %rax, %cr3
    enter_user
    raises 14, 5, mov WINDOW + 0x1000, %eax
    leave_user
    movq $table + 5, pd + 8 * 256          # read-only directory
    mov %cr3, %rax
    mov %rax, %cr3
    raises 14, 3, mov %eax, WINDOW
    movabs $0x8000000000000007, %rax       # NX in the directory
    add $table, %rax
    mov %rax, pd + 8 * 256
    mov %cr3, %rax
    mov %rax, %cr3
    mov $WINDOW + 0x2000, %edx
    mov %rsp, %rbp
    raises 14, 0x11, call *%rdx
    mov %rbp, %rsp
    movq $table + 7, pd + 8 * 256
    mov %cr3, %rax
    mov %rax, %cr3

    # The frame is user's everywhere: for SMEP and SMAP, map code and stack as supervisor pages.
    # PD entries 0 to 63 become supervisor, the window stays user.
    xor %ecx, %ecx
1:  andq $~4, pd(, %rcx, 8)
    inc %ecx
    cmp $64, %ecx
    jb 1b
    mov %cr3, %rax
    mov %rax, %cr3
    mov $7, %eax
    xor %ecx, %ecx
    cpuid
    mov %ebx, features
    # SMEP: supervisor execution of user pages faults.
    testl $1 << 7, features
    jz 2f
    mov %cr4, %rax
    or $1 << 20, %eax
    mov %rax, %cr4
    mov $WINDOW + 0x2000, %edx
    mov %rsp, %rbp
    raises 14, 0x11, call *%rdx
    mov %rbp, %rsp
    mov WINDOW + 0x2000, %eax              # data accesses are free
    mov %cr4, %rax
    and $~(1 << 20), %eax
    mov %rax, %cr4
    call *%rdx
2:  # SMAP: supervisor data accesses to user pages fault unless AC is set.
    testl $1 << 20, features
    jz 3f
    mov %cr4, %rax
    or $1 << 21, %eax
    mov %rax, %cr4
    raises 14, 1, mov WINDOW + 0x1000, %eax
    raises 14, 3, mov %eax, WINDOW + 0x2100
    stac
    mov WINDOW + 0x1000, %eax
    mov %eax, WINDOW + 0x2100
    pushfq
    pop %rax
    and $0x40000, %eax
    check_eq 0x40000, %rax
    clac
    raises 14, 1, mov WINDOW + 0x1000, %eax
    mov WINDOW, %eax                       # supervisor's own
    pushq $0x40002
    popfq
    mov WINDOW + 0x1000, %eax
    # An exception pushes AC; the handler runs with it set (only SYSCALL's mask clears it).
    pushq $2
    popfq
    # WRUSS and such aside, implicit accesses ignore AC: an LDT on a user page faults even so.
    stac
    movabs $0x2000820010000fff, %rax
    mov %rax, gdt + 0x60
    mov $0x60, %ecx
    lldt %cx
    mov $0x04, %ecx
    raises 14, 1, mov %ecx, %ds
    clac
    mov %cr4, %rax
    and $~(1 << 21), %eax
    mov %rax, %cr4
    jmp 4f
3:  raises 6, -1, stac
4:
    # Accessed and dirty at each level: clear, touch, look.
    movq $FRAME + 3, table
    andq $~0x60, pd + 8 * 256
    andq $~0x60, pdpt
    andq $~0x60, pml4
    mov %cr3, %rax
    mov %rax, %cr3
    mov WINDOW, %eax
    mov table, %rax
    check_eq FRAME+0x23, %rax
    mov pd + 8 * 256, %rax
    and $0x60, %eax
    check_eq 0x20, %rax
    mov pdpt, %rax
    and $0x20, %eax
    check_eq 0x20, %rax
    mov pml4, %rax
    and $0x20, %eax
    check_eq 0x20, %rax
    mov %eax, WINDOW
    mov table, %rax
    check_eq FRAME+0x63, %rax
    mov pd + 8 * 256, %rax
    and $0x60, %eax
    check_eq 0x20, %rax                    # dirty only in the last level
    # A write that faults on rights sets no dirty flag.
    entry 1, FRAME+0x1001
    raises 14, 3, mov %eax, WINDOW + 0x1000
    mov table + 8, %rax
    and $0x40, %eax
    check_eq 0, %rax

    # 1 GiB pages, if there are any: at 1 GiB, onto physical 0.
    mov $0x80000001, %eax
    cpuid
    movq $0x83, pdpt + 8
    mov $FRAME, %ebx
    mov $0x40000000, %esi
    test $1 << 26, %edx
    jz 5f
    movl $0x600dcafe, (%rbx)
    mov (%rsi, %rbx), %eax
    check_eq 0x600dcafe, %rax
    mov pdpt + 8, %rax
    check_eq 0xa3, %rax
    movb $1, (%rsi, %rbx)
    mov pdpt + 8, %rax
    check_eq 0xe3, %rax
    # Reserved bits 13 to 29.
    movq $0x2083, pdpt + 8
    mov %cr3, %rax
    mov %rax, %cr3
    jmp 6f
5:  # Without them PS in a PDPTE is reserved.
6:  raises 14, -1, mov (%rsi, %rbx), %eax
    mov caught_error, %rax
    and $8, %eax
    check_eq 8, %rax
    movq $0, pdpt + 8

    # Global pages survive a load of CR3, and not a change of CR4.PGE; INVLPG drops one.
    entry 4, FRAME+0x103
    movl $0x11111111, FRAME
    movl $0x22222222, FRAME + 0x1000
    mov WINDOW + 0x4000, %eax
    movq $FRAME + 0x1103, table + 8 * 4
    mov %cr3, %rax
    mov %rax, %cr3
    mov WINDOW + 0x4000, %eax
    check_eq 0x11111111, %rax
    invlpg WINDOW + 0x4abc
    mov WINDOW + 0x4000, %eax
    check_eq 0x22222222, %rax
    movq $FRAME + 0x103, table + 8 * 4
    mov %cr4, %rcx
    mov %rcx, %rax
    xor $0x80, %al
    mov %rax, %cr4
    mov %rcx, %cr4
    mov WINDOW + 0x4000, %eax
    check_eq 0x11111111, %rax
    # A not-present entry is never cached: no invalidation is needed after setting P.
    entry 5, 0
    raises 14, 0, mov WINDOW + 0x5000, %eax
    movq $FRAME + 3, table + 8 * 5
    mov WINDOW + 0x5000, %eax
    check_eq 0x11111111, %rax
    # More rights are found without invalidation too, by a walk after the fault... that the walk itself spares.
    movq $FRAME + 1, table + 8 * 5
    invlpg WINDOW + 0x5000
    mov WINDOW + 0x5000, %eax
    movq $FRAME + 3, table + 8 * 5
    mov %eax, WINDOW + 0x5000

    # PCIDs.
    mov $1, %eax
    cpuid
    test $1 << 17, %ecx
    jz 9f
    mov %cr4, %rax
    or $1 << 17, %eax
    mov %rax, %cr4
    mov %cr3, %rbx
    entry 6, FRAME+3
    mov WINDOW + 0x6000, %eax
    check_eq 0x11111111, %rax
    movq $FRAME + 0x1003, table + 8 * 6
    # Another PCID sees the new entry; the old one, without a flush, may keep what it has; with one it may not.
    lea 1(%rbx), %rax
    mov %rax, %cr3
    mov WINDOW + 0x6000, %eax
    check_eq 0x22222222, %rax
    mov %rbx, %cr3                         # bit 63 clear: flushes PCID 0
    mov WINDOW + 0x6000, %eax
    check_eq 0x22222222, %rax
    # Bit 63 of CR3 is no part of it.
    mov %rbx, %rax
    bts $63, %rax
    mov %rax, %cr3
    mov %cr3, %rax
    cmp %rax, %rbx
    check e
    # INVPCID of each type.
    testl $1 << 10, features
    jz 8f
    movq $FRAME + 3, table + 8 * 6
    movq $0, descriptor
    movq $WINDOW + 0x6000, descriptor + 8
    xor %eax, %eax
    invpcid descriptor, %rax
    mov WINDOW + 0x6000, %eax
    check_eq 0x11111111, %rax
    movq $FRAME + 0x1003, table + 8 * 6
    mov $1, %eax
    invpcid descriptor, %rax
    mov WINDOW + 0x6000, %eax
    check_eq 0x22222222, %rax
    movq $FRAME + 3, table + 8 * 6
    mov $2, %eax
    invpcid descriptor, %rax
    mov WINDOW + 0x6000, %eax
    check_eq 0x11111111, %rax
    movq $FRAME + 0x1003, table + 8 * 6
    mov $3, %eax
    invpcid descriptor, %rax
    mov WINDOW + 0x6000, %eax
    check_eq 0x22222222, %rax
    mov $4, %eax
    raises 13, 0, invpcid descriptor, %rax
    movq $0x1000, descriptor
    xor %eax, %eax
    raises 13, 0, invpcid descriptor, %rax
8:  # PCIDE cannot be set with a PCID in CR3, nor cleared by leaving long mode while set.
    lea 1(%rbx), %rax
    mov %rax, %cr3
    mov %cr4, %rcx
    mov %rcx, %rax
    and $~(1 << 17), %eax
    mov %rax, %cr4
    raises 13, 0, mov %rcx, %cr4
    mov %rbx, %cr3
9:  # Reserved bits of CR3 and CR4; PAE and PG cannot go in 64-bit mode.
    mov %cr3, %rbx
    mov %rbx, %rax
    bts $60, %rax
    raises 13, 0, mov %rax, %cr3
    mov %cr4, %rax
    bts $31, %rax
    raises 13, 0, mov %rax, %cr4
    mov %cr4, %rax
    and $~0x20, %eax
    raises 13, 0, mov %rax, %cr4
    mov %cr0, %rax
    btr $31, %rax
    raises 13, 0, mov %rax, %cr0
    mov %cr0, %rax
    btr $0, %rax
    raises 13, 0, mov %rax, %cr0
    mov %cr0, %rax
    bts $29, %rax                          # NW without CD
    raises 13, 0, mov %rax, %cr0
    jmp done
    .bss
features: .long 0
    .balign 16
descriptor: .quad 0, 0
    .balign 4096
table: .skip 4096
    .text
