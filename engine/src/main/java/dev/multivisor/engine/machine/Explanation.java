package dev.multivisor.engine.machine;

import dev.multivisor.engine.cpu.CodeListing;
import dev.multivisor.engine.cpu.CompiledCode;
import dev.multivisor.engine.cpu.Interpreter;
import dev.multivisor.engine.cpu.RegionView;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/** Tells people of the compiled code of a machine's vCPUs. */
final class Explanation {
    /** Regions in a list, and those whose code is shown: the code of one takes up to half a megabyte. */
    private static final int MOST_LISTED = 40, MOST_SHOWN = 3;

    private static final int PAGE = 4096;

    /** Compiled code, and the vCPU that has it. */
    private record Found(Interpreter interpreter, RegionView region) {}

    private final StringBuilder out = new StringBuilder();
    private final List<Found> found = new ArrayList<>();

    private Explanation() {}

    /** The regions that hold a linear address, with their code; without an address, a list of the busiest regions. */
    static Optional<String> of(List<Interpreter> cpus, OptionalLong linear) {
        Explanation explanation = new Explanation();
        for (Interpreter interpreter : cpus) {
            interpreter.regions(linear).forEach(region -> explanation.found.add(new Found(interpreter, region)));
        }
        if (explanation.found.isEmpty()) {
            return Optional.empty();
        }
        explanation.found.sort(Comparator.comparingLong((Found one) -> one.region.instructions())
                .reversed());
        explanation.list();
        if (linear.isPresent()) {
            explanation.show();
        }
        return Optional.of(explanation.out.toString());
    }

    private void list() {
        long all = found.stream().mapToLong(one -> one.region.instructions()).sum();
        out.append(found.size()).append(found.size() == 1 ? " region" : " regions");
        out.append(found.size() > MOST_LISTED ? "; the busiest " + MOST_LISTED + " are:\n" : ":\n");
        line("entry", "vCPU", "entered", "instructions", "share");
        for (Found one : found.subList(0, Math.min(found.size(), MOST_LISTED))) {
            RegionView region = one.region;
            line(
                    hex(region.start()),
                    region.cpu() + "",
                    count(region.entered()),
                    count(region.instructions()),
                    String.format(Locale.ROOT, "%.1f %%", 100.0 * region.instructions() / Math.max(1, all)));
        }
    }

    private void line(String entry, String cpu, String entered, String instructions, String share) {
        out.append(String.format("%-18s  %4s  %15s  %19s  %7s%n", entry, cpu, entered, instructions, share));
    }

    /** Each code once, however many vCPUs and addresses have it. */
    private void show() {
        List<CompiledCode> shown = new ArrayList<>();
        int left = 0;
        for (Found one : found) {
            if (shown.contains(one.region.code())) {
                continue;
            }
            if (shown.size() == MOST_SHOWN) {
                left++;
                continue;
            }
            shown.add(one.region.code());
            head(one.region);
            Optional<CodeListing> listing = one.interpreter.list(one.region);
            listing.ifPresentOrElse(this::body, () -> out.append("What it was made of is no longer known.\n"));
        }
        if (left > 0) {
            out.append("\nThe code of ").append(left).append(" more is not shown.\n");
        }
    }

    private void head(RegionView region) {
        Duration age = Duration.between(Instant.ofEpochMilli(region.since()), Instant.now());
        out.append("\nRegion at ").append(hex(region.start())).append('\n');
        item(
                "pages",
                String.join(
                                ", ",
                                LongStream.of(region.pages())
                                        .mapToObj(page -> hex(page & -PAGE))
                                        .toList()) + " (guest-physical)");
        item(
                "in use",
                String.format(
                        Locale.ROOT, "since %s, %.1f s", Instant.ofEpochMilli(region.since()), age.toMillis() * 1e-3));
        item("entered", count(region.entered()) + " times");
        item("executed", count(region.instructions()) + " instructions; single ones are not counted");
    }

    private void body(CodeListing listing) {
        item("guest code", listing.instructions() + " instructions, " + listing.guestBytes() + " bytes");
        item("bytecode", count(listing.bytecodeBytes()) + " bytes in a class of " + count(listing.classBytes()));
        out.append('\n').append(listing.text());
    }

    private void item(String name, String value) {
        out.append(String.format("  %-12s%s%n", name, value));
    }

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }

    private static String count(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }
}
