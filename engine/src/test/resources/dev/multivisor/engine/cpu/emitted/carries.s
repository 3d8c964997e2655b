# A chain of additions with carry, as multi-precision arithmetic has it.
1:  mov (%rsi), %rax
    mul %rbx
    add %rcx, %rax
    adc $0, %rdx
    add %rax, (%rdi)
    adc $0, %rdx
    mov %rdx, %rcx
    lea 8(%rsi), %rsi
    lea 8(%rdi), %rdi
    dec %r8
    jnz 1b
