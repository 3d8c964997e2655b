# 32-bit paging with and without PSE, and PAE paging with its PDPTE registers (Intel SDM vol. 3, 4.3, 4.4).
    .include "guest32.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
    .set WINDOW, 0x20000000
    .set FRAME, 0x1000000

test:
    movl $0x11111111, FRAME
    movl $0x22222222, FRAME + 0x1000
    # 4 MiB pages for the first 64 MiB, a page table for the window.
    mov $directory, %edi
    mov $0x83, %eax
    mov $16, %ecx
1:  stosl
    add $0x400000, %eax
    loop 1b
    movl $table + 7, directory + 4 * (WINDOW >> 22)
    movl $FRAME + 3, table
    movl $FRAME + 0x1001, table + 4
    mov %cr4, %eax
    or $0x10, %eax                         # PSE
    mov %eax, %cr4
    mov $directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80010000, %eax
    mov %eax, %cr0
    jmp 2f
2:  mov WINDOW, %eax
    check_eq 0x11111111, %eax
    mov WINDOW + 0x1000, %eax
    check_eq 0x22222222, %eax
    raises 14, 3, mov %eax, WINDOW + 0x1000
    mov %cr2, %eax
    check_eq WINDOW+0x1000, %eax
    raises 14, 0, mov WINDOW + 0x2000, %eax
    raises 14, 2, mov %eax, 0x30000000
    mov table, %eax
    check_eq FRAME+0x23, %eax
    mov %eax, WINDOW
    mov table, %eax
    check_eq FRAME+0x63, %eax
    # A 4 MiB page's own flags: FRAME was written before, but not through it.
    mov directory + 16, %eax
    and $0x60, %eax
    check_eq 0, %eax
    mov FRAME, %eax
    mov directory + 16, %eax
    and $0xe0, %eax
    check_eq 0xa0, %eax
    # PSE-36: bits 13 to 20 of the entry are address bits 32 to 39; bit 21 is reserved.
    movl $0x00200083, directory + 4 * 0x100
    raises 14, 9, mov 0x40000000, %eax
    # A page that lies across a page border.
    movl $FRAME + 0x1003, table + 4
    movl $FRAME + 0x3003, table + 8
    invlpg WINDOW + 0x1000
    invlpg WINDOW + 0x2000
    movl $0xaabbccdd, WINDOW + 0x1ffe
    cmpw $0xccdd, FRAME + 0x1ffe
    check e
    cmpw $0xaabb, FRAME + 0x3000
    check e
    # Address arithmetic wraps at 4 GiB: an access at 0xfffffffe goes on at 0.
    movl $table2 + 3, directory + 4 * 0x3ff
    movl $FRAME + 0x5003, table2 + 4 * 0x3ff
    movl $0, FRAME + 0x5ffc
    mov 0, %ecx
    mov $-2, %ebx
    movw $0x9999, (%ebx)
    cmpl $0x99990000, FRAME + 0x5ffc
    check e
    # User and supervisor.
    movl $FRAME + 5, table + 12
    raises 14, 3, mov %eax, WINDOW + 0x3000
    mov %cr0, %eax
    and $~0x10000, %eax
    mov %eax, %cr0
    mov %eax, WINDOW + 0x3000              # WP clear
    or $0x10000, %eax
    mov %eax, %cr0

    # PAE: paging off, tables of 8-byte entries, on again.
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    movl $0x11111111, FRAME
    mov $directory, %edi
    xor %eax, %eax
    mov $2048, %ecx
    rep stosl
    movl $pae_directory + 1, pointers
    mov $pae_directory, %edi
    mov $0x83, %eax
    mov $32, %ecx
3:  movl %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    loop 3b
    movl $table + 7, pae_directory + 8 * (WINDOW >> 21)
    movl $FRAME + 3, table
    movl $0, table + 4
    movl $FRAME + 0x1003, table + 8
    movl $0x80000000, table + 12           # NX
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x800, %eax
    wrmsr
    mov $pointers, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    jmp 4f
4:  mov WINDOW, %eax
    check_eq 0x11111111, %eax
    mov table, %eax
    check_eq FRAME+0x23, %eax
    movb $0xc3, WINDOW + 0x1000
    mov $WINDOW + 0x1000, %edx
    mov %esp, %ebp
    raises 14, 0x11, call *%edx
    mov %ebp, %esp
    # The PDPTEs are registers: changing memory matters only at the next load of CR3.
    movl $0, pointers
    invlpg WINDOW
    mov WINDOW, %eax
    check_eq 0x11111111, %eax
    movl $pae_directory + 1, pointers
    # A reserved bit in a present PDPTE: #GP(0) at the load, and CR3 stays.
    movl $pae_directory + 3, pointers2
    mov $pointers2, %eax
    raises 13, 0, mov %eax, %cr3
    mov %cr3, %eax
    check_eq pointers, %eax
    # Not present PDPTE: page fault; reserved bits in the entries: RSVD.
    raises 14, 0, mov 0x80000000, %eax
    movl $FRAME + 3, table + 16
    movl $0x00100000, table + 20
    raises 14, 9, mov WINDOW + 0x2000, %eax
    # The table has 32-byte alignment only.
    movl $pae_directory + 1, pointers2
    mov $pointers2, %eax
    mov %eax, %cr3
    mov WINDOW, %eax
    check_eq 0x11111111, %eax
    # NX without EFER.NXE is reserved.
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x800, %eax
    wrmsr
    invlpg WINDOW + 0x1000
    raises 14, 9, mov WINDOW + 0x1000, %eax
    jmp done
    .bss
    .balign 4096
directory: .skip 4096
table2: .skip 4096
table: .skip 4096
pae_directory: .skip 4096
pointers: .skip 32
pointers2: .skip 32
    .text
