# The workload as a kernel of its own: Multiboot 1 (Multiboot Specification 0.6.96, with address fields), 64-bit mode, an identity map
# of the first GiB. Beats come from each processor's local APIC (x2APIC, TSC-deadline timer). Other processors are started by INIT and
# SIPI (Intel SDM vol. 3, 9.4 and 11.12).
    .set PROCESSORS, 8
    .set TRAMPOLINE, 0x8000
    .set SERIAL, 0x3f8
    .set EXIT_PORT, 0xf4
    .set BEAT_VECTOR, 0x40
    .set SPURIOUS_VECTOR, 0xff
    .set IA32_APIC_BASE, 0x1b
    .set IA32_TSC_DEADLINE, 0x6e0
    .set X2APIC_EOI, 0x80b
    .set X2APIC_SVR, 0x80f
    .set X2APIC_ICR, 0x830
    .set X2APIC_TIMER, 0x832
    .set KVM_SYSTEM_TIME, 0x4b564d01
    .set IA32_STAR, 0xc0000081
    .set IA32_LSTAR, 0xc0000082
    .set IA32_CSTAR, 0xc0000083
    .set IA32_FMASK, 0xc0000084
    .set IA32_KERNEL_GS_BASE, 0xc0000102
    .set IA32_SYSENTER_ESP, 0x175
    .set TSS_SELECTOR, 0x30       # of processor 0; 16 bytes each

    .section .text
image:
    .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
    .long image, image, image_end, memory_end, start

    .code32
    .globl start
start:
    cli
    mov $boot_stack, %esp
    mov %ebx, information
    movl $pdpt + 7, pml4
    movl $pd + 7, pdpt
    mov $pd, %edi
    mov $0x87, %eax               # 2 MiB pages
    mov $512, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $window_pd + 7, pdpt + 8
    movl $window + 7, window_pd
    mov $window, %edi             # the pages from 4 MiB on
    mov $0x400007, %eax
    mov $PAGES, %ecx
2:  mov %eax, (%edi)
    add $0x1000, %eax
    add $8, %edi
    loop 2b
    call long_mode
    ljmp $0x08, $first

long_mode:
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0x620, %eax              # OSXMMEXCPT, OSFXSR, PAE
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x101, %eax               # LME, SCE
    wrmsr
    mov $0x80010033, %eax         # PG, WP, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt gdt_pointer
    ret

    .code64
first:
    call segments
    call tables
    mov $SERIAL + 1, %edx         # no interrupts, 8 bits, no parity
    xor %eax, %eax
    out %al, (%dx)
    mov $SERIAL + 3, %edx
    mov $3, %al
    out %al, (%dx)
    mov $0xff, %al                # the 8259s: all masked
    out %al, $0x21
    out %al, $0xa1
    mov information, %ebx
    testb $4, (%rbx)
    jz 1f
    mov 16(%rbx), %edi
    call options
1:  call rate
    mov $1, %eax
    cpuid
    and $1 << 24 | 1 << 21, %ecx  # TSC-deadline timer, x2APIC
    cmp $1 << 24 | 1 << 21, %ecx
    mov $lacking, %esi
    mov $lacking_end - lacking, %ecx
    jne stop
    xor %r14d, %r14d
    call processor
    call start_others
    mov khz, %edx
    call begin

# EAX is lost, and all data segments are the flat one.
segments:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    ret

# The IDT: exceptions end the guest, beats and spurious interrupts have handlers of their own.
tables:
    xor %edi, %edi
    mov $exceptions, %esi
1:  call gate
    add $exceptions_size, %esi
    inc %edi
    cmp $32, %edi
    jb 1b
    mov $14, %edi
    mov $page_fault, %esi
    call gate
    mov $BEAT_VECTOR, %edi
    mov $beat, %esi
    call gate
    mov $SPURIOUS_VECTOR, %edi
    mov $spurious, %esi
# Vector EDI goes to ESI. Clobbers RAX, RDX.
gate:
    mov %edi, %edx
    shl $4, %edx
    add $idt, %edx
    mov %esi, %eax
    and $0xffff, %eax
    or $0x080000, %eax
    mov %eax, (%rdx)
    mov %esi, %eax
    and $0xffff0000, %eax
    or $0x8e00, %eax
    mov %eax, 4(%rdx)
    movq $0, 8(%rdx)
    ret

# The TSC's rate: the hypervisor's leaf 0x40000010, or leaf 0x15, or 1 GHz.
rate:
    mov $0x40000000, %eax
    cpuid
    cmp $0x4b4d564b, %ebx         # KVMK
    jne 1f
    movb $1, kvm
    cmp $0x40000010, %eax
    jb 1f
    mov $0x40000010, %eax
    cpuid
    test %eax, %eax
    jnz 3f
1:  xor %eax, %eax
    cpuid
    cmp $0x15, %eax
    jb 2f
    mov $0x15, %eax
    cpuid
    test %eax, %eax
    jz 2f
    mov %eax, %esi
    mov %ecx, %eax
    mul %rbx
    div %rsi
    mov $1000, %ecx
    xor %edx, %edx
    div %rcx
    test %eax, %eax
    jnz 3f
2:  mov $1000000, %eax
3:  mov %eax, khz
    ret

# Sets up processor R14: its area in R15, its APIC, its kvmclock.
processor:
    lidt idt_pointer
    mov %r14d, %r15d
    imul $AREA, %r15d, %r15d
    add $areas, %r15d
    mov %r14, ID(%r15)
    lea STACK_OF_INTERRUPTS(%r15), %rax   # the TSS, for interrupts in ring 3
    mov %rax, TSS + 4(%r15)
    lea TSS(%r15), %rax
    mov %r14d, %ecx
    shl $4, %ecx
    mov %eax, %edx
    shl $16, %edx
    or $103, %edx                 # the limit
    mov %edx, gdt + TSS_SELECTOR(%rcx)
    shr $16, %eax
    mov %al, gdt + TSS_SELECTOR + 4(%rcx)
    movb $0x89, gdt + TSS_SELECTOR + 5(%rcx)
    mov %ah, gdt + TSS_SELECTOR + 7(%rcx)
    add $TSS_SELECTOR, %ecx
    ltr %cx
    mov $IA32_STAR, %ecx
    xor %eax, %eax
    mov $0x00180008, %edx
    wrmsr
    mov $IA32_LSTAR, %ecx
    mov $system_call, %eax
    xor %edx, %edx
    wrmsr
    mov $IA32_FMASK, %ecx
    xor %eax, %eax
    wrmsr
    # What the guest does not use has addresses such as Linux' ones: who saves it meets numbers of each size and sign.
    mov $IA32_CSTAR, %ecx
    mov $0x81e00000, %eax
    mov $-1, %edx
    wrmsr
    mov $IA32_KERNEL_GS_BASE, %ecx
    mov $0xffff8880, %edx
    wrmsr
    mov $IA32_SYSENTER_ESP, %ecx
    mov $-1, %eax
    mov $-1, %edx
    wrmsr
    mov $IA32_APIC_BASE, %ecx
    rdmsr
    or $0xc00, %eax               # enabled, x2APIC
    wrmsr
    mov $X2APIC_SVR, %ecx
    mov $0x100 | SPURIOUS_VECTOR, %eax
    xor %edx, %edx
    wrmsr
    mov $X2APIC_TIMER, %ecx
    mov $0x40000 | BEAT_VECTOR, %eax
    wrmsr
    cmpb $0, kvm
    je 1f
    mov $KVM_SYSTEM_TIME, %ecx
    lea KVM_PAGE + 1(%r15), %eax
    wrmsr
    call now
    call kvmclock
    sub %rdx, %rax
    mov %rax, KVM_BASE(%r15)
1:  ret

# INIT and SIPI to all but this one; each that is there takes a number and goes its way.
start_others:
    mov $trampoline, %esi
    mov $TRAMPOLINE, %edi
    mov $trampoline_end - trampoline, %ecx
    rep movsb
    mov $X2APIC_ICR, %ecx
    xor %edx, %edx
    mov $0xc4500, %eax
    wrmsr
    mov $10000, %esi
    call delay
    mov $X2APIC_ICR, %ecx
    xor %edx, %edx
    mov $0xc4600 | TRAMPOLINE >> 12, %eax
    wrmsr
    mov $200, %esi
    call delay
    mov $X2APIC_ICR, %ecx
    xor %edx, %edx
    mov $0xc4600 | TRAMPOLINE >> 12, %eax
    wrmsr
    ret

# ESI microseconds.
delay:
    call now
    mov khz, %ecx
    imul %rsi, %rcx
    mov %rax, %rsi
    mov %rcx, %rax
    xor %edx, %edx
    mov $1000, %ecx
    div %rcx
    add %rax, %rsi
1:  pause
    call now
    cmp %rsi, %rax
    jb 1b
    ret

other:
    mov $1, %r14d
    lock xadd %r14d, processors
    cmp $PROCESSORS, %r14d
    jae 1f
    mov %r14d, %esp
    imul $AREA, %esp, %esp
    add $areas + STACK, %esp
    call segments
    call processor
    mov khz, %edx
    call begin
1:  cli
    hlt
    jmp 1b

    .code16
trampoline:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl trampoline_gdt - trampoline
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $0x18, $other32
trampoline_gdt:
    .word gdt_end - gdt - 1
    .long gdt
trampoline_end:
    .code32
other32:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %ss
    # Others may come by here at the same time, so without a stack.
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0x620, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x101, %eax
    wrmsr
    mov $0x80010033, %eax
    mov %eax, %cr0
    ljmp $0x08, $other
    .code64

# ---- what the workload asks for ----

now:
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    ret

poll_beats:
    ret                           # interrupts do

arm:
    cli
    mov NEXT_BEAT(%r15), %rax
    mov %rax, %rdx
    shr $32, %rdx
    mov $IA32_TSC_DEADLINE, %ecx
    wrmsr
    sti
    ret

wait_beat:
    hlt
    ret

# kvmclock goes with the TSC.
check:
    cmpb $0, kvm
    je 3f
    call now
    call kvmclock
    cmp KVM_LAST(%r15), %rax
    mov %rax, KVM_LAST(%r15)
    jb 1f
    sub %rdx, %rax
    sub KVM_BASE(%r15), %rax
    add $1000, %rax               # they may be 1 µs apart
    cmp $2000, %rax
    jbe 3f
1:  incq CLOCK(%r15)
3:  ret

# kvmclock at TSC value RAX, in RAX; the same TSC in nanoseconds in RDX (Linux, Documentation/virt/kvm/x86/msr.rst).
kvmclock:
    mov %rax, %rdi
1:  mov KVM_PAGE(%r15), %r8d
    test $1, %r8b
    jnz 1b
    mov %rdi, %rax
    sub KVM_PAGE + 8(%r15), %rax
    mov KVM_PAGE + 28(%r15), %cl
    test %cl, %cl
    js 2f
    shl %cl, %rax
    jmp 3f
2:  neg %cl
    shr %cl, %rax
3:  mov KVM_PAGE + 24(%r15), %edx
    mul %rdx
    shrd $32, %rdx, %rax
    add KVM_PAGE + 16(%r15), %rax
    cmp KVM_PAGE(%r15), %r8d
    jne 1b
    mov %rax, %rsi
    mov %rdi, %rax
    mov $1000000, %ecx
    mul %rcx
    mov khz, %ecx
    div %rcx
    mov %rax, %rdx
    mov %rsi, %rax
    ret

# With ring 3 and back.
vary:
    cmpb $0, varied
    jne 2f
    testb $15, ROUNDS(%r15)
    jz 2f
    ret
2:  call variety
    call look
    mov $1f, %ecx
    mov $0x202, %r11d
    sysretq
1:  call variety
    syscall                       # on in ring 0, after it
    call look
    jmp system

system_call:
    jmp *%rcx

# One line at a time.
print:
    mov $1, %eax
    xchg %eax, printing
    test %eax, %eax
    jz 1f
    pause
    jmp print
1:  mov $SERIAL + 5, %edx
    in (%dx), %al
    test $0x20, %al               # the transmitter takes a byte
    jz 1b
    mov $SERIAL, %edx
    lodsb
    out %al, (%dx)
    dec %ecx
    jnz 1b
    movl $0, printing
    ret

finish:
    mov %edi, %eax
    out %al, $EXIT_PORT
1:  cli
    hlt
    jmp 1b

# ---- interrupts ----

beat:
    push %rax
    push %rcx
    push %rdx
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp NEXT_BEAT(%r15), %rax
    jae 1f
    incq EXTRA(%r15)
    jmp 2f
1:  incq BEATS(%r15)
    mov PERIOD(%r15), %rax
    add NEXT_BEAT(%r15), %rax
    mov %rax, NEXT_BEAT(%r15)
    mov %rax, %rdx
    shr $32, %rdx
    mov $IA32_TSC_DEADLINE, %ecx
    wrmsr
2:  mov $X2APIC_EOI, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    pop %rdx
    pop %rcx
    pop %rax
spurious:
    iretq

# A page fault that is meant goes on at RESUME.
page_fault:
    cmpq $0, RESUME(%r15)
    je exceptions + 14 * exceptions_size
    add $8, %rsp                  # the error code
    push %rax
    mov RESUME(%r15), %rax
    mov %rax, 8(%rsp)
    pop %rax
    iretq

exceptions:
    .set vector, 0
    .rept 32
    push $vector
    .byte 0xe9                    # JMP with 32 bits, so that all are of one size
    .long exception - . - 4
    .set vector, vector + 1
    .endr
    .set exceptions_size, (. - exceptions) / 32

# Prints the vector and what else is on the stack, the first of it the error code or the address, and ends.
exception:
    mov $fault_text, %ebx
    xor %ebp, %ebp
1:  mov (%rsp, %rbp, 8), %rax
    mov $8, %ecx
    call hexadecimal
    inc %ebp
    cmp $3, %ebp
    jb 1b
    mov $fault, %esi
    mov $fault_end - fault, %ecx
stop:
    movl $0, printing
    call print
    mov $2, %edi
    jmp finish

    .include "workload.inc"
    .include "variety.inc"

lacking: .ascii "the processor has no x2APIC or no TSC-deadline timer\n"
lacking_end:
fault: .ascii "exception"
fault_text: .ascii " 00000000 00000000 00000000\n"
fault_end:
    .balign 8, 0
gdt:
    .quad 0
    .quad 0x00af9b000000ffff      # 08: 64-bit code
    .quad 0x00cf93000000ffff      # 10: data
    .quad 0x00cf9b000000ffff      # 18: 32-bit code
    .quad 0x00cff3000000ffff      # 20: data, ring 3
    .quad 0x00affb000000ffff      # 28: 64-bit code, ring 3
    .fill 2 * PROCESSORS, 8, 0    # 30: a TSS for each processor
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
idt_pointer:
    .word 4095
    .quad idt
    .balign 8, 0
processors: .long 1
image_end:

    .section .bss
khz: .long 0
information: .long 0
printing: .long 0
kvm: .byte 0
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
window_pd: .skip 4096
window: .skip 4096
idt: .skip 4096
areas: .skip PROCESSORS * AREA
    .set boot_stack, areas + STACK
memory_end:
