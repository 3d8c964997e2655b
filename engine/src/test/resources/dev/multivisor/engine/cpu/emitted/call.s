# A call and the return from it, in one region.
1:  mov %rbx, %rdi
    call 2f
    add %rax, %rbx
    jmp 1b
2:  push %rbp
    mov %rsp, %rbp
    lea 1(%rdi,%rdi,2), %rax
    leave
    ret
