package dev.multivisor.it;

import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.PageListener;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/** The guest {@code storm.S}, and what it must be seen to write. */
final class Storm {
    static final long PAGES = 0x200000, FRAME = PAGES >>> 12;

    /** How many pages it writes every round in full; the one after them has a number for each processor only. */
    static final int WATCHED = 3;

    static final long OTHER = FRAME + WATCHED;
    static final long MEMORY = 16L << 20;

    private Storm() {}

    static VirtualMachine machine(LoadedEngine engine, int cpus) throws IOException, InterruptedException {
        return machine(engine, cpus, Guests.storm());
    }

    /** A small machine with another kernel. */
    static VirtualMachine machine(LoadedEngine engine, int cpus, Path image) throws IOException {
        StreamConsole nowhere = new StreamConsole(List.of());
        MachineSpec spec = new MachineSpec(cpus, "x86-64-v2", Map.of());
        byte[] kernel = Files.readAllBytes(image);
        return VirtualMachine.create(
                engine,
                new VirtualMachine.Settings("storm", MEMORY, spec, nowhere, nowhere),
                new Boot(new Boot.Image("storm", MemorySegment.ofArray(kernel)), List.of(), ""));
    }

    /** The number that a processor has written last, as memory tells it. */
    static long number(VirtualMachine machine, int cpu) {
        byte[] bytes = new byte[4];
        machine.pages().read(PAGES + 0x100 + 64L * cpu, bytes);
        return value(bytes);
    }

    private static long value(byte[] bytes) {
        long value = 0;
        for (int n = bytes.length - 1; n >= 0; n--) {
            value = value << 8 | bytes[n] & 0xff;
        }
        return value;
    }

    /** Follows one processor's writes, one by one. */
    static final class Follower {
        private final int cpu;
        private final boolean whole;

        /** The number of the round, and which write of it is the next; before the first report, 0. */
        private volatile long round;

        private int step;
        private volatile long reports;

        /** @param whole whether the three pages are watched, or the fourth alone */
        Follower(int cpu, boolean whole) {
            this.cpu = cpu;
            this.whole = whole;
        }

        /** Where it is known to begin. */
        Follower from(long first) {
            round = first;
            return this;
        }

        long round() {
            return round;
        }

        long reports() {
            return reports;
        }

        private String expected() {
            long slot = PAGES + 64L * cpu;
            long end = PAGES + 0xffe + 0x1000L * cpu;
            if (!whole) {
                return shown(slot + 0x3000, 4, round);
            }
            return switch (step) {
                case 0 -> shown(slot + 0x100, 4, round);
                case 1 -> shown(slot + 0x104, 4, round);
                case 2 -> shown(end, 2, round & 0xffff);
                case 3 -> shown(end + 2, 2, round >>> 16);
                case 4 -> shown(slot + 0x1200, 4, round);
                default -> shown(slot + 0x1204, 4, round);
            };
        }

        private static String shown(long address, int size, long value) {
            return Long.toHexString(address) + "+" + size + " = " + value;
        }

        /** The next report of its processor. Returns what is wrong with it. */
        Optional<String> next(long address, byte[] bytes) {
            reports++;
            String seen = shown(address, bytes.length, value(bytes));
            if (round == 0) {
                round = value(bytes);
            }
            String expected = expected();
            if (whole && step < 5) {
                step++;
            } else {
                step = 0;
                round++;
            }
            return seen.equals(expected)
                    ? Optional.empty()
                    : Optional.of("vCPU " + cpu + ", report " + reports + ": " + seen + ", not " + expected);
        }
    }

    /** Follows all processors. */
    static final class Listener implements PageListener {
        final List<Follower> followers;
        final AtomicReference<String> wrong = new AtomicReference<>("");

        Listener(Follower... followers) {
            this.followers = List.of(followers);
        }

        @Override
        public void onWrite(long address, byte[] bytes, Writer writer) {
            if (writer instanceof Writer.Cpu(int number, long instruction)) {
                followers
                        .get(number)
                        .next(address, bytes)
                        .ifPresent(problem ->
                                wrong.compareAndSet("", problem + ", instruction " + Long.toHexString(instruction)));
            } else {
                wrong.compareAndSet("", "a write from outside at " + Long.toHexString(address));
            }
        }
    }
}
