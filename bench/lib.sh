# Common to the benchmarks: paths, the guest's parts, one timed run. Sourced by bash scripts.

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$bench")
target=$bench/target
image=debian-12

fail() {
    printf 'bench: %s\n' "$1" >&2
    exit 2
}

need() {
    command -v "$1" >/dev/null || fail "needs $1; install it, for example: sudo apt-get install $2"
}

# The folder of the default guest's image, fetched if need be.
image_folder() {
    local folder
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/multivisor/images/$image
    [ -f "$folder/vmlinuz" ] || "$root/multivisor" image pull "$image" >&2
    printf '%s\n' "$folder"
}

# The kernel as an ELF file, which QEMU's microvm starts at once; as a bzImage Debian's 6.1 hangs there.
# Its place is told by the setup header (Linux, Documentation/arch/x86/boot.rst).
unpack_kernel() {
    local bzimage=$1 out=$2 sectors offset length magic unpack
    number() { od -An -v -tu"$2" -j"$1" -N"$2" "$bzimage" | tr -d ' '; }
    sectors=$(number 497 1)
    offset=$(((sectors + 1) * 512 + $(number 584 4)))
    length=$(number 588 4)
    magic=$(od -An -v -tx1 -j"$offset" -N4 "$bzimage" | tr -d ' ')
    case $magic in
        02214c18) unpack=lz4 ;;
        28b52ffd) unpack=zstd ;;
        *) unpack=none ;;
    esac
    # The last four bytes are the unpacked size.
    command -v "$unpack" >/dev/null && head -c $((offset + length - 4)) "$bzimage" | tail -c +$((offset + 1)) \
        | "$unpack" -dc >"$out" 2>/dev/null
}

# Makes $kernel, $elf and $initramfs.
prepare() {
    local folder tree
    need gcc gcc
    folder=$(image_folder)
    mkdir -p "$target"
    kernel=$folder/vmlinuz
    elf=$target/vmlinux
    tree=$target/initramfs
    mkdir -p "$tree/bin" "$tree/proc" "$tree/dev"
    cp "$folder/busybox" "$tree/bin/busybox"
    cp "$bench/src/guest/init" "$tree/init"
    local program
    for program in compute heartbeat; do
        gcc -O2 -static -o "$tree/bin/$program" "$bench/src/guest/$program.c" || fail "$program.c does not compile"
    done
    initramfs=$target/initramfs.cpio
    # The image's busybox is linked statically, so it is the host's cpio too.
    (cd "$tree" && printf '%s\n' init bin bin/busybox bin/compute bin/heartbeat dev proc \
        | "$folder/busybox" cpio -o -H newc --quiet) >"$initramfs" || fail "the initramfs cannot be written"
    "$root/multivisor" --version >/dev/null
}

qemu=${QEMU:-qemu-system-x86_64}

have_qemu() {
    command -v "$qemu" >/dev/null
}

# MiB of the guest, and QEMU's machine: without ACPI, whose tables an initramfs may overwrite, and Linux hangs then.
memory=512 machine=microvm,acpi=off

command_line='console=ttyS0 quiet panic=-1'

start_multivisor() {
    exec "$root/multivisor" run --kernel "$kernel" --initrd "$initramfs" --memory "${memory}M" --no-reboot --statistics \
        --append "quiet $1" ${MULTIVISOR_BENCH_OPTIONS:-}
}

start_qemu() {
    exec "$qemu" -M "$machine" -accel tcg -cpu "${QEMU_CPU:-max}" -m "$memory" -nodefaults -no-user-config -display none \
        -serial stdio -no-reboot -name bench,debug-threads=on -kernel "$elf" -initrd "$initramfs" \
        -append "$command_line $1"
}

# CPU time of a process's vCPU thread in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst) into $vcpu_time,
# and of the whole process in ticks into $process_time.
vcpu_thread=
read_times() {
    local pid=$1 task name rest
    if [ -z "$vcpu_thread" ]; then
        for task in /proc/"$pid"/task/*; do
            name=
            read -r name 2>/dev/null <"$task/comm" || continue
            case $name in
                vm-*-cpu-0 | 'CPU 0/TCG') vcpu_thread=$task ;;
            esac
        done
    fi
    vcpu_time=0
    [ -z "$vcpu_thread" ] || read -r vcpu_time rest 2>/dev/null <"$vcpu_thread/schedstat" || vcpu_time=0
    local stat
    process_time=0
    if read -r stat 2>/dev/null <"/proc/$pid/stat"; then
        # shellcheck disable=SC2086 # the fields are wanted one by one
        set -- ${stat##*) }
        process_time=$((${12} + ${13}))
    fi
}

# Seconds without a line of output after which a run has hung.
patience=300

# timed FILE COMMAND ARGUMENT...: runs it, and writes each line of output to FILE with microseconds since the start,
# nanoseconds of the vCPU thread and ticks of the process before it.
timed() {
    local file=$1 pid start now line
    shift
    vcpu_thread=
    start=${EPOCHREALTIME/[.,]/}
    exec 3< <("$@" </dev/null 2>&1)
    pid=$!
    printf '# load %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)" >"$file"
    while IFS= read -r -t "$patience" line <&3; do
        now=${EPOCHREALTIME/[.,]/}
        read_times "$pid"
        printf '%d %d %d %s\n' $((now - start)) "$vcpu_time" "$process_time" "${line%$'\r'}" >>"$file"
    done
    # Whatever is left has hung, or closed its output and ends.
    kill "$pid" 2>/dev/null || true
    exec 3<&-
}

# The median of the numbers on standard input; "-" for none.
median() {
    sort -g | awk '{ v[NR] = $1 } END {
        if (NR == 0) print "-"; else print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-" }'
}
