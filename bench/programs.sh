# Debian's programs in the guest: the host's own ones, packed with their libraries. Sourced by bench/compare.

names='gzip sha256sum pystone json cc'

# installed COMMAND PACKAGE: the path of the distribution's own command.
installed() {
    [ -x "/usr/bin/$1" ] || fail "needs /usr/bin/$1; install it, for example: sudo apt-get install $2"
    echo "/usr/bin/$1"
}

# pack FILE...: into the tree, at the same place, with the libraries that they are linked with.
pack() {
    local file
    for file in "$@" $(ldd "$@" 2>/dev/null | grep -o '/[^ :()]*' | sort -u); do
        mkdir -p "$tree$(dirname "$file")"
        [ -e "$tree$file" ] || cp -Lp "$file" "$tree$file"
    done
}

# Makes an initramfs of the one that is there and the programs, and the right checksums in $target/sums.
prepare_programs() {
    need ldd libc-bin
    local tree=$target/programs gzip sha256sum openssl python gcc cc1 module
    gzip=$(installed gzip gzip)
    sha256sum=$(installed sha256sum coreutils)
    openssl=$(installed openssl openssl)
    python=$(installed python3 python3)
    gcc=$(installed gcc gcc)
    cc1=$("$gcc" -print-prog-name=cc1)
    rm -rf "$tree"
    cp -r "$target/initramfs" "$tree"
    mkdir -p "$tree/bench" "$tree/tmp"
    pack "$gzip" "$sha256sum" "$openssl" "$python" "$gcc" "$cc1"
    # The modules that the program imports, compiled if the distribution has them so.
    "$python" -I -S -B -c 'import encodings.ascii, encodings.latin_1, encodings.utf_8, json, sys
print(*[m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)], sep="\n")' \
        | while IFS= read -r module; do
            pack "$module"
            for module in "$(dirname "$module")/__pycache__/$(basename "$module" .py)".cpython-*[0-9].pyc; do
                [ ! -f "$module" ] || pack "$module"
            done
        done
    cp "$bench/src/guest/programs" "$bench/src/guest/programs.py" "$tree/bench/"
    # The same place on the host and in the guest.
    ln -s "$cc1" "$tree/bench/input.bin"
    gcc -E -P "$bench/src/guest/compute.c" >"$tree/bench/input.c"
    (cd "$tree" && find . -mindepth 1 | sort | "$folder/busybox" cpio -o -H newc --quiet) >"$target/programs.cpio" \
        || fail "the initramfs cannot be written"
    initramfs=$target/programs.cpio
}

# The checksums that the host's own processor gives.
expected() {
    rm -rf "$target/host" && cp -r "$target/programs/bench" "$target/host"
    (cd "$target/host" && busybox=$folder/busybox programs=$chosen && . ./programs && programs 1 "$1") \
        >"$results/programs-host"
    rm -rf "$target/host"
}

# time SIDE NAME: of each run's last round, "elapsed-seconds vcpu-seconds".
program_times() {
    local file
    for file in "$results/programs-$1"-[0-9]*; do
        [ ! -f "$file" ] || awk -v name="$2" '
            $4 == "begin" && $5 == name { elapsed = $1; cpu = $2 }
            $4 == "done" && $5 == name { line = ($1 - elapsed) / 1e6 " " ($2 - cpu) / 1e9 }
            END { print line }' "$file"
    done
}

# speeds SIDE KEY FIELD: openssl's figure of each run's last round.
speeds() {
    local file
    for file in "$results/programs-$1"-[0-9]*; do
        [ ! -f "$file" ] || awk -v key="$2" -v field="$3" '
            { split($5, part, ":") }
            $4 == "speed" && part[3] == key { figure = part[field] }
            END { print figure }' "$file"
    done
}

# Every checksum of a run has to be the host's.
check_sums() {
    local wrong
    wrong=$(awk '
        FNR == NR { if ($1 == "sum") right[$2] = $3; next }
        $4 == "failed" { $1 = $2 = $3 = ""; print }
        $4 == "sum" { if (right[$5] != $6) print $5 " gave " $6 ", not " right[$5]; seen[$5]++ }
        END { for (name in right) if (!seen[name]) print name " gave nothing" }' "$results/programs-host" "$1")
    [ -z "$wrong" ] || fail "wrong results in $1: $wrong"
}

is_chosen() {
    case ",${chosen:-$1}," in
        *",$1,"*) ;;
        *) return 1 ;;
    esac
}

programs() {
    local n side name before=$initramfs
    folder=$(image_folder)
    prepare_programs
    expected "$divisor"
    for ((n = 1; n <= runs; n++)); do
        for side in $sides; do
            # Room for the initramfs and what is unpacked from it.
            memory=1024 run programs "$side" "$n" "rounds=$rounds divisor=$divisor programs=$chosen"
            check_sums "$results/programs-$side-$n"
        done
    done
    initramfs=$before
    {
        echo
        row "programs, round $rounds of $rounds, $runs runs" multivisor qemu ratio
        for name in $names; do
            is_chosen "$name" || continue
            compared "$name, s" "$(program_times multivisor "$name" | cut -d' ' -f1 | median)" \
                "$(program_times qemu "$name" | cut -d' ' -f1 | median)"
            compared "$name, CPU time of the vCPU thread" "$(program_times multivisor "$name" | cut -d' ' -f2 | median)" \
                "$(program_times qemu "$name" | cut -d' ' -f2 | median)"
        done
        # Of these more is better.
        if is_chosen openssl; then
            speed "openssl sha256, MB/s" sha256 4 1e6
            speed "openssl aes-128-cbc, MB/s" aes-128-cbc 4 1e6
            speed "openssl rsa2048, sign/s" 2048 4 1
            speed "openssl rsa2048, verify/s" 2048 5 1
        fi
    } | tee "$results/programs.txt"
    echo "The checksums of what they wrote are the host's."
}

# speed TEXT KEY FIELD UNIT
speed() {
    local ours theirs
    ours=$(speeds multivisor "$2" "$3" | median | awk -v u="$4" '{ print $1 / u }')
    theirs=$(speeds qemu "$2" "$3" | median | awk -v u="$4" '{ print $1 == "-" ? "-" : $1 / u }')
    row "$1" "$ours" "$theirs" "$(ratio "$ours" "$theirs")"
}
