package dev.multivisor.cli;

import dev.multivisor.server.ControlException;
import dev.multivisor.server.MachineView;
import dev.multivisor.server.MoveView;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Moves every machine of a host to another engine: asks all of them first, moves some canaries and watches them for a
 * while, then moves the others. When a canary misbehaves or a move fails, whatever was moved goes back.
 */
final class Rollout {
    /** How often the canaries are looked at. */
    private static final long LOOK_MILLIS = 250;

    /** How much CPU time the thread of a vCPU may use without an instruction. */
    private static final long STALL_NANOS = 2_000_000_000L;

    /** How long a vCPU that does not wait may execute nothing, though its thread may get no processor. */
    private static final long LONGEST_STALL_NANOS = 20_000_000_000L;

    /** How often a move is tried. */
    private static final int TRIES = 3;

    /** What a canary must have used of a processor, in each of two spans, for its speed to be compared. */
    private static final long TELLING_NANOS = 200_000_000L;

    /** How long speed is measured before the move at the most. */
    private static final Duration LONGEST_BASE = Duration.ofSeconds(10);

    /** A machine and what can be done with it. Calls throw {@link ControlException} when it is gone. */
    interface Member {
        String name();

        MachineView look();

        MoveView ask();

        MoveView move();

        MoveView back();
    }

    /**
     * How to go about it.
     *
     * @param parallel how many machines move at a time
     * @param canaries how many move first
     * @param soak how long the canaries are watched before the others move
     * @param speed what a canary must keep of its speed, in per cent
     */
    record Plan(int parallel, int canaries, Duration soak, int speed) {}

    /**
     * What came of a machine.
     *
     * @param outcome {@code moved}, {@code refused}, {@code failed}, {@code rolled back}, {@code lost} or {@code not moved}
     * @param detail why; empty when it moved
     */
    record Result(String machine, String outcome, String detail, long stoppedNanos) {}

    private final Plan plan;
    private final Consumer<String> tell;
    private final Map<String, Result> results = new LinkedHashMap<>();
    /** Where those that have moved went. */
    private final Map<Member, String> moved = new LinkedHashMap<>();

    Rollout(Plan plan, Consumer<String> tell) {
        this.plan = plan;
        this.tell = tell;
    }

    /** Does it; a result for each machine, in their order. */
    List<Result> run(List<Member> members) throws InterruptedException {
        members.forEach(member -> put(member, "not moved", "", 0));
        List<Member> first = members.subList(0, Math.min(plan.canaries, members.size()));
        List<Member> rest = members.subList(first.size(), members.size());
        boolean good = all(members, Member::ask, false);
        if (good && !first.isEmpty()) {
            good = canaries(first);
        }
        if (good) {
            good = all(rest, Member::move, true);
        }
        if (!good) {
            takeBack();
        }
        return List.copyOf(results.values());
    }

    /** Only asks; a result for each machine, {@code possible} at best. */
    List<Result> ask(List<Member> members) throws InterruptedException {
        members.forEach(member -> put(member, "possible", "", 0));
        all(members, Member::ask, false);
        return List.copyOf(results.values());
    }

    /** Whether no machine misbehaved or failed. */
    static boolean good(List<Result> results) {
        return results.stream().allMatch(result -> List.of("moved", "possible").contains(result.outcome));
    }

    /** How many machines came to what, in one line. */
    static String summary(List<Result> results) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        results.forEach(result -> counts.merge(result.outcome, 1, Integer::sum));
        return count(results.size(), "machine", "machines")
                + (results.isEmpty() ? "" : ": ")
                + String.join(
                        ", ",
                        counts.entrySet().stream()
                                .map(entry -> entry.getValue() + " " + entry.getKey())
                                .toList());
    }

    private boolean canaries(List<Member> canaries) throws InterruptedException {
        tell.accept("moving " + count(canaries.size(), "canary", "canaries") + ": "
                + String.join(", ", canaries.stream().map(Member::name).toList()));
        Duration base = plan.soak.compareTo(LONGEST_BASE) < 0 ? plan.soak : LONGEST_BASE;
        List<Watch> before = canaries.stream().map(Watch::new).toList();
        Thread.sleep(base);
        List<Double> speeds = new ArrayList<>();
        for (Watch watch : before) {
            watch.look();
            speeds.add(watch.speed());
        }
        if (!all(canaries, Member::move, true)) {
            return false;
        }
        tell.accept("watching for " + plan.soak.toMillis() / 1e3 + " s");
        List<Watch> after = canaries.stream().map(Watch::new).toList();
        long end = System.nanoTime() + plan.soak.toNanos();
        while (System.nanoTime() < end) {
            Thread.sleep(LOOK_MILLIS);
            for (Watch watch : after) {
                watch.look();
            }
            if (!healthy(after)) {
                return false;
            }
        }
        for (int n = 0; n < after.size(); n++) {
            after.get(n).compare(speeds.get(n), plan.speed);
        }
        return healthy(after);
    }

    private boolean healthy(List<Watch> watches) {
        boolean healthy = true;
        for (Watch watch : watches) {
            if (!watch.problem.isEmpty()) {
                tell.accept("canary " + watch.member.name() + ": " + watch.problem);
                Result so = results.get(watch.member.name());
                put(watch.member, "misbehaved", watch.problem, so.stoppedNanos);
                healthy = false;
            }
        }
        return healthy;
    }

    /** Does something with several machines at a time, until one fails; whether none did. */
    private boolean all(List<Member> members, Function<Member, MoveView> action, boolean moves)
            throws InterruptedException {
        boolean good = true;
        int size = moves ? plan.parallel : Math.max(plan.parallel, 4);
        for (int start = 0; start < members.size() && (good || !moves); start += size) {
            List<Member> batch = members.subList(start, Math.min(start + size, members.size()));
            good &= batch(batch, action);
        }
        return good;
    }

    private boolean batch(List<Member> batch, Function<Member, MoveView> action) throws InterruptedException {
        List<Future<MoveView>> views = new ArrayList<>();
        boolean good = true;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            batch.forEach(member -> views.add(threads.submit(() -> persistently(member, action))));
            for (int n = 0; n < batch.size(); n++) {
                Member member = batch.get(n);
                try {
                    MoveView view = views.get(n).get();
                    if (view.outcome().equals("moved")) {
                        moved.put(member, view.to());
                        put(member, "moved", "", view.stoppedNanos());
                        tell.accept(member.name() + ": moved, stopped for " + Figures.micros(view.stoppedNanos()));
                    } else if (!view.good()) {
                        good = false;
                        put(member, view.outcome(), String.join("; ", view.reasons()), 0);
                    }
                } catch (ExecutionException e) {
                    good = false;
                    put(member, "failed", line(e.getCause()), 0);
                }
            }
        }
        return good;
    }

    /** A move that failed, and was not refused, is tried again: the host may just have been too busy. */
    private static MoveView persistently(Member member, Function<Member, MoveView> action) {
        MoveView view = action.apply(member);
        for (int n = 1; n < TRIES && view.outcome().equals("failed"); n++) {
            view = action.apply(member);
        }
        return view;
    }

    private void takeBack() {
        moved.forEach((member, to) -> {
            Result so = results.get(member.name());
            String outcome = "rolled back";
            String why = so.detail;
            try {
                // On probation it may have gone back by itself.
                if (member.look().engine().equals(to)) {
                    MoveView view = member.back();
                    outcome = view.good() ? outcome : "failed";
                    why = why.isEmpty() ? String.join("; ", view.reasons()) : why;
                }
            } catch (ControlException e) {
                outcome = "lost";
                why = why.isEmpty() ? e.getMessage() : why;
            }
            put(member, outcome, why, so.stoppedNanos);
            tell.accept(member.name() + ": " + outcome);
        });
    }

    private void put(Member member, String outcome, String detail, long stoppedNanos) {
        results.put(member.name(), new Result(member.name(), outcome, detail, stoppedNanos));
    }

    private static String line(Throwable e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    private static String count(int n, String one, String many) {
        return n + " " + (n == 1 ? one : many);
    }

    /** What a canary does, seen from outside. */
    private static final class Watch {
        private final Member member;
        private final String engine;
        private final MachineView start;
        private final long[] instructions;
        private final long[] moved;
        private final long[] cpuNanos;
        private MachineView last;
        private String problem = "";

        Watch(Member member) {
            this.member = member;
            start = member.look();
            last = start;
            engine = start.engine();
            instructions = start.cpus().stream()
                    .mapToLong(MachineView.Cpu::instructions)
                    .toArray();
            moved = new long[instructions.length];
            java.util.Arrays.fill(moved, System.nanoTime());
            cpuNanos =
                    start.cpus().stream().mapToLong(MachineView.Cpu::cpuNanos).toArray();
        }

        void look() {
            MachineView now;
            try {
                now = member.look();
            } catch (ControlException e) {
                problem = "it is gone: " + e.getMessage();
                return;
            }
            if (now.guestNanos() < last.guestNanos()) {
                problem = "the guest was started anew";
            } else if (!now.phase().equals(start.phase())) {
                problem = "the guest has " + now.phase();
            } else if (!now.engine().equals(engine)) {
                problem = "it went back to engine " + now.engine() + " by itself";
            } else if (now.panic().isPresent()) {
                problem = "the guest's kernel panicked: " + now.panic().get();
            }
            last = now;
            // One that is paused stands still by right.
            for (int n = 0; n < moved.length && problem.isEmpty() && now.phase().equals("running"); n++) {
                MachineView.Cpu cpu = now.cpus().get(n);
                long time = System.nanoTime();
                if (cpu.waiting() || cpu.instructions() != instructions[n]) {
                    instructions[n] = cpu.instructions();
                    moved[n] = time;
                    cpuNanos[n] = cpu.cpuNanos();
                } else if (cpu.cpuNanos() - cpuNanos[n] > STALL_NANOS || time - moved[n] > LONGEST_STALL_NANOS) {
                    problem = "vCPU " + n + " stands still";
                }
            }
        }

        private long cpuNanos(MachineView view) {
            return view.cpus().stream().mapToLong(MachineView.Cpu::cpuNanos).sum();
        }

        private long instructions(MachineView view) {
            return view.cpus().stream().mapToLong(MachineView.Cpu::instructions).sum();
        }

        /** Instructions for each nanosecond of a processor; 0 if there were too few to tell. */
        double speed() {
            long nanos = cpuNanos(last) - cpuNanos(start);
            return nanos < TELLING_NANOS ? 0 : (double) (instructions(last) - instructions(start)) / nanos;
        }

        /** @param least the least that is fast enough */
        void compare(double before, int least) {
            double now = speed();
            if (before > 0 && now > 0 && now < before * least / 100) {
                problem = "it has lost speed: %.0f million instructions a second of a processor after %.0f before"
                        .formatted(now * 1e3, before * 1e3);
            }
        }
    }
}
