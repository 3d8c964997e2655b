# What is left to the interpreter's handlers: flags as a word, and x87.
1:  pushf
    pop %rax
    flds (%rsi)
    fstps (%rdi)
    dec %rcx
    jne 1b
