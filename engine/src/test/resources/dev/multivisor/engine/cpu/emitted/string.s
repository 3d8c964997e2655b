# The comparison of two strings, byte by byte.
1:  movzbl (%rdi), %eax
    movzbl (%rsi), %ecx
    cmp %cl, %al
    jne 2f
    inc %rdi
    inc %rsi
    test %al, %al
    jne 1b
2:  sub %ecx, %eax
    ret
