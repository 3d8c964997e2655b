# How a function begins and ends, with the caller out of sight.
    push %rbp
    push %rbx
    sub $0x18, %rsp
    mov %rdi, %rbx
    mov %gs:0x28, %rax
    mov %rax, 8(%rsp)
    add $0x18, %rsp
    pop %rbx
    pop %rbp
    ret
