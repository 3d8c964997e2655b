# CPUID leaves and model-specific registers (Intel SDM vol. 2, CPUID; vol. 4, chapter 2).
    .include "guest.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm
test:
    # The highest leaf; the vendor; a hypervisor is named, as KVM.
    xor %eax, %eax
    cpuid
    cmp $7, %eax
    check ae
    mov $1, %eax
    cpuid
    mov %edx, %esi
    mov %ecx, %edi
    # What x86-64-v2 promises: FPU, TSC, MSR, CX8, APIC, CMOV, FXSR, SSE, SSE2 ...
    and $0x07008131, %esi
    check_eq 0x07008131, %rsi
    # ... SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT, x2APIC, TSC deadline, hypervisor.
    mov %edi, %eax
    and $0x81b82201, %eax
    check_eq 0x81b82201, %rax
    # OSXSAVE and XSAVE, AVX are absent.
    and $0x1c000000, %edi
    check_eq 0, %rdi
    shr $24, %ebx                          # initial APIC ID
    check_eq 0, %rbx
    mov $0x40000000, %eax
    cpuid
    cmp $0x4b4d564b, %ebx
    check e
    cmp $0x564b4d56, %ecx
    check e
    cmp $0x4d, %edx
    check e
    # The upper halves of the registers are cleared.
    mov $-1, %rbx
    mov $1, %eax
    cpuid
    shr $32, %rbx
    check_eq 0, %rbx
    # Extended: NX, SYSCALL, long mode, RDTSCP, LAHF.
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000008, %eax
    check ae
    mov $0x80000001, %eax
    cpuid
    and $0x28100800, %edx
    check_eq 0x28100800, %rdx
    and $1, %ecx
    check_eq 1, %rcx
    mov $0x80000007, %eax
    cpuid
    and $0x100, %edx                       # the TSC does not stop
    check_eq 0x100, %rdx
    mov $0x80000008, %eax
    cpuid
    cmp $48, %ah
    check e
    # Leaves beyond the highest give the highest basic leaf's or zeros, never a fault.
    mov $0x7fffffff, %eax
    cpuid
    mov $0x80ffffff, %eax
    cpuid
    # EFLAGS.ID can be changed.
    pushfq
    pop %rax
    btc $21, %rax
    push %rax
    popfq
    pushfq
    pop %rcx
    xor %rcx, %rax
    and $0x200000, %eax
    check_eq 0, %rax

    # Unknown MSRs: #GP(0) for both directions.
    mov $0x12345678, %ecx
    raises 13, 0, rdmsr
    raises 13, 0, wrmsr
    mov $0xc0000fff, %ecx
    raises 13, 0, rdmsr
    # EFER: reserved bits; LME cannot change with paging on; LMA is read-only.
    mov $0xc0000080, %ecx
    rdmsr
    mov %eax, %ebx
    and $0xd01, %ebx
    check_eq 0xd01, %rbx
    mov %eax, %ebx
    or $2, %eax
    raises 13, 0, wrmsr
    mov %ebx, %eax
    and $~0x100, %eax
    raises 13, 0, wrmsr
    mov %ebx, %eax
    btr $10, %eax
    wrmsr
    rdmsr
    cmp %eax, %ebx
    check e
    # FS and GS bases, KERNEL_GS_BASE with SWAPGS; canonical only.
    mov $0xc0000101, %ecx
    mov $0x89abcdef, %eax
    mov $0xffff8000, %edx
    wrmsr
    mov $0xc0000102, %ecx
    mov $0x200000, %eax
    xor %edx, %edx
    wrmsr
    movl $0x5a5a5a5a, 0x200010
    swapgs
    mov %gs:0x10, %eax
    check_eq 0x5a5a5a5a, %rax
    mov $0xc0000102, %ecx
    rdmsr
    cmp $0x89abcdef, %eax
    check e
    mov $0xc0000100, %ecx
    mov $0x8000, %edx
    raises 13, 0, wrmsr
    mov $0x200000, %eax
    xor %edx, %edx
    wrmsr
    cmpl $0x5a5a5a5a, %fs:0x10
    check e
    # A load of the selector resets the base.
    xor %eax, %eax
    mov %eax, %fs
    mov $0x10, %eax
    mov %eax, %fs
    mov $0xc0000100, %ecx
    rdmsr
    or %edx, %eax
    check_eq 0, %rax
    # PAT: reserved types are refused. MTRRs, if there: the capability can be read.
    mov $0x277, %ecx
    rdmsr
    mov %eax, %ebx
    mov $2, %eax
    raises 13, 0, wrmsr
    mov $1, %eax
    cpuid
    test $1 << 12, %edx
    jz 1f
    mov $0xfe, %ecx
    rdmsr
1:  # TSC_AUX with RDTSCP.
    mov $0xc0000103, %ecx
    mov $0x77, %eax
    xor %edx, %edx
    wrmsr
    rdtscp
    check_eq 0x77, %rcx
    # The TSC only grows, also over RDTSCP and RDMSR; it can be set.
    xor %rsi, %rsi
    mov $1000, %edi
2:  rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp %rsi, %rax
    check a
    mov %rax, %rsi
    mov $0x10, %ecx
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    cmp %rsi, %rax
    check a
    mov %rax, %rsi
    dec %edi
    jnz 2b
    mov $0x10, %ecx
    mov $0x1000, %edx
    xor %eax, %eax
    wrmsr
    rdtsc
    check_eq 0x1000, %rdx
    # The APIC base.
    mov $0x1b, %ecx
    rdmsr
    and $0xfffff900, %eax
    mov $0xfee00900, %ebx                  # enabled, bootstrap processor
    cmp %eax, %ebx
    check e
    # Machine checks: none.
    mov $0x179, %ecx
    rdmsr
    jmp done
