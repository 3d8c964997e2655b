# A fault while delivering a double fault shuts the processor down (Intel SDM vol. 3, 6.15, interrupt 8).
# expect: TRIPLE_FAULT
    .include "guest.inc"
test:
    movw $0, idt_pointer
    lidt idt_pointer
    ud2
