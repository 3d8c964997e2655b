# A module of Linux that changes the kernel it is in, as one that hides itself would: each of its jobs writes 8 bytes with
# write protection off, at an address of the kernel's or at the same place in the direct map, waits, and writes back what
# was there. Made without the kernel's headers: what depends on the kernel is taken from one of its own modules
# (KernelModule), and patcher.c fills in the addresses.
# Build: cc -c -DINIT=... -DEXIT=... -DSIZE=... -DVERMAGIC=... -DVERSIONS=... -o patcher.ko patcher.S

    .section .modinfo, "a", @progbits
    .asciz "license=GPL"
    .asciz "depends="
    .asciz "retpoline=Y"
    .asciz "name=patcher"
    .ascii "vermagic="
    .asciz VERMAGIC

    .section __versions, "a", @progbits
    .balign 32
    .incbin VERSIONS

    .section .gnu.linkonce.this_module, "aw", @progbits
    .balign 64
    .globl __this_module
__this_module:
    .zero 24
    .asciz "patcher"
    .org __this_module + INIT
    .quad init_module
    .org __this_module + EXIT
    .quad cleanup_module
    .org __this_module + SIZE

    .data
    .balign 8
    .ascii "PATCHJOB"
page_offset:
    .quad 0                                # address of page_offset_base
physical:
    .quad 0                                # address of phys_base
jobs:
    .zero 24 * 64                          # address, value, 1 for the direct map; ends with address 0

    .text
    .globl init_module, cleanup_module
init_module:
    endbr64
    push %rbx
    lea jobs(%rip), %rbx
1:  mov (%rbx), %rdi
    test %rdi, %rdi
    jz 4f
    testb $1, 16(%rbx)
    jz 2f
    mov page_offset(%rip), %rax
    sub $0xffffffff80000000, %rdi
    add (%rax), %rdi
    mov physical(%rip), %rax
    add (%rax), %rdi
2:  mov 8(%rbx), %rsi
    test %rsi, %rsi
    jnz 3f
    lea hook(%rip), %rsi
3:  mov (%rdi), %rdx
    call change
    mov %rdx, %rsi
    call change
    add $24, %rbx
    jmp 1b
4:  xor %eax, %eax
    pop %rbx
    ret

change:
    pushfq
    cli
    mov %cr0, %rcx
    mov %rcx, %rax
    and $~0x10000, %rax
    mov %rax, %cr0
    mov %rsi, (%rdi)
    mov %rcx, %cr0
    popfq
    mov $50000, %ecx
5:  pause
    dec %ecx
    jnz 5b
    ret

hook:
    endbr64
    mov $-38, %rax
    ret

cleanup_module:
    endbr64
    ret

    .section .note.GNU-stack, "", @progbits
