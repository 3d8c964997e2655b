# Vectors loaded, moved, combined and stored.
1:  movdqu (%rsi), %xmm0
    movaps %xmm0, %xmm1
    pxor %xmm2, %xmm0
    paddd %xmm1, %xmm0
    movd %eax, %xmm3
    movdqa %xmm0, (%rdi)
    mulsd %xmm3, %xmm4
    addsd 8(%rsi), %xmm4
    add $16, %rsi
    cmp %rdx, %rsi
    jb 1b
