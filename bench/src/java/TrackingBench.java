import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.DirtyLog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.MachineStatus;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What page tracking costs. States take turns in one guest, a window of time each; the figure is a median of windows,
 * and of ratios to the windows in which nothing is watched. Arguments: the engine, the kernel that writes, the number of
 * windows of each state, a Linux kernel and the initramfs of bench/compare; without the kernel that writes, it prints only
 * how fast a guest is that nobody watches.
 */
final class TrackingBench {
    private static final long WINDOW_MILLIS = 100;
    private static final long PAGES = 0x200000, CODE = 0x100000;

    /** In the read-only data of a Debian kernel, which lies from 0x1000000 on. */
    private static final long CONSTANTS = 0x1d00000;

    private static final long LINUX_MEMORY = 256 << 20;
    private static final int WRITES_A_ROUND = 6;

    /** A boot takes 1,250 million instructions. */
    private static final long BOOTED = 2_000_000_000L;

    /** Windows that a guest runs before it is measured. */
    private static final int LEAST = 80;

    private TrackingBench() {}

    /** Makes a state and ends it. */
    private interface State {
        AutoCloseable begin() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        LoadedEngine engine = load(arguments[0]);
        if (arguments.length == 2) {
            rateAlone(engine, Integer.parseInt(arguments[1]));
            return;
        }
        byte[] storm = Files.readAllBytes(Path.of(arguments[1]));
        int windows = Integer.parseInt(arguments[2]);
        Boot writer = new Boot(new Boot.Image("storm", MemorySegment.ofArray(storm)), List.of(), "");
        System.out.println("| guest | state | instructions a µs | ratio | 95 % sure | quartiles of the ratio |");
        System.out.println("| --- | --- | --- | --- | --- | --- |");
        try (VirtualMachine machine = machine(engine, linux(arguments[3], arguments[4]), LINUX_MEMORY)) {
            machine.start();
            // Until it has booted and computes.
            while (machine.status().cpus().getFirst().instructions() < BOOTED) {
                Thread.sleep(100);
            }
            settle(machine);
            measureUnwritten("compute", machine, CONSTANTS >>> 12, windows);
        }
        try (VirtualMachine machine = machine(engine, BuiltinGuest.boot("quiet"), BuiltinGuest.MEMORY)) {
            machine.start();
            settle(machine);
            measureUnwritten("computes", machine, CODE >>> 12, windows);
        }
        try (VirtualMachine machine = machine(engine, writer, 16 << 20)) {
            machine.start();
            AtomicLong reports = new AtomicLong();
            Map<String, State> states = new LinkedHashMap<>();
            states.put("nothing watched", () -> () -> {});
            states.put("its three pages tracked", () -> tracked(machine, PAGES >>> 12, 3, reports));
            states.put("a dirty log, taken each ms", () -> followed(machine));
            settle(machine);
            try (AutoCloseable warm = states.get("its three pages tracked").begin()) {
                settle(machine);
            }
            List<double[]> rounds = measure("writes", machine, states, windows);
            // 9 instructions a round, the string as one.
            double plain = 9 / median(rounds.get(0)) * 1000;
            double slow = 9 / median(rounds.get(1)) * 1000;
            System.out.printf(
                    "%na tracked write: %.0f ns more than another (a round of %d writes takes %.0f ns, tracked %.0f ns)%n",
                    (slow - plain) / WRITES_A_ROUND, WRITES_A_ROUND, plain, slow);
            System.out.printf("add and remove of a page that is written meanwhile: %.1f µs%n", addAndRemove(machine));
        }
    }

    /** What tracking costs that reports nothing. */
    private static void measureUnwritten(String guest, VirtualMachine machine, long frame, int windows)
            throws Exception {
        Map<String, State> states = new LinkedHashMap<>();
        states.put("nothing watched", () -> () -> {});
        states.put("nothing watched, again", () -> () -> {});
        AtomicLong writes = new AtomicLong();
        states.put("a page tracked, never written", () -> tracked(machine, frame, 1, writes));
        states.put("a dirty log open", () -> machine.pages().logWrites());
        measure(guest, machine, states, windows);
        if (writes.get() != 0) {
            throw new IllegalStateException("the guest writes to the page that it should not");
        }
    }

    /** Debian's kernel with the first kernel of compute.c, again and again. */
    private static Boot linux(String kernel, String initramfs) throws Exception {
        return new Boot(
                new Boot.Image("vmlinuz", MemorySegment.ofArray(Files.readAllBytes(Path.of(kernel)))),
                List.of(new Boot.Image("initramfs", MemorySegment.ofArray(Files.readAllBytes(Path.of(initramfs))))),
                "console=ttyS0 quiet bench=compute rounds=1000000 only=crc32");
    }

    /** How fast the guest that computes is on an engine that may know nothing of tracking. */
    private static void rateAlone(LoadedEngine engine, int windows) throws Exception {
        try (VirtualMachine machine = machine(engine, BuiltinGuest.boot("quiet"), BuiltinGuest.MEMORY)) {
            machine.start();
            settle(machine);
            double[] rates = new double[windows];
            for (int n = 0; n < windows; n++) {
                rates[n] = rate(machine);
            }
            System.out.printf("%.2f%n", median(rates));
        }
    }

    private static double addAndRemove(VirtualMachine machine) {
        double[] times = new double[2000];
        try (PageRegistration registration = machine.pages().register((address, bytes, writer) -> {})) {
            for (int n = 0; n < times.length; n++) {
                long start = System.nanoTime();
                registration.add(PAGES >>> 12);
                registration.remove(PAGES >>> 12);
                times[n] = (System.nanoTime() - start) / 1000.0;
            }
        }
        return median(times);
    }

    private static PageRegistration tracked(VirtualMachine machine, long frame, int pages, AtomicLong reports) {
        PageRegistration registration = machine.pages().register((address, bytes, writer) -> reports.lazySet(address));
        registration.add(frame, pages);
        return registration;
    }

    private static AutoCloseable followed(VirtualMachine machine) {
        DirtyLog log = machine.pages().logWrites();
        Thread taker = Thread.ofPlatform().start(() -> {
            try {
                while (true) {
                    log.take(0, (16 << 20) / 4096);
                    Thread.sleep(1);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        return () -> {
            taker.interrupt();
            taker.join();
            log.close();
        };
    }

    private static List<double[]> measure(String guest, VirtualMachine machine, Map<String, State> states, int windows)
            throws Exception {
        List<double[]> rates = new ArrayList<>();
        states.forEach((name, state) -> rates.add(new double[windows]));
        List<State> all = List.copyOf(states.values());
        List<Integer> order = new ArrayList<>();
        for (int n = 0; n < all.size(); n++) {
            order.add(n);
        }
        for (int n = 0; n < windows; n++) {
            Collections.shuffle(order);
            for (int index : order) {
                try (AutoCloseable during = all.get(index).begin()) {
                    rates.get(index)[n] = rate(machine);
                }
            }
        }
        int index = 0;
        for (String name : states.keySet()) {
            double[] ratios = new double[windows];
            for (int n = 0; n < windows; n++) {
                ratios[n] = rates.get(index)[n] / rates.get(0)[n];
            }
            print(guest, name, median(rates.get(index)), ratios);
            index++;
        }
        return rates;
    }

    private static void print(String guest, String state, double rate, double[] ratios) {
        Arrays.sort(ratios);
        // So many values off the middle the true median lies with 95 %, whatever the distribution (binomial).
        int sure = (int) Math.ceil(0.98 * Math.sqrt(ratios.length));
        System.out.printf(
                "| %s | %s | %s | %.4f | %.4f to %.4f | %.4f to %.4f |%n",
                guest,
                state,
                rate == 0 ? "" : "%.1f".formatted(rate),
                median(ratios),
                ratios[Math.max(0, ratios.length / 2 - sure)],
                ratios[Math.min(ratios.length - 1, ratios.length / 2 + sure)],
                ratios[ratios.length / 4],
                ratios[ratios.length * 3 / 4]);
    }

    /** Instructions in a microsecond of the vCPU thread's CPU time. */
    private static double rate(VirtualMachine machine) throws InterruptedException {
        MachineStatus.Cpu before = machine.status().cpus().getFirst();
        Thread.sleep(WINDOW_MILLIS);
        MachineStatus.Cpu after = machine.status().cpus().getFirst();
        return 1000.0 * (after.instructions() - before.instructions()) / (after.cpuNanos() - before.cpuNanos());
    }

    /** Until the JVM has compiled what the guest needs, which takes longer on a busy host. */
    private static void settle(VirtualMachine machine) throws InterruptedException {
        double best = 0;
        int since = 0;
        for (int n = 0; n < LEAST || since < LEAST / 2; n++) {
            double now = rate(machine);
            since = now > best * 1.02 ? 0 : since + 1;
            best = Math.max(best, now);
        }
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static LoadedEngine load(String jar) {
        return LoadedEngine.load(EngineJar.read(Path.of(jar)));
    }

    private static VirtualMachine machine(LoadedEngine engine, Boot boot, long memory) {
        StreamConsole nowhere = new StreamConsole(List.of());
        MachineSpec spec = new MachineSpec(1, "x86-64-v2", Map.of());
        return VirtualMachine.create(
                engine, new VirtualMachine.Settings("bench", memory, spec, nowhere, nowhere), boot);
    }
}
