# HLT with interrupts off, for ever (Intel SDM vol. 2, HLT).
# expect: HALTED
    .include "guest.inc"
test:
    cli
1:  hlt
    jmp 1b
